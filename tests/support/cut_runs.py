"""Runs as the real cutters make them: their parts as log entries, in the order of the timeline.

Law: places, boundaries, gaps and keyframes are the cutters'; sizes and digests are made up.
"""

from collections.abc import Sequence
from operator import attrgetter

from headrace.core.broadcast import Entry, Gap, Part, Plan
from headrace.core.hls.segmenter import AudioPart, GapPart, PartClosed, PassthroughPart, Span
from tests.support.cuts import encoded, heard, passed, spans
from tests.support.media_patterns import Pattern
from tests.support.runs import ENCODER, start_of

CutPart = PartClosed | PassthroughPart | AudioPart | GapPart


def cut_run(plan: Plan, pattern: Pattern) -> list[Entry]:
    """Everything that a run of `pattern` publishes, up to its end."""
    entries: list[Part | Gap] = []
    leading: Sequence[Span] = ()
    if plan.passthrough:
        leading = passed(plan, pattern)
        entries += entries_of("source", leading)
    if plan.encoded:
        leading = spans(encoded(plan, pattern))
        for rung in plan.encoded:
            entries += entries_of(rung.name, leading)
    if plan.audio:
        entries += entries_of("audio", heard(plan, leading))
    return [*start_of(plan), *sorted(entries, key=attrgetter("end"))]


def entries_of(rung: str, parts: Sequence[Span]) -> list[Part | Gap]:
    """The entries of one rung's parts."""
    return [_entry(rung, part) for part in parts]


def _entry(rung: str, span: Span) -> Part | Gap:
    place = (rung, span.msn, span.part, span.start, span.end, span.segment_start, span.opened)
    match span:
        case GapPart():
            return Gap(*place, span.segment_end, encoder=ENCODER if span.filled else "")
        case PassthroughPart():
            independent = span.independent
        case AudioPart():
            independent = True
        case _:
            independent = span.part == 0  # where encoders make an IDR
    return Part(*place, independent, 1000, "0" * 16, ENCODER, span.segment_end)
