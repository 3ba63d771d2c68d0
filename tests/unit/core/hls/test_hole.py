"""Gaps from wherever the rungs were left to the boundary where media goes on: playable, and equal in all rungs."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.broadcast import AudioSource, Cut, Gap, Plan
from headrace.core.hls.durations import round_half_up_seconds
from headrace.core.hls.segmenter import Position, Span
from headrace.core.hls.segmenter.hole import CannotFill, fill_hole, msn_above
from headrace.core.media import TICKS_PER_MS, TICKS_PER_S
from tests.support.broadcasts import PLAN
from tests.support.cuts import encoded, heard, passed, spans
from tests.support.media_patterns import Pattern, patterns

AUDIO = AudioSource("mp4a", b"", 44_100, 2, 1024)
PROFILES = ["auto", "passthrough", "source+auto"]


def runs_of(plan: Plan, pattern: Pattern) -> dict[str, list[Span]]:
    """Every rung's parts, as the cutters make them."""
    runs: dict[str, list[Span]] = {}
    if plan.encoded:
        leading = spans(encoded(plan, pattern))
        runs |= {rung.name: leading for rung in plan.encoded}
    if plan.passthrough:
        runs[plan.passthrough.name] = [*passed(plan, pattern)]
    if plan.audio:
        leading = runs[plan.video[-1].name]
        runs[plan.audio.name] = [*heard(plan, leading)]
    return runs


def check(plan: Plan, positions: Mapping[str, Position], gaps: list[Gap], after: Position, until: int) -> None:
    """Each rung goes on from its position without a seam and ends where all do; no segment is cut in two ways."""
    assert (after.part, after.start, after.segment_start) == (0, until, until)
    cuts: dict[int, set[int]] = {}
    for rung, position in positions.items():
        at = position
        for gap in (gap for gap in gaps if gap.rung == rung):
            assert (gap.msn, gap.part, gap.start, gap.segment_start) == (at.msn, at.part, at.start, at.segment_start)
            assert 0 < gap.duration <= min(plan.part_target_ms * TICKS_PER_MS, plan.part)
            assert gap.encoder == ""
            if gap.part:
                assert gap.opened == at.opened
            if gap.segment_end:
                assert round_half_up_seconds(gap.end - gap.segment_start) <= plan.target_duration_s
                cuts.setdefault(gap.msn, set()).add(gap.end)
                at = Position(gap.msn + 1, 0, gap.end, gap.end, opened=True)
            else:
                at = Position(gap.msn, gap.part + 1, gap.end, gap.segment_start, gap.opened)
        assert (at.msn, at.part, at.start) == (after.msn, 0, until), rung
    assert all(len(ends) == 1 for ends in cuts.values())
    if plan.cut is Cut.GRID:
        furthest = max(positions.values(), key=lambda at: at.start)
        new = [end for msn, (end,) in cuts.items() if msn >= furthest.msn and end != until]
        late = furthest.segment_start + plan.segment <= furthest.start
        assert all(end % plan.segment == 0 for end in (new[1:] if late else new))


@given(
    pattern=patterns(),
    profile=st.sampled_from(PROFILES),
    part=st.integers(0, 200),
    lags=st.lists(st.integers(0, 9), min_size=8, max_size=8),
    hole=st.integers(1, 20 * TICKS_PER_S),
)
def test_every_rung_of_a_run_that_was_cut_off_anywhere_reaches_the_boundary_alike(
    pattern: Pattern, profile: str, part: int, lags: list[int], hole: int
) -> None:
    plan = pattern.plan(profile, AUDIO)
    runs = runs_of(plan, pattern)
    positions = {
        rung: cut[max(0, min(part, len(cut) - 1) - lag)].after
        for (rung, cut), lag in zip(runs.items(), lags, strict=False)
    }
    until = max(at.start for at in positions.values()) + hole
    starts = {span.msn: span.segment_start for cut in runs.values() for span in cut}
    gaps, after = fill_hole(plan, positions, starts, until)
    check(plan, positions, gaps, after, until)
    known = {(span.msn, span.end) for cut in runs.values() for span in cut if span.segment_end}
    newest = max(at.msn for at in positions.values())
    ends = {(gap.msn, gap.end) for gap in gaps if gap.segment_end and gap.msn < newest}
    assert ends <= known, "the others are cut like what one rung has published"


