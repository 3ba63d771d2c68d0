"""Packaging: coded samples and the places of parts in, CMAF parts out.

Law: time in the file is time on the timeline + 10 s, so that nothing is negative, and the encoder's own DTS is never
used. In a part that ends with a P frame the i-th sample in decode order is decoded at the i-th smallest pts less the
plan's delta. Source: docs on media time, §1 and §4. Neighbours: `rung`, `audio` and `passthrough` bring the samples.
"""

from collections import deque
from hashlib import sha256

from headrace.core.broadcast import Gap, Part, VideoRung
from headrace.core.cmaf import Sample, fragment
from headrace.core.errors import HeadraceError
from headrace.core.hls.segmenter import GapPart, PartClosed, Span, decode_times
from headrace.core.media import TICKS_PER_S
from headrace.transcoder.pipe import Made
from headrace.transcoder.worker.encode import Coded

MEDIA_ORIGIN_S = 10
"""Media time at timeline 0."""


class UncleanPart(HeadraceError):
    """The encoder gave a picture of one part amid those of another: its bytes cannot be cut there."""

    code = "unclean_part"


def sequence(msn: int, part: int) -> int:
    """The number of a fragment: it grows along the rendition and needs no memory of what was made before."""
    return ((msn << 8) + min(part, 255)) % 0xFFFFFFFF + 1


def made(rung: str, span: Span, independent: bool, encoder: str, data: bytes) -> Made:
    """A part as it goes up."""
    part = Part(
        rung=rung, msn=span.msn, part=span.part, start=span.start, end=span.end, segment_start=span.segment_start,
        opened=span.opened, independent=independent, size=len(data), digest=sha256(data).hexdigest()[:16],
        encoder=encoder, segment_end=span.segment_end,
    )  # fmt: skip
    return Made(part, data)


def gap(rung: str, part: GapPart, encoder: str) -> Gap:
    """A part that nobody can fetch, as it goes up: of `encoder`, if its time is filled."""
    return Gap(
        rung, part.msn, part.part, part.start, part.end, part.segment_start, part.opened, part.segment_end,
        encoder=encoder if part.filled else "",
    )  # fmt: skip


class VideoPackager:
    """The parts of one encoded rung. `encoder` is the random id of its encoder instance."""

    def __init__(self, rung: VideoRung, encoder: str) -> None:
        self._rung = rung
        self._encoder = encoder
        self._closed: deque[PartClosed] = deque()
        self._coded: deque[Coded] = deque()

    def close(self, part: PartClosed) -> list[Made]:
        """These pictures are a part; the parts that are whole now."""
        self._closed.append(part)
        return self._whole()

    def add(self, coded: list[Coded]) -> list[Made]:
        """Samples in decode order; the parts that are whole now. Raises UncleanPart."""
        self._coded += coded
        return self._whole()

    def _whole(self) -> list[Made]:
        parts = []
        while self._closed:
            shown = self._closed[0].pictures[:: self._rung.stride]
            if len(self._coded) < len(shown):
                break
            samples = [self._coded.popleft() for _ in shown]
            parts.append(self._made(self._closed.popleft(), shown, samples))
        return parts

    def _made(self, part: PartClosed, shown: tuple[int, ...], coded: list[Coded]) -> Made:
        if sorted(one.pts for one in coded) != list(shown):
            raise UncleanPart(f"rung {self._rung.name}, part {part.msn}.{part.part}: {[c.pts for c in coded]}")
        times = decode_times(shown, part.end, self._rung.delta)
        samples = [
            Sample(one.data, duration, one.pts - dts, one.idr)
            for one, (dts, duration) in zip(coded, times, strict=True)
        ]
        base = times[0][0] + MEDIA_ORIGIN_S * TICKS_PER_S
        data = fragment(sequence(part.msn, part.part), base, samples)
        return made(self._rung.name, part, coded[0].idr, self._encoder, data)
