"""The entries of a run's log: the whole truth about what is published.

Law: an origin makes playlists from these alone and never parses media. Times are ticks on the run's timeline.
Neighbours: `wire.log` gives them bytes, `livelog` keeps them, `hls.playlist` folds them.
"""

from dataclasses import dataclass
from fractions import Fraction

from headrace.core.broadcast.plan import Plan


@dataclass(frozen=True, slots=True)
class RunStart:
    """The run's first entry. `anchor_ms` is the Unix time in milliseconds at timeline 0.

    `traceparent` (W3C's) names the span in which the run was taken; "" where it is not traced.
    """

    plan: Plan
    anchor_ms: int
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Init:
    """A rung's initialization section from here on. `codecs` is its RFC 6381 string, `frame_rate` 0 for audio."""

    rung: str
    codecs: str
    data: bytes
    width: int = 0
    height: int = 0
    frame_rate: Fraction = Fraction(0)
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of one rung, at (`msn`, `part`).

    `start` and `segment_start` are the nominal boundaries at which the part and its segment start, `end` the one at
    which the part ends; its listed duration is their difference. `opened`: the segment opened on a source keyframe.
    `size` in bytes, `digest` the first 16 hex digits of their SHA-256, `encoder` the random id of the encoder
    instance. `segment_end`: the last part of its segment. `discontinuity` counts the run's discontinuities so far.
    """

    rung: str
    msn: int
    part: int
    start: int
    end: int
    segment_start: int
    opened: bool
    independent: bool
    size: int
    digest: str
    encoder: str
    segment_end: bool = False
    discontinuity: int = 0

    @property
    def duration(self) -> int:
        """Listed duration, ticks."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Gap:
    """A part that nobody can fetch: it holds its place in time. Fields as in `Part`.

    `encoder` is '' where media is missing, so that only an independent part may follow; else that of the encoder whose
    media goes on after it (a list that says less than its samples last).
    """

    rung: str
    msn: int
    part: int
    start: int
    end: int
    segment_start: int
    opened: bool
    segment_end: bool = False
    discontinuity: int = 0
    encoder: str = ""

    @property
    def duration(self) -> int:
        """Listed duration, ticks."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Hold:
    """The source stopped at `at` (ticks)."""

    at: int


@dataclass(frozen=True, slots=True)
class End:
    """The run is over: ENDLIST in every rendition. `at` in ticks."""

    at: int


Entry = RunStart | Init | Part | Gap | Hold | End
