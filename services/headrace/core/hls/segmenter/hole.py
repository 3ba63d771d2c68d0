"""A hole in a run: the gaps that bring every rung to one boundary, where media goes on.

Law: a pure function of the plan, the rungs' positions and the boundary. Rungs that begin in the same segment end it at
the same tick; those behind are taken through the segments that the others have; every segment keeps to TARGETDURATION
and every gap to P. Neighbours: `segments` cuts where there is media; the transcoder stages these before it starts.
"""

from collections.abc import Mapping
from itertools import pairwise

from headrace.core.broadcast import Gap, Plan
from headrace.core.errors import HeadraceError
from headrace.core.hls.segmenter.fill import fill_times
from headrace.core.hls.segmenter.position import Position
from headrace.core.hls.segmenter.rules import SLACK, Rules

MSN_PER_SEGMENT = 4  # no run makes segments four times as short as its plan's


class CannotFill(HeadraceError):
    """The boundary is not behind the rungs' positions, or nobody knows how segments between them were cut."""

    code = "cannot_fill"


def msn_above(plan: Plan, tick: int) -> int:
    """A media sequence number above all that a run can have used before `tick`: for a log that knows of none."""
    return -(-MSN_PER_SEGMENT * tick // plan.segment)


def missing(plan: Plan, rung: str, at: Position, end: int) -> list[Gap]:
    """The rest of the segment at `at`, which ends at tick `end`, as gaps. Raises CannotFill."""
    if end <= at.start:
        raise CannotFill(f"{rung} has reached tick {at.start}, no gap can end at {end}")
    ticks = [at.start, *fill_times(at.start, end, plan.part), end]
    return [
        Gap(rung, at.msn, part, start, until, at.segment_start, at.opened, segment_end=until == end)
        for part, (start, until) in enumerate(pairwise(ticks), at.part)
    ]


def fill_hole(
    plan: Plan, positions: Mapping[str, Position], starts: Mapping[int, int], until: int
) -> tuple[list[Gap], Position]:
    """The gaps from each rung's position to tick `until`, and where all rungs go on then.

    `positions`: of one rung at least; a rung without one begins in the oldest segment that another has open. `starts`:
    where segments start, by MSN, of all that some rung has begun and another has not. Raises CannotFill, also where a
    rung is at `until` and not at a segment's start.
    """
    furthest = max(positions.values(), key=lambda at: (at.start, at.msn))
    oldest = min(positions.values(), key=lambda at: at.msn)
    late = Position(oldest.msn, 0, oldest.segment_start, oldest.segment_start, opened=False)
    known = {**starts, **{at.msn: at.segment_start for at in positions.values()}}
    if not all(msn in known for msn in range(oldest.msn, furthest.msn + 1)):
        raise CannotFill(f"where segments {oldest.msn} to {furthest.msn} start is not known")
    ends = {msn: known[msn + 1] for msn in range(oldest.msn, furthest.msn)}
    for msn, end in enumerate(_new_ends(Rules(plan), furthest, until), furthest.msn):
        ends[msn] = end
    after = Position(max(ends, default=oldest.msn - 1) + 1, 0, until, until, opened=True)
    gaps: list[Gap] = []
    for msn, end in sorted(ends.items()):
        for rung in plan.rung_names:
            at = positions.get(rung, late)
            if at.msn < msn:
                at = Position(msn, 0, ends[msn - 1], ends[msn - 1], opened=False)
            if at.msn == msn:
                # Nothing of it was published, so no keyframe has opened it.
                gaps += missing(plan, rung, _unopened(at), end)
    return gaps, after


def _unopened(at: Position) -> Position:
    return at if at.part else Position(at.msn, 0, at.start, at.start, opened=False)


def _new_ends(rules: Rules, at: Position, until: int) -> list[int]:
    """Where the segment at `at` and those after it end, the last one at `until`."""
    start, reached = at.segment_start, at.start
    if start == until:
        return []
    ends = []
    while (end := _wanted(rules, start, reached)) + SLACK < until or until - start >= rules.segment_limit:
        end = min(end, start + rules.segment_limit - 1)
        ends.append(end)
        start = reached = end
    return [*ends, until]


def _wanted(rules: Rules, start: int, reached: int) -> int:
    """Where a segment that starts at `start` and has come to `reached` should end."""
    end = ((start + SLACK) // rules.segment + 1) * rules.segment if rules.grid else start + rules.segment
    return end if end > reached else reached + rules.part
