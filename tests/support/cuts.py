"""Drives the segmenter's cutters over a source, and holds what they say against the rules of HLS.

Law: no rule of the segmenter is repeated here, only what must be true of its result.
"""

from collections.abc import Iterable, Sequence

from headrace.core.broadcast import Plan
from headrace.core.hls.durations import extinf, round_half_up_seconds
from headrace.core.hls.segmenter import (
    AudioCutter,
    AudioPart,
    EncodedCutter,
    GapPart,
    PartClosed,
    PassthroughCutter,
    PassthroughPart,
    Planned,
    Position,
    Span,
    first_unit,
)
from tests.support.media_patterns import Pattern

START = Position.initial()


def encoded(plan: Plan, pattern: Pattern, position: Position = START) -> list[Planned | PartClosed]:
    """All that an encoded cutter says about a source."""
    cutter = EncodedCutter(plan, position)
    said = [item for shot in pattern.shown for item in cutter.push(shot.pts, shot.keyframe)]
    return said + cutter.finish(pattern.end)


def passed(plan: Plan, pattern: Pattern, position: Position = START) -> list[PassthroughPart | GapPart]:
    """All that a passthrough cutter says about a source."""
    assert plan.passthrough is not None
    cutter = PassthroughCutter(plan, plan.passthrough, position)
    said = [item for shot in pattern.shots for item in cutter.push(*shot)]
    return said + cutter.finish(pattern.end)


def heard(plan: Plan, spans: Sequence[Span], position: Position = START) -> list[AudioPart | GapPart]:
    """The audio parts that follow `spans`, all access units being there in time."""
    assert plan.audio is not None
    cutter = AudioCutter(plan.audio, position)
    size = plan.audio.frame_samples
    said: list[AudioPart | GapPart] = []
    k = max(0, first_unit(plan.audio, position.start) - 5)
    for span in spans:
        said += cutter.follow(span)
        while k < first_unit(plan.audio, span.end):
            said += cutter.push(plan.audio.grid + k * size, size)
            k += 1
    return said + cutter.finish()


def spans(said: Iterable[object]) -> list[Span]:
    """The parts among what a cutter said."""
    return [item for item in said if isinstance(item, Span)]


def segments(parts: Iterable[Span]) -> list[tuple[int, int, int, bool]]:
    """(msn, start, end, opened) of each segment."""
    return [(part.msn, part.segment_start, part.end, part.opened) for part in parts if part.segment_end]


def assert_playable(plan: Plan, parts: Sequence[Span], end: int, position: Position = START) -> None:
    """What RFC 8216bis asks of a rendition with these parts, and that none is missing, empty or out of place."""
    target = plan.part_target_ms * 90
    expected = position
    printed = 0
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        assert (part.msn, part.part, part.start) == (expected.msn, expected.part, expected.start)
        assert part.segment_start == expected.segment_start
        duration = part.end - part.start
        assert 0 < duration <= target, part
        excused = part.segment_end or isinstance(part, GapPart | AudioPart) or isinstance(following, GapPart)
        assert excused or 100 * duration >= 85 * target, part
        if part.segment_end:
            assert round_half_up_seconds(part.end - part.segment_start) <= plan.target_duration_s, part
            printed += _units(part.segment_start, part.end)
        expected = part.after
    assert parts[-1].segment_end
    assert parts[-1].end == end
    assert printed == _units(position.segment_start, end)


def _units(start: int, end: int) -> int:
    """A printed duration in units of its last decimal."""
    return int(extinf(start, end).replace(".", ""))
