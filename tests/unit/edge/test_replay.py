"""The replay buffer: what it keeps, what it forgets, when it says stop."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.core.media import TICKS_PER_S, Frame, Kind
from headrace.edge.budget import Budget
from headrace.edge.replay import AUDIO_LEAD, FRAME_BYTES, ReplayBuffer

S = TICKS_PER_S
PAIR = 110 + 2 * FRAME_BYTES


def video(at: int, size: int = 100, *, key: bool = False) -> Frame:
    return Frame(Kind.VIDEO, key, at, at, bytes(size))


def audio(at: int, size: int = 10) -> Frame:
    return Frame(Kind.AUDIO, True, at, at, bytes(size), at * 48 // 90, 1024)


def filled(seconds: int, max_bytes: int = 1 << 20, gop_s: int = 2) -> ReplayBuffer:
    """A picture and a sound ten times a second."""
    buffer = ReplayBuffer(max_bytes, Budget(1 << 30))
    for i in range(10 * seconds):
        buffer.append(video(i * S // 10, key=i % (10 * gop_s) == 0))
        buffer.append(audio(i * S // 10))
    return buffer


def test_frames_are_taken_once_and_in_the_order_of_arrival() -> None:
    buffer = filled(1)
    first = buffer.take(2 * PAIR)
    assert [f.kind for f in first] == [Kind.VIDEO, Kind.AUDIO, Kind.VIDEO, Kind.AUDIO]
    rest = buffer.take(1 << 20)
    assert len(first) + len(rest) == 20
    assert buffer.take(1) == []


def test_a_frame_above_the_batch_goes_alone() -> None:
    buffer = ReplayBuffer(1 << 20, Budget(1 << 30))
    buffer.append(video(0, 5000, key=True))
    buffer.append(video(1, 5000))
    assert len(buffer.take(100)) == 1


def test_trimming_keeps_the_gop_that_holds_the_position_and_the_audio_before_it() -> None:
    buffer = filled(10)
    buffer.take(1 << 20)
    buffer.trim(5 * S)
    buffer_video, buffer_audio = list(buffer._video), list(buffer._audio)
    assert buffer_video[0].keyframe
    assert buffer_video[0].pts == 4 * S
    assert buffer_audio[0].pts == 4 * S - AUDIO_LEAD
    assert buffer.held_bytes == sum(len(f.data) + FRAME_BYTES for f in (*buffer_video, *buffer_audio))
    assert buffer.replayable


def test_nothing_is_trimmed_before_the_first_keyframe_is_durable() -> None:
    buffer = filled(1)
    held = len(buffer)
    buffer.trim(-1)
    assert len(buffer) == held


def test_unpublished_bytes_fill_it_and_publishing_makes_room() -> None:
    buffer = filled(4, max_bytes=4 * 10 * PAIR)
    assert buffer.full
    buffer.take(1 << 20)
    buffer.published(2 * S)
    assert not buffer.full
    assert buffer.unpublished_bytes == 2 * 10 * PAIR


def test_a_gop_longer_than_the_bound_gives_way_from_its_oldest_published_frame() -> None:
    buffer = filled(4, max_bytes=4 * 10 * PAIR, gop_s=100)
    buffer.take(1 << 20)
    buffer.published(3 * S)
    for i in range(40, 50):
        buffer.append(video(i * S // 10))
    assert buffer.held_bytes <= buffer.max_bytes
    assert not buffer.replayable
    buffer.append(video(5 * S, key=True))
    buffer.trim(5 * S)
    assert buffer.replayable


def test_clearing_gives_the_pod_its_memory_back() -> None:
    budget = Budget(1000 + FRAME_BYTES)
    buffer = ReplayBuffer(2000, budget)
    buffer.append(video(0, 850, key=True))
    assert not budget.admits
    buffer.clear()
    assert budget.held_bytes == 0
    assert budget.admits


@given(st.lists(st.tuples(st.sampled_from("kpat"), st.integers(1, 400), st.integers(0, 60)), max_size=120))
def test_the_books_balance_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    budget = Budget(1 << 30)
    buffer = ReplayBuffer(3000, budget)
    at = taken = appended = 0
    for what, size, back in steps:
        if what in "kp":
            at += 3000
            buffer.append(video(at, size, key=what == "k"))
            appended += 1
        elif what == "a":
            buffer.append(audio(at, size))
            appended += 1
        else:
            taken += len(buffer.take(size))
            buffer.published(at - back * 3000)
            buffer.trim(at - 2 * back * 3000)
        assert (
            buffer.held_bytes
            == budget.held_bytes
            == sum(len(f.data) + FRAME_BYTES for f in (*buffer._video, *buffer._audio))
        )
        assert buffer.unpublished_bytes >= 0
        assert buffer.held_bytes <= 3000 or buffer.unpublished_bytes > 3000 - 400 - FRAME_BYTES
    taken += len(buffer.take(1 << 20))
    assert taken == appended