def test_a_hole_within_a_segment_of_the_grid_is_cut_on_the_grid() -> None:
    positions = {
        "720p": Position(2, 2, 420_000, 360_000, opened=True),
        "360p": Position(2, 1, 390_000, 360_000, opened=True),
        "audio": Position(1, 5, 330_000, 180_000, opened=True),
    }
    gaps, after = fill_hole(PLAN, positions, {}, 930_000)
    assert after == Position(6, 0, 930_000, 930_000, opened=True)
    ends = {(gap.rung, gap.msn): gap.end for gap in gaps if gap.segment_end}
    for rung in PLAN.rung_names:
        assert [ends[rung, msn] for msn in (2, 3, 4, 5)] == [540_000, 720_000, 900_000, 930_000]
    assert ends["audio", 1] == 360_000
    check(PLAN, positions, gaps, after, 930_000)


def test_rungs_that_all_end_where_media_goes_on_need_no_gap() -> None:
    at = Position(3, 0, 540_000, 540_000, opened=True)
    gaps, after = fill_hole(PLAN, dict.fromkeys(PLAN.rung_names, at), {}, 540_000)
    assert (gaps, after) == ([], at)


def test_a_rung_without_a_part_begins_with_the_oldest_segment_that_another_has_open() -> None:
    at = Position(3, 2, 600_000, 540_000, opened=True)
    gaps, after = fill_hole(PLAN, {"720p": at}, {}, 700_000)
    first = next(gap for gap in gaps if gap.rung == "audio")
    assert (first.msn, first.part, first.start) == (3, 0, 540_000)
    assert after.msn == 4


@pytest.mark.parametrize("until_s", [10.45, 10.49999, 10.5, 10.6, 14.2])
def test_a_long_segment_ends_before_it_breaks_the_target_duration(until_s: float) -> None:
    plan = replace(PLAN, cut=Cut.KEYFRAMES, target_duration_s=10)
    begun = round(10.4 * TICKS_PER_S)
    positions = dict.fromkeys(plan.rung_names, Position(4, 30, 90_000 + begun, 90_000, opened=True))
    until = 90_000 + round(until_s * TICKS_PER_S)
    check(plan, positions, *fill_hole(plan, positions, {}, until), until)


@pytest.mark.parametrize("until", [599_999, 600_000])
def test_a_boundary_that_a_rung_has_reached_amid_a_segment_cannot_end_it(until: int) -> None:
    at = Position(3, 2, 600_000, 540_000, opened=True)
    with pytest.raises(CannotFill):
        fill_hole(PLAN, dict.fromkeys(PLAN.rung_names, at), {}, until)


def test_segments_of_which_nobody_knows_the_cuts_are_not_guessed() -> None:
    positions = {
        "720p": Position(4, 0, 720_000, 720_000, opened=True),
        "360p": Position(1, 2, 240_000, 180_000, opened=True),
    }
    with pytest.raises(CannotFill, match="not known"):
        fill_hole(PLAN, positions, {2: 360_000}, 900_000)
    gaps, _ = fill_hole(PLAN, positions, {2: 360_000, 3: 540_000}, 900_000)
    assert [gap.end for gap in gaps if gap.rung == "360p" and gap.segment_end] == [360_000, 540_000, 720_000, 900_000]


@given(st.integers(0, 10**10))
def test_the_number_in_a_log_that_knows_of_none_is_above_all_that_a_run_uses(tick: int) -> None:
    assert msn_above(PLAN, tick) * PLAN.segment >= 4 * tick
