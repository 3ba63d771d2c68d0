"""The run's timeline: zero, ticks, repaired clocks, counted audio."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.media import Kind, Timeline, ticks_from_ns
from headrace.core.media.audio_count import AudioCount


def started(at_ms: int = 1000, composition_ms: int = 80) -> Timeline:
    timeline = Timeline()
    timeline.describe_audio(48_000, 1024)
    first = timeline.video(at_ms, composition_ms, keyframe=True, data=b"k")
    assert first is not None
    return timeline


def test_zero_is_the_first_keyframes_pts() -> None:
    timeline = Timeline()
    assert timeline.video(960, 0, keyframe=False, data=b"p") is None
    frame = timeline.video(1000, 80, keyframe=True, data=b"k")
    assert frame is not None
    assert (frame.pts, frame.dts) == (0, -80 * 90)
    following = timeline.video(1042, 120, keyframe=False, data=b"p")
    assert following is not None
    assert (following.pts, following.dts) == (82 * 90, -38 * 90)


def test_audio_before_the_first_keyframe_is_dropped() -> None:
    timeline = Timeline()
    timeline.describe_audio(48_000, 1024)
    assert timeline.audio(0, b"a") is None
    timeline.video(100, 50, keyframe=True, data=b"k")
    assert timeline.audio(149, b"a") is None
    first = timeline.audio(150, b"a")
    assert first is not None
    assert (first.kind, first.sample, first.pts) == (Kind.AUDIO, 1, 1)


def test_audio_is_counted_whatever_the_milliseconds_say() -> None:
    timeline = started(1000, 0)
    frames = [timeline.audio(1000 + int(i * 1024 / 48) + (i % 3), b"a") for i in range(2000)]
    assert [f.sample for f in frames if f] == [1 + 1024 * i for i in range(2000)]
    assert not any(f.jump for f in frames if f)


@given(st.integers(0, 10**8))
def test_no_access_unit_starts_on_a_millisecond(at_ms: int) -> None:
    counted = AudioCount(48_000, 1024).place(at_ms)
    assert counted is not None
    assert counted.sample % 48 != 0
    assert all((counted.sample + 1024 * k) % 48 for k in range(3))  # 1024 * 3 is a whole number of milliseconds


def test_counts_stay_odd_where_the_clock_jumps_back_before_the_start() -> None:
    count = AudioCount(48_000, 1024)
    assert count.place(2000) is not None
    back = count.place(-500)
    assert back is not None
    assert (back.sample, back.jump) == (1, True)


def test_a_clock_that_drifts_is_followed_16_samples_at_a_time() -> None:
    timeline = started(0, 0)
    fast = 1.0003  # 300 ppm, more than any crystal
    frames = [f for i in range(60_000) if (f := timeline.audio(round(i * 1024 / 48 * fast), b"a"))]
    assert {f.samples for f in frames} == {1024, 1040}
    assert not any(f.jump for f in frames)
    last = frames[-1]
    assert abs(last.sample / 48 - 59_999 * 1024 / 48 * fast) < 20
    assert all(b.sample == a.sample + a.samples for a, b in pairwise(frames))


def test_a_hole_in_the_sound_makes_time_jump_and_says_so() -> None:
    timeline = started(0, 0)
    before = [timeline.audio(round(i * 1024 / 48), b"a") for i in range(10)]
    after = timeline.audio(round(10 * 1024 / 48) + 500, b"a")
    assert before[-1] is not None
    assert after is not None
    assert after.jump
    assert abs(after.sample - (10 * 1024 + 24_000)) < 48


def test_the_32_bit_clock_may_wrap() -> None:
    near = (1 << 32) - 20
    timeline = started(near, 0)
    frame = timeline.video(20, 0, keyframe=False, data=b"p")
    assert frame is not None
    assert frame.pts == 40 * 90


def test_a_back_step_keeps_dts_rising() -> None:
    timeline = started(1000, 0)
    a = timeline.video(1040, 0, keyframe=False, data=b"p")
    b = timeline.video(1030, 0, keyframe=False, data=b"p")
    assert a is not None
    assert b is not None
    assert b.dts == a.dts + 1
    assert b.pts == 30 * 90  # its own: in the past, so encoded rungs do not show it


def test_negative_composition_times_keep_every_picture_at_its_time() -> None:
    timeline = started(0, 0)
    steps = [(40, 80), (80, -40), (120, -40), (160, 0), (200, 80), (240, -40), (280, -40)]
    frames = [f for at, shown in steps if (f := timeline.video(at, shown, keyframe=False, data=b"p"))]
    assert [f.pts // 90 for f in frames] == [at + shown for at, shown in steps]
    assert all(f.dts <= f.pts + 1 for f in frames)


@pytest.mark.parametrize(("paused", "other"), [("audio", "video"), ("video", "audio")])
def test_a_track_that_pauses_comes_back_in_sync_with_the_other(paused: str, other: str) -> None:
    timeline = started(0, 0)

    def step(track: str, at_ms: int) -> int:
        frame = timeline.video(at_ms, 0, keyframe=False, data=b"p") if track == "video" else timeline.audio(at_ms, b"a")
        assert frame is not None
        return frame.pts // 90

    for i in range(420):
        at_ms = round(i * 1024 / 48)
        if not 5000 <= at_ms < 8700:
            assert abs(step(paused, at_ms) - at_ms) <= 12
        step(other, at_ms)
    assert timeline.repairs <= 1  # the hole in counted sound


def test_both_tracks_keep_their_sync_when_the_clock_is_set_anew() -> None:
    timeline = started(0, 0)
    for i in range(100):
        timeline.video(40 * (i + 1), 0, keyframe=False, data=b"p")
        timeline.audio(40 * (i + 1), b"a")
    jumped = timeline.video(900_000, 0, keyframe=False, data=b"p")
    late_old_audio = timeline.audio(4_020, b"a")
    new_audio = timeline.audio(900_020, b"a")
    assert jumped is not None
    assert jumped.pts == (4_000 + 40) * 90
    assert late_old_audio is not None
    assert new_audio is not None
    assert abs(new_audio.pts - (4_060 * 90)) < 110 * 90
    assert timeline.repairs >= 1


STARTS = st.integers(0, 10**9)  # three hours
TRACKS = st.sampled_from([(48_000, 1024), (44_100, 1024), (32_000, 1024), (48_000, 2048), (44_100, 2048)])


def test_a_later_session_starts_where_it_is_told() -> None:
    timeline = Timeline(900_000)
    frames = [
        timeline.video(5000, 80, keyframe=True, data=b"k"),
        timeline.video(5040, 120, keyframe=False, data=b"p"),
    ]
    assert [(f.pts, f.dts) for f in frames if f] == [(900_000, 892_800), (907_200, 896_400)]


@given(STARTS, TRACKS, st.integers(0, 4000), st.integers(-2, 60))
def test_the_sound_of_a_later_session_lies_on_the_runs_grid_beside_the_pictures(
    starts_at: int, track: tuple[int, int], origin: int, first_ms: int
) -> None:
    rate, samples = track
    grid = origin | 1
    timeline = Timeline(starts_at)
    timeline.describe_audio(rate, samples, grid)
    timeline.video(1000, 0, keyframe=True, data=b"k")
    came = [
        (at_ms, timeline.audio(1000 + at_ms, b"a"))
        for at_ms in (first_ms + i * samples * 1000 // rate for i in range(600))
    ]
    frames = [(at_ms, frame) for at_ms, frame in came if frame is not None]
    assert len(frames) >= len(came) - 2  # those alone that lie before the start
    for at_ms, frame in frames:
        assert (frame.sample - grid) % samples == 0
        assert frame.sample * 90_000 >= starts_at * rate
        beside = abs(frame.sample - (starts_at + at_ms * 90) * rate / 90_000)
        assert beside <= samples / 2 + 2 * rate / 1000  # the milliseconds are rounded
        assert not frame.jump
    assert all(b.sample == a.sample + samples for (_, a), (_, b) in pairwise(frames))


@given(STARTS, TRACKS)
def test_without_a_grid_a_later_sessions_counts_are_odd_and_not_before_its_start(
    starts_at: int, track: tuple[int, int]
) -> None:
    counts = [AudioCount(*track, starts_at).place(at_ms) for at_ms in (-1, 0, 1)]
    assert counts[0] is None or track[0] < 48_000
    for counted in counts:
        if counted is not None:
            assert counted.sample % 2 == 1
            assert counted.sample * 90_000 >= starts_at * track[0]


def test_a_hole_in_a_later_sessions_sound_leads_back_to_the_grid() -> None:
    count = AudioCount(48_000, 1024, 900_000, 37)
    assert count.place(0) is not None
    after = count.place(500)
    assert after is not None
    assert after.jump
    assert (after.sample - 37) % 1024 == 0
    assert abs(after.sample - (480_000 + 24_000)) <= 512


def test_a_grids_distance_from_the_clock_is_no_drift() -> None:
    for first_ms in range(22):
        count = AudioCount(48_000, 1024, 900_000, 1)
        placed = [count.place(first_ms + round(i * 1024 / 48)) for i in range(600)]
        assert {p.samples for p in placed if p} == {1024}


def test_nanoseconds_round_once_half_up() -> None:
    assert ticks_from_ns(1_000_000) == 90
    assert ticks_from_ns(5_555) == 0
    assert ticks_from_ns(5_556) == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, (1 << 32) - 1), st.integers(-200, 500)), max_size=200))
def test_whatever_the_clock_does_dts_rises_and_samples_are_never_negative(steps: list[tuple[bool, int, int]]) -> None:
    timeline = started(0, 0)
    last = -1
    for is_video, timestamp, composition in steps:
        if is_video:
            frame = timeline.video(timestamp, composition, keyframe=False, data=b"p")
            assert frame is not None
            assert frame.dts > last
            last = frame.dts
        elif (frame := timeline.audio(timestamp, b"a")) is not None:
            assert frame.sample >= 0
