"""Segment starts over a whole day, and the rules that all rungs of a run share."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import pytest

from headrace.core.broadcast import Cut, Plan
from headrace.core.hls.durations import extinf, round_half_up_seconds
from headrace.core.hls.segmenter import EncodedCutter, PartClosed, Position
from headrace.core.hls.segmenter.rules import Rules
from headrace.core.hls.segmenter.segments import Segments
from tests.support.cuts import assert_playable, encoded, passed, spans
from tests.support.media_patterns import RATES, TICKS, steady, tick

DAY = 24 * 3600 * TICKS


def day_on_the_grid(plan: Plan, rate: Fraction, ms: bool) -> Iterator[int]:
    """Segment starts of a day, asking only about the five pictures around each multiple of the segment length."""
    cuts = Segments(Rules(plan), Position.initial())
    assert not cuts.cut(0, True, tick(1, rate, ms=ms))
    for multiple in range(plan.segment, DAY, plan.segment):
        near = multiple * rate.numerator // (TICKS * rate.denominator)
        times = [tick(i, rate, ms=ms) for i in range(near - 2, near + 4)]
        for t, following in pairwise(times):
            if cuts.cut(t, False, following):
                yield t


@pytest.mark.parametrize("name", ["23.976", "59.94"])
@pytest.mark.parametrize("ms", [False, True], ids=["exact", "milliseconds"])
def test_a_day_on_the_grid_has_every_segment_in_its_place_and_no_drift(name: str, ms: bool) -> None:
    rate = RATES[name]
    plan = steady(rate, 3, [2]).plan("auto")
    assert plan.cut is Cut.GRID
    starts = [0, *day_on_the_grid(plan, rate, ms)]
    assert len(starts) == DAY // plan.segment
    picture = int(TICKS / rate) + 1
    printed = 0
    for msn, (start, end) in enumerate(pairwise(starts)):
        assert -180 <= start - msn * plan.segment <= picture
        assert round_half_up_seconds(end - start) <= plan.target_duration_s
        printed += int(extinf(start, end).replace(".", ""))
    assert printed == int(extinf(0, starts[-1]).replace(".", ""))


def test_after_a_day_parts_are_cut_as_at_its_start() -> None:
    rate = RATES["29.97"]
    plan = steady(rate, 3, [2]).plan("auto")
    for hour in (0, 1, 23):
        msn = hour * 1800
        first = next(i for i in range(int(rate * 2 * msn), 10**7) if tick(i, rate, ms=True) >= msn * plan.segment - 180)
        start = tick(first, rate, ms=True)
        cutter = EncodedCutter(plan, Position(msn, 0, start, start, opened=False))
        said = [part for i in range(first, first + 400) for part in cutter.push(tick(i, rate, ms=True), False)]
        parts = [part for part in said if isinstance(part, PartClosed)]
        assert {len(part.pictures) for part in parts if not part.segment_end} == {10}
        assert [part.msn for part in parts if part.segment_end] == [msn + n for n in range(6)]


def test_a_day_of_2_002_s_gops_at_29_97_fps_has_one_segment_a_gop() -> None:
    rate = RATES["29.97"]
    plan = steady(rate, 3, [2.002]).plan("passthrough")
    cuts = Segments(Rules(plan), Position.initial())
    cuts.cut(0, True, 3003)
    last = 0
    for i in range(60, DAY * 30_000 // (1001 * TICKS), 60):
        t, following = tick(i, rate, ms=True), tick(i + 1, rate, ms=True)
        assert not cuts.cut(tick(i - 1, rate, ms=True), False, t)
        assert cuts.cut(t, True, following)
        assert round_half_up_seconds(t - last) == plan.target_duration_s
        last = t


@pytest.mark.parametrize(
    ("gop", "segments_of"),
    [(0.5, 2), (1, 2), (1.75, 1.75), (1.7, 3.4), (2.2, 2.2), (5, 5), (10, 10)],
)
def test_a_source_keyframe_is_a_cut_from_250_ms_before_the_segment_length_on(gop: float, segments_of: float) -> None:
    plan = steady(Fraction(20), 25, [gop]).plan("passthrough")
    cuts = Segments(Rules(plan), Position.initial())
    found = []
    keyframe_every = round(gop * 20)
    for i in range(20 * 25):
        if cuts.cut(4500 * i, i % keyframe_every == 0, 4500 * (i + 1)):
            found.append(i / 20)
    assert found[:2] == pytest.approx([segments_of, 2 * segments_of])


def test_the_first_keyframe_after_a_forced_cut_is_a_cut_however_near() -> None:
    plan = steady(Fraction(20), 25, [2]).plan("passthrough")
    cuts = Segments(Rules(plan), Position.initial())
    keyframes = {0, 40, 91, 131}
    found = [(i, cuts.opened) for i in range(200) if cuts.cut(4500 * i, i in keyframes, 4500 * (i + 1))]
    # 40 + 49 pictures round to 2 s, 50 would not; then the keyframe two pictures later.
    assert found[:4] == [(40, True), (89, False), (91, True), (131, True)]


def test_a_segment_may_round_down_to_the_target_duration_but_not_up_past_it() -> None:
    plan = steady(Fraction(20), 25, [2]).plan("passthrough")
    assert plan.target_duration_s == 2
    for following, cut in ((2 * TICKS + TICKS // 2 - 1, False), (2 * TICKS + TICKS // 2, True)):
        cuts = Segments(Rules(plan), Position.initial())
        cuts.cut(0, True, 4500)
        assert cuts.cut(2 * TICKS, False, following) is cut


def test_a_position_s_own_tick_is_never_cut_again() -> None:
    plan = steady(Fraction(20), 25, [2]).plan("passthrough")
    cuts = Segments(Rules(plan), Position(3, 4, 900_000, 600_000, opened=True))
    assert not cuts.cut(900_000, True, 904_500)
    assert cuts.cut(904_500, True, 909_000)


@pytest.mark.parametrize("rate", [Fraction(1, 2), Fraction(1), Fraction(13, 10), Fraction(5, 2), Fraction(27, 10)])
@pytest.mark.parametrize("profile", ["auto", "passthrough", "source+auto"])
def test_a_source_of_few_frames_is_playable(rate: Fraction, profile: str) -> None:
    pattern = steady(rate, 20, [2], reorder=0)
    plan = pattern.plan(profile)
    if plan.encoded:
        assert_playable(plan, spans(encoded(plan, pattern)), pattern.end)
    if plan.passthrough:
        assert_playable(plan, passed(plan, pattern), pattern.end)
