"""The grid: every sample exactly once, whatever comes."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.transcoder.worker.sound import SAMPLE_BYTES, Grid

SIZE = 4


def piece(first: int, samples: int) -> list[bytes]:
    """Samples that say their place, in two channels."""
    sound = b"".join((first + i + 1_000_000).to_bytes(SAMPLE_BYTES, "big") for i in range(samples))
    return [sound, sound]


@given(st.lists(st.tuples(st.integers(-10, 60), st.integers(1, 12)), max_size=12), st.integers(0, 80))
def test_frames_follow_one_another_and_each_sample_is_the_first_that_came_for_its_place_or_silence(
    pieces: list[tuple[int, int]], end: int
) -> None:
    grid = Grid(2, SIZE, 0)
    frames = [frame for first, samples in pieces for frame in grid.put(first, piece(first, samples))]
    frames += grid.fill(end)
    assert [first for first, _ in frames] == list(range(0, len(frames) * SIZE, SIZE))
    assert grid.cursor == max([0, end, *(first + samples for first, samples in pieces)])
    assert len(frames) == grid.cursor // SIZE
    reached = 0
    given_places = set()
    for first, samples in pieces:
        given_places |= set(range(max(first, reached), first + samples))
        reached = max(reached, first + samples)
    for first, planes in frames:
        assert planes[0] == planes[1]
        for index in range(SIZE):
            value = int.from_bytes(planes[0][index * SAMPLE_BYTES : (index + 1) * SAMPLE_BYTES], "big")
            place = first + index
            assert value == (place + 1_000_000 if place in given_places else 0)
