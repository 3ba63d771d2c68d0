"""Segments and parts of a passed-through rung."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings

from headrace.core.broadcast import AudioSource, Cut
from headrace.core.hls.segmenter import GapPart, PassthroughCutter, PassthroughPart, Position, Sample
from tests.support.cuts import assert_playable, encoded, passed, segments, spans
from tests.support.media_patterns import CLIP_GOPS_S, RATES, TICKS, Pattern, Shot, arranged, patterns, steady


def samples(said: list[PassthroughPart | GapPart]) -> list[Sample]:
    return [sample for part in said if isinstance(part, PassthroughPart) for sample in part.samples]


@given(patterns())
@settings(max_examples=25)
def test_every_sample_is_passed_once_in_decode_order_and_the_result_is_playable(pattern: Pattern) -> None:
    plan = pattern.plan("passthrough")
    said = passed(plan, pattern)
    inside = samples(said)
    assert [(s.dts, s.pts, s.keyframe) for s in inside] == list(pattern.shots)
    assert all(a.dts + a.duration == b.dts for a, b in pairwise(inside))
    assert all(part.samples for part in said if isinstance(part, PassthroughPart))
    assert_playable(plan, said, pattern.end)


@given(patterns())
@settings(max_examples=25)
def test_beside_encoded_rungs_it_has_their_segments_and_is_a_gap_where_none_opens_on_a_keyframe(
    pattern: Pattern,
) -> None:
    plan = pattern.plan("source+auto")
    if plan.passthrough is None:
        assert plan.cut is Cut.GRID
        return
    said = passed(plan, pattern)
    assert_playable(plan, said, pattern.end)
    assert segments(said) == segments(spans(encoded(plan, pattern)))
    for part in said:
        assert part.opened or isinstance(part, GapPart)
    kept = [s.source for s in samples(said)]
    assert kept == sorted(set(kept))


@given(patterns())
@settings(max_examples=20)
def test_a_segment_that_says_so_opens_with_its_keyframe(pattern: Pattern) -> None:
    said = passed(pattern.plan("passthrough"), pattern)
    for part in said:
        if part.part == 0 and part.opened:
            assert isinstance(part, PassthroughPart)
            assert (part.samples[0].pts, part.samples[0].keyframe) == (part.start, True)


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
def test_a_steady_source_has_no_gap_and_parts_begin_at_dts_plus_delta(rate: Fraction) -> None:
    pattern = steady(rate, 12, [2.002], ms=True)
    plan = pattern.plan("passthrough")
    said = passed(plan, pattern)
    for part in said:
        assert isinstance(part, PassthroughPart)
        if part.part:
            assert part.start == part.samples[0].dts + pattern.delta


def test_the_clip_s_gops_become_segments_within_the_target_duration() -> None:
    pattern = steady(Fraction(24), 46.2, CLIP_GOPS_S)
    plan = pattern.plan("passthrough")
    assert plan.target_duration_s == 10
    lengths = [(end - start) / TICKS for _, start, end, _ in segments(passed(plan, pattern))]
    assert lengths[:5] == pytest.approx([10.4, 5.4, 7.3, 10.4, 5.4], abs=0.05)


def test_a_gop_longer_than_the_target_duration_is_cut_between_keyframes() -> None:
    rate = Fraction(25)
    times = list(range(0, 40 * TICKS, 3600))
    pattern = arranged(rate, times, {0, 50, 350, 400}, reorder=2)  # 2, 12, 2 s and the rest
    plan = pattern.plan("passthrough")
    assert plan.target_duration_s == 2
    found = [(start / TICKS, opened) for _, start, _, opened in segments(passed(plan, pattern))]
    assert found[:8] == [
        (0, True),
        (2, True),
        (4.48, False),
        (6.96, False),
        (9.44, False),
        (11.92, False),
        (14, True),
        (16, True),
    ]


def test_one_sample_longer_than_a_part_is_listed_as_a_part_and_gaps() -> None:
    times = [*range(0, 150_000, 3000), *range(231_000, 460_000, 3000)]
    pattern = arranged(Fraction(30), times, {0}, reorder=0)
    plan = pattern.plan("passthrough")
    assert plan.part == 30_000
    said = [(part.start, part.end, isinstance(part, GapPart)) for part in passed(plan, pattern)][4:9]
    assert said == [
        (120_000, 147_000, False),
        (147_000, 177_000, False),
        (177_000, 207_000, True),
        (207_000, 231_000, True),
        (231_000, 261_000, False),
    ]


def test_a_hole_longer_than_the_target_duration_is_cut_inside() -> None:
    times = [*range(0, 2 * TICKS, 3000), *range(9 * TICKS, 14 * TICKS, 3000)]
    keys = {0, times.index(9 * TICKS)}
    pattern = arranged(Fraction(30), times, keys, reorder=0)
    plan = pattern.plan({"source": True, "max_gop_s": 2})
    said = passed(plan, pattern)
    assert plan.target_duration_s == 2
    assert_playable(plan, said, pattern.end)
    assert len(samples(said)) == len(pattern.shots)


def test_decode_times_that_stand_still_are_moved_on_by_a_tick() -> None:
    shots = [Shot(0, 0, True), Shot(3000, 3000, False), Shot(3000, 3000, False), Shot(2000, 6000, False)]
    shots += [Shot(9000 + 3000 * i, 9000 + 3000 * i, False) for i in range(60)]
    pattern = Pattern(Fraction(30), tuple(shots), 9000 + 3000 * 60)
    said = passed(pattern.plan("passthrough"), pattern)
    assert [s.dts for s in samples(said)[:5]] == [0, 3000, 3001, 3002, 9000]
    assert samples(said)[3].cts == 2998


def test_gaps_go_on_while_the_rung_waits_for_a_keyframe() -> None:
    rate = Fraction(25)
    times = list(range(0, 20 * TICKS, 3600))
    pattern = arranged(rate, times, {0, 50, 450}, reorder=2)
    plan = pattern.plan("source+auto")
    assert plan.passthrough is not None
    cutter = PassthroughCutter(plan, plan.passthrough, Position.initial())
    listed = 0
    for shot in pattern.shots:
        for part in cutter.push(*shot):
            listed = part.end
        if shot.pts > 6 * TICKS:
            assert shot.pts - listed <= 2 * plan.part + 4 * 3600


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("samples_per_unit", [1024, 2048])
def test_long_access_units_leave_no_steady_part_below_85_percent(rate: int, samples_per_unit: int) -> None:
    pattern = steady(RATES["29.97"], 10, [2])
    audio = AudioSource("mp4a", b"", rate, 1, samples_per_unit)
    plan = pattern.plan({"source": True, "part_ms": 200}, audio)
    said = passed(plan, pattern)
    assert not any(isinstance(part, GapPart) for part in said)
    assert_playable(plan, said, pattern.end)


def test_a_sample_decoded_before_a_keyframe_stays_before_it_wherever_its_dts_plus_delta_lies() -> None:
    # The reordering shrinks after a second, so that picture 59 stands where keyframe 60 is shown.
    shots = [Shot(3000 * i - (6000 if i < 30 else 3000), 3000 * i, i % 60 == 0) for i in range(180)]
    pattern = Pattern(Fraction(30), tuple(shots), 540_000)
    said = passed(pattern.plan("passthrough"), pattern)
    assert [s.source for s in samples(said)] == list(range(180))
    last, opening = [part for part in said if part.msn == 0][-1], next(part for part in said if part.msn == 1)
    assert isinstance(last, PassthroughPart)
    assert isinstance(opening, PassthroughPart)
    assert (last.end, last.samples[-1].source, opening.samples[0].source) == (180_000, 59, 60)


def test_a_forced_cut_never_falls_between_a_keyframe_and_a_sample_decoded_before_it() -> None:
    shots = [Shot(3000 * i - (9000 if i < 30 else 3000), 3000 * i, i % 60 == 0) for i in range(61)]
    shots += [Shot(3000 * i + 597_000, 3000 * i + 600_000, i == 0) for i in range(30)]
    pattern = Pattern(Fraction(30), tuple(shots), 690_000)
    plan = pattern.plan("passthrough")
    assert plan.target_duration_s == 2
    starts = [start for _, start, _, _ in segments(passed(plan, pattern))]
    assert starts == [0, 180_000, 360_000, 540_000, 600_000]


def test_a_forced_cut_never_falls_at_a_sample_decoded_after_the_next_keyframe() -> None:
    plan = steady(Fraction(30), 5, [2], reorder=0).plan("passthrough")
    shots = [Shot(3000 * i, 3000 * i, i == 0) for i in range(73)]
    shots += [Shot(3000 * i, 3000 * i + 12_000, i == 73) for i in range(73, 120)]
    said = passed(plan, Pattern(Fraction(30), tuple(shots), 372_000))
    assert [(start, opened) for _, start, _, opened in segments(said)][:3] == [
        (0, True),
        (216_000, False),
        (231_000, True),
    ]
    assert [s.source for s in samples([part for part in said if part.msn == 1])] == [72]
