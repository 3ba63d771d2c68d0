"""A run in virtual time: what every cutter of a plan says, and when.

Law: a sample arrives delta after its DTS, a picture is decoded delta after it is shown, an access unit arrives when it
ends; cutters are fed and followed as a worker does it, and take no time themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import NamedTuple

from headrace.core.broadcast import Plan
from headrace.core.hls.segmenter import (
    AudioCutter,
    AudioPart,
    EncodedCutter,
    GapPart,
    PartClosed,
    PassthroughCutter,
    PassthroughPart,
    Position,
    Span,
)
from tests.support.media_patterns import TICKS, Pattern, Shot

START = Position.initial()
CutPart = PartClosed | PassthroughPart | AudioPart | GapPart


@dataclass(frozen=True)
class Decided:
    """A part of a rung and the tick at which it was decided; all encoded rungs are told at once."""

    at: int
    rung: str
    part: CutPart


class _Arrival(NamedTuple):
    at: int
    kind: str
    shot: Shot
    sample: int


def decided(plan: Plan, pattern: Pattern) -> list[Decided]:
    """All parts of all rungs in the order of their decisions, while the source has not ended."""
    return list(_Line(plan).run(pattern))


class _Line:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._encoded = EncodedCutter(plan, START) if plan.encoded else None
        self._passed = PassthroughCutter(plan, plan.passthrough, START) if plan.passthrough else None
        self._audio = AudioCutter(plan.audio, START) if plan.audio else None

    def run(self, pattern: Pattern) -> Iterator[Decided]:
        units = self._units(pattern.end) if self._audio else iter(())
        delta = pattern.delta
        coded = (_Arrival(shot.dts + delta, "coded", shot, 0) for shot in pattern.shots)
        shown = (_Arrival(shot.pts + delta, "shown", shot, 0) for shot in pattern.shown)
        for arrival in merge(coded, shown, units):
            yield from self._take(arrival)

    def _units(self, end: int) -> Iterator[_Arrival]:
        assert self._plan.audio is not None
        rung, sample = self._plan.audio, self._plan.audio.grid
        while sample * TICKS < end * rung.sample_rate:
            whole = (sample + rung.frame_samples) * TICKS // rung.sample_rate
            yield _Arrival(whole, "unit", Shot(0, 0, False), sample)
            sample += rung.frame_samples

    def _take(self, arrival: _Arrival) -> Iterator[Decided]:
        at, shot = arrival.at, arrival.shot
        match arrival.kind:
            case "coded" if self._passed:
                said = self._passed.push(*shot)
                yield from (Decided(at, "source", part) for part in said)
                if not self._encoded:
                    yield from self._followed(at, said, self._passed.reached)
            case "shown" if self._encoded:
                closed = [one for one in self._encoded.push(shot.pts, shot.keyframe) if isinstance(one, PartClosed)]
                yield from (Decided(at, rung.name, part) for part in closed for rung in self._plan.encoded)
                yield from self._followed(at, closed, self._encoded.reached)
            case "unit" if self._audio and self._plan.audio:
                said_of_sound = self._audio.push(arrival.sample, self._plan.audio.frame_samples)
                yield from (Decided(at, "audio", part) for part in said_of_sound)

    def _followed(
        self, at: int, spans: "list[PartClosed] | list[PassthroughPart | GapPart]", reached: int
    ) -> Iterator[Decided]:
        if self._audio is None:
            return
        said: list[AudioPart | GapPart] = []
        for span in spans:
            said += self._audio.follow(Span(*span.place))
        said += self._audio.reach(reached)
        yield from (Decided(at, "audio", part) for part in said)
