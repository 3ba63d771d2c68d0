"""Runs as the real cutters make them: their parts as log entries, in the order of the timeline.

Law: places, boundaries, gaps and keyframes are the cutters'; sizes and digests are made up.
"""

from collections.abc import Collection, Sequence
from operator import attrgetter

from headrace.core.broadcast import Entry, Gap, Part, Plan
from headrace.core.hls.segmenter import AudioPart, GapPart, PassthroughPart, Planned, Span
from tests.support.cuts import encoded, heard, passed, spans
from tests.support.media_patterns import Pattern
from tests.support.runs import ENCODER, start_of


def cut_run(plan: Plan, pattern: Pattern) -> list[Entry]:
    """Everything that a run of `pattern` publishes, up to its end."""
    entries: list[Part | Gap] = []
    leading: Sequence[Span] = ()
    if plan.passthrough:
        leading = passed(plan, pattern)
        entries += entries_of("source", leading)
    if plan.encoded:
        said = encoded(plan, pattern)
        leading = spans(said)
        idrs = {(picture.msn, picture.part) for picture in said if isinstance(picture, Planned) and picture.idr}
        for rung in plan.encoded:
            entries += entries_of(rung.name, leading, idrs)
    if plan.audio:
        entries += entries_of("audio", heard(plan, leading))
    return [*start_of(plan), *sorted(entries, key=attrgetter("end"))]


def entries_of(rung: str, parts: Sequence[Span], idrs: Collection[tuple[int, int]] = ()) -> list[Part | Gap]:
    """The entries of one rung's parts; encoded ones with an IDR are in `idrs`."""
    return [_entry(rung, part, idrs) for part in parts]


def _entry(rung: str, span: Span, idrs: Collection[tuple[int, int]]) -> Part | Gap:
    place = (rung, span.msn, span.part, span.start, span.end, span.segment_start, span.opened)
    match span:
        case GapPart():
            return Gap(*place, span.segment_end, encoder=ENCODER if span.filled else "")
        case PassthroughPart():
            independent = span.independent
        case AudioPart():
            independent = True
        case _:
            independent = (span.msn, span.part) in idrs
    return Part(*place, independent, 1000, "0" * 16, ENCODER, span.segment_end)
