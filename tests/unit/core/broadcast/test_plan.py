"""Profiles, ladders and plans."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import (
    AudioSource,
    Cut,
    Plan,
    Profile,
    ProfileError,
    RungSpec,
    Source,
    VideoSource,
    make_plan,
)

S = 90_000


def source(
    width: int = 1920,
    height: int = 1080,
    rate: Fraction = Fraction(24),
    kbps: int = 0,
    first_segment: int = 2 * S,
    closed: bool = True,
    sar: Fraction = Fraction(1),
    intervals: tuple[int, ...] = (),
    audio: AudioSource | None = None,
) -> Source:
    video = VideoSource("avc1", b"", width, height, sar, rate, kbps, 7500, first_segment, closed, intervals)
    return Source(video, audio or AudioSource("mp4a", b"", 44_100, 2, 1024, grid=300))


def rungs(plan: Plan) -> list[tuple[str, int, int, int]]:
    return [(r.name, r.width, r.height, r.stride) for r in plan.video]


def test_auto_never_upscales_and_keeps_every_rung_below_the_source() -> None:
    plan = make_plan(Profile.parse("auto"), source(1280, 720))
    assert rungs(plan) == [("720p", 1280, 720, 1), ("540p", 960, 540, 1), ("360p", 640, 360, 1), ("240p", 426, 240, 1)]


def test_auto_halves_the_rate_of_the_lower_rungs_of_a_60_fps_source() -> None:
    plan = make_plan(Profile.parse("auto"), source(rate=Fraction(60_000, 1001)))
    assert [r.stride for r in plan.video] == [1, 1, 2, 2, 2]
    assert plan.video[0].encoding is not None
    assert plan.video[0].encoding.maxrate_kbps == 6000


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(25), Fraction(30), Fraction(48), Fraction(60)])
def test_encoded_media_is_decoded_less_than_a_part_early_and_its_gaps_hold_a_picture(rate: Fraction) -> None:
    plan = make_plan(Profile.parse("auto"), source(rate=rate))
    assert max(r.delta for r in plan.video) <= plan.part * 2 // 3
    assert plan.gap > S / rate + 180  # with the rounding of milliseconds, nothing is filled where nothing is missing


@pytest.mark.parametrize("height", [90, 1080])
def test_a_source_below_the_ladder_is_encoded_as_well_as_any(height: int) -> None:
    (rung, *_) = make_plan(Profile.parse("auto"), source(height * 16 // 9, height)).video
    assert rung.encoding is not None
    assert (rung.height, rung.encoding.crf) == (height, RungSpec(height).crf)


def test_no_unit_of_encoded_sound_starts_on_a_millisecond() -> None:
    audio = make_plan(Profile.parse("auto"), source()).audio
    assert audio is not None
    assert all((audio.grid + k * audio.frame_samples) * 1000 % audio.sample_rate for k in range(1000))


def test_auto_drops_a_rung_with_more_bits_than_the_source_at_its_size() -> None:
    plan = make_plan(Profile.parse("auto"), source(1280, 720, kbps=2500))
    assert rungs(plan)[0][0] == "540p"


@pytest.mark.parametrize(
    ("size", "first"),
    [
        ((640, 272), ("360p", 640, 272, 1)),
        ((1920, 800), ("1080p", 1920, 800, 1)),
        ((1080, 1920), ("1080p", 1080, 1920, 1)),
    ],
)
def test_a_rung_is_a_box_so_odd_shapes_get_theirs(size: tuple[int, int], first: tuple[str, int, int, int]) -> None:
    assert rungs(make_plan(Profile.parse("auto"), source(*size)))[0] == first


def test_a_source_below_every_rung_gets_one_of_its_own_size() -> None:
    assert rungs(make_plan(Profile.parse("auto"), source(160, 90))) == [("90p", 160, 90, 1)]


def test_oblong_pixels_become_square_without_upscaling() -> None:
    plan = make_plan(Profile.parse("auto"), source(1440, 1080, sar=Fraction(4, 3)))
    assert plan.video[0].width * 9 == plan.video[0].height * 16
    assert plan.video[0].width <= 1440


def test_an_explicit_ladder_is_obeyed_but_never_upscaled() -> None:
    profile = Profile.parse({"rungs": [{"height": 360, "fps": 30}, {"height": 1440}, {"height": 720, "crf": 20}]})
    plan = make_plan(profile, source(1280, 720, Fraction(50)))
    assert rungs(plan) == [("720p", 1280, 720, 1), ("360p", 640, 360, 2)]
    assert plan.video[0].encoding is not None
    assert plan.video[0].encoding.crf == 20


def test_two_rungs_that_come_out_at_one_size_are_one() -> None:
    profile = Profile.parse({"rungs": [{"height": 721}, {"height": 720}]})
    assert len(make_plan(profile, source()).video) == 1


def test_passthrough_encodes_nothing_and_cuts_at_the_sources_keyframes() -> None:
    plan = make_plan(Profile.parse("passthrough"), source(first_segment=0))
    assert plan.cut is Cut.KEYFRAMES
    assert plan.encoded == ()
    assert plan.target_duration_s == 10
    assert plan.audio is not None
    assert (plan.audio.passthrough, plan.audio.grid, plan.audio.sample_rate) == (True, 300, 44_100)
    assert plan.video[0].delta == 7500


@pytest.mark.parametrize(("seconds", "target"), [(1.5, 2), (2.0, 2), (2.25, 2), (2.26, 3), (4.1, 4), (7.3, 8)])
def test_passthroughs_target_duration_comes_from_its_first_segment(seconds: float, target: int) -> None:
    assert make_plan(Profile.parse("passthrough"), source(first_segment=int(seconds * S))).target_duration_s == target


def test_source_plus_auto_keeps_the_source_only_where_its_gops_can_be_segments() -> None:
    both = Profile.parse("source+auto")
    assert make_plan(both, source(first_segment=2 * S)).cut is Cut.KEYFRAMES
    assert make_plan(both, source(first_segment=2 * S, closed=False)).passthrough is None
    assert make_plan(both, source(first_segment=4 * S)).passthrough is None
    assert make_plan(both, source(first_segment=0)).cut is Cut.GRID


@pytest.mark.parametrize(
    ("rate", "part", "target_ms"),
    [
        (Fraction(24), 30_000, 357),
        (Fraction(25), 28_800, 344),
        (Fraction(30_000, 1001), 30_030, 358),
        (Fraction(60), 30_000, 357),
        (Fraction(12), 90_000, 1024),
    ],
)
def test_a_part_is_a_whole_number_of_the_slowest_rungs_frames(rate: Fraction, part: int, target_ms: int) -> None:
    plan = make_plan(Profile.parse("auto"), source(rate=rate))
    assert plan.part == part
    assert abs(plan.part_target_ms - target_ms) <= 1
    assert plan.part_hold_back_ms == 3 * plan.part_target_ms


@given(
    st.fractions(Fraction(1, 10), 120, max_denominator=1001),
    st.sampled_from(["auto", "passthrough", "source+auto"]),
    st.integers(1, 3),
    st.lists(st.integers(90, 200_000), max_size=4),
)
@settings(max_examples=60)
def test_however_few_frames_there_are_a_part_is_no_longer_than_a_segment(
    rate: Fraction, profile: str, segment_s: int, intervals: list[int]
) -> None:
    given_source = source(1280, 720, rate, intervals=tuple(intervals))
    plan = make_plan(Profile.parse({"name": profile, "segment_s": segment_s}), given_source)
    assert 180 < plan.part <= S + 180
    assert plan.part_target_ms <= 1000 * plan.target_duration_s
    assert plan.part_target_ms * 85 * 90 <= 100 * plan.part


def test_a_frame_a_second_makes_parts_of_a_second() -> None:
    for rate, part in (
        (Fraction(1, 2), 90_000),
        (Fraction(1), 90_000),
        (Fraction(3, 2), 60_000),
        (Fraction(2), 90_000),
    ):
        for profile in ("auto", "passthrough"):
            assert make_plan(Profile.parse(profile), source(rate=rate)).part == part


def test_a_ragged_passthrough_source_gets_parts_of_a_second() -> None:
    profile = Profile.parse("passthrough")
    assert make_plan(profile, source(intervals=(3750, 3750, 3780))).part == 30_000
    assert make_plan(profile, source(intervals=(3750, 9000, 3780))).part == 90_000


@pytest.mark.parametrize(
    "given_profile",
    [
        "best",
        {"rungs": []},
        {"rungs": [{"fps": 30}]},
        {"rungs": [{"height": 10}]},
        {"rungs": [{"height": 720}, {"height": 720}]},
        {"rungs": [{"height": True}]},
        {"rungs": 720},
        {"rungs": [{"height": 720, "codec": 1}]},
        {"name": "auto", "rungs": [{"height": 720}]},
        {"name": "auto", "window_s": 5},
        {"name": "auto", "part_ms": "333"},
        {"name": "auto", "nonsense": 1},
        {"source": "yes"},
        {"name": "auto", "part_ms": 1000, "segment_s": 1},
    ],
)
def test_a_profile_that_cannot_be_obeyed_is_refused_with_the_fields_name(given_profile: object) -> None:
    with pytest.raises(ProfileError, match="profile"):
        Profile.parse(given_profile)  # type: ignore[arg-type]


@given(
    st.integers(16, 4096),
    st.integers(16, 4096),
    st.fractions(5, 120, max_denominator=1001),
    st.integers(0, 20_000),
    st.sampled_from(["auto", "passthrough", "source+auto"]),
)
def test_every_plan_is_one_that_a_worker_can_obey(w: int, h: int, rate: Fraction, kbps: int, name: str) -> None:
    plan = make_plan(Profile.parse(name), source(w, h, rate, kbps))
    assert plan.video
    assert len({*plan.rung_names}) == len(plan.rung_names)
    assert plan.part * 1000 <= plan.part_target_ms * S
    assert plan.part < plan.segment
    for rung in plan.encoded:
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.width <= max(2, w)
        assert rung.height <= max(2, h)
        assert rung.frame_rate * rung.stride == rate
