"""Audio parts: they follow the parts of the leading video rung.

Law: an access unit belongs to the part in whose span its first sample lies; which grid unit opens a part is computed
from the nominal boundary alone. Parts are those of the leading rung, number for number, however short: each is
independent, for which no least duration holds (RFC 8216bis §4.4.4.9). But a segment's last part that would hold no unit
is not made: the one before it ends the segment. What is missing is a gap, and so is a span that the unit before it
outlasts, but there nothing is missing. Neighbours: `encoded` or `passthrough` leads, the worker packages the units.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

from headrace.core.broadcast import AudioRung
from headrace.core.hls.segmenter.position import GapPart, Position, Span
from headrace.core.hls.segmenter.rules import LATEST
from headrace.core.media import TICKS_PER_S


class AudioUnit(NamedTuple):
    """An access unit: the timeline's count of its first sample, and its duration in samples, which reaches the next."""

    sample: int
    samples: int


@dataclass(frozen=True, slots=True)
class AudioPart(Span):
    """A part and its access units in order; at least one."""

    units: tuple[AudioUnit, ...]


def first_unit(rung: AudioRung, boundary: int) -> int:
    """The grid index k of the first access unit at or after `boundary` (ticks)."""
    return -((rung.grid * TICKS_PER_S - boundary * rung.sample_rate) // (TICKS_PER_S * rung.frame_samples))


class AudioCutter:
    """Sorts access units into the spans of the leading rung.

    `follow` all parts that the leading rung closes at once, then tell, after every picture, how far it has `reached`
    (both cutters know), and `push` every unit that there is, in order. A part is emitted when its units are there and
    it is decided whether it ends its segment: told less often, parts would come a part late.
    """

    def __init__(self, rung: AudioRung, position: Position) -> None:
        self.dropped = 0
        """Units that came after their part had gone, or out of order."""
        self._rung = rung
        self._position = position
        self._spans: deque[Span] = deque()
        self._units: deque[AudioUnit] = deque()
        self._reached = position.start
        self._heard = self._sample_at(position.start)  # every unit before this sample has come, or never will
        self._sounds_until = 0  # where the newest unit ends that lies before the oldest span
        self._begun = False

    def follow(self, span: Span) -> list[AudioPart | GapPart]:
        """The leading rung's next part; returns what is decided now."""
        if (span.msn, span.part) < (self._position.msn, self._position.part):
            return []
        span = Span(*span.place)
        if span.segment_end and span.part and self._spans and not self._holds(span.start, span.end):
            span = replace(self._spans.pop(), end=span.end, segment_end=True)
        self._spans.append(span)
        return self._settle()

    def reach(self, tick: int) -> list[AudioPart | GapPart]:
        """The leading rung's open part is known to end after `tick` (its cutter's `reached`)."""
        self._reached = tick
        return self._settle()

    def takes(self, sample: int) -> bool:
        """Whether a unit at `sample` has a place: else it came after its part had gone, or out of order."""
        return sample >= self._heard

    def push(self, sample: int, samples: int) -> list[AudioPart | GapPart]:
        """There is an access unit of `samples` from `sample` on, in the rung's own samples since timeline 0."""
        if not self.takes(sample):
            if self._begun:
                self.dropped += 1
            else:
                self._sounds_until = sample + samples
            return []
        self._units.append(AudioUnit(sample, samples))
        self._heard = sample + samples
        return self._settle()

    def finish(self) -> list[AudioPart | GapPart]:
        """No more spans and no more units: what is missing now is missing."""
        return [self._emit() for _ in range(len(self._spans))]

    def _settle(self) -> list[AudioPart | GapPart]:
        out = []
        while self._spans and self._decided() and (self._complete() or self._late()):
            out.append(self._emit())
        return out

    def _decided(self) -> bool:
        """Whether the oldest span surely does or does not end its segment."""
        oldest = self._spans[0]
        return oldest.segment_end or len(self._spans) > 1 or self._holds(oldest.end, self._reached + 1)

    def _complete(self) -> bool:
        return self._heard >= self._sample_at(self._spans[0].end)

    def _late(self) -> bool:
        return self._spans[-1].end - self._spans[0].end > LATEST

    def _holds(self, start: int, end: int) -> bool:
        """Whether a unit of the grid starts between two boundaries."""
        return first_unit(self._rung, start) < first_unit(self._rung, end)

    def _sample_at(self, boundary: int) -> int:
        """The first sample that does not lie before `boundary`."""
        return -(-boundary * self._rung.sample_rate // TICKS_PER_S)

    def _emit(self) -> AudioPart | GapPart:
        span = self._spans.popleft()
        limit = self._sample_at(span.end)
        self._begun = True
        self._heard = max(self._heard, limit)
        units: list[AudioUnit] = []
        while self._units and self._units[0].sample < limit:
            unit = self._units.popleft()
            if units:
                units[-1] = AudioUnit(units[-1].sample, unit.sample - units[-1].sample)
            units.append(unit)
        if not units:
            return GapPart(*span.place, filled=self._sounds_until >= limit)
        self._sounds_until = units[-1].sample + units[-1].samples
        return AudioPart(*span.place, tuple(units))
