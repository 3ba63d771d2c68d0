"""A session that goes on with a run: what its transcoder puts into the log before any media, and where media starts.

Law: a session that starts beyond what is logged starts a segment, the same in all rungs, behind gaps; one that starts
within it goes on like another attempt, from each rung's own position. Neighbours: `supervisor` starts the worker there.
"""

from headrace.core.broadcast import Refused
from headrace.core.broadcast.refusals import Reason
from headrace.core.hls.segmenter.hole import CannotFill, fill_hole, msn_above
from headrace.core.media import TICKS_PER_S
from headrace.livelog.base import Append, RungPosition, Taken
from headrace.transcoder.writer import Writer
from headrace.wire.media import Open

LONGEST_HOLE = 60 * TICKS_PER_S  # control lets nobody return after as long


async def go_on(writer: Writer, opened: Open, taken: Taken) -> dict[str, RungPosition]:
    """Where each rung's media goes on, once the hole before it is in the log. Raises Refused or LogError."""
    plan, at = opened.plan, opened.starts_at
    places = writer.shown.places
    if opened.session == 1 or at == 0:
        return taken.rungs
    if not places:
        # The run was in this log once, or in another: above anything that it can have used there.
        start = RungPosition(msn_above(plan, at), 0, at, at, opened=True, encoder="")
        return dict.fromkeys(plan.rung_names, start)
    if at <= writer.furthest and not all(place.start == at and not place.part for place in places.values()):
        return taken.rungs
    if at - min(place.start for place in places.values()) > LONGEST_HOLE:
        raise Refused(Reason.BAD_SOURCE, f"the broadcast stopped more than {LONGEST_HOLE // TICKS_PER_S} s before")
    starts = {msn: start for msn, (start, _) in writer.shown.starts.items()}
    try:
        gaps, after = fill_hole(plan, places, starts, at)
    except CannotFill as error:
        raise Refused(Reason.UNAVAILABLE, str(error)) from error
    if gaps:
        await writer.append([Append(gap) for gap in gaps])
    start = RungPosition(after.msn, 0, at, at, opened=True, encoder="")
    return dict.fromkeys(plan.rung_names, start)
