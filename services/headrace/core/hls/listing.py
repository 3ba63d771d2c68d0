"""What a playlist lists: parts, segments, init sections, and the media playlist that holds them.

Law: immutable values, and names that are functions of content: no URL ever has two bodies. Times are ticks.
Neighbours: `playlist` makes these from log entries, `render` and `multivariant` print them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_INIT_DIGITS = 8
_SEGMENT_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A part within its segment. `size` in bytes; `encoder` names its bytes.

    A `gap` has no bytes. It is `missing` where media was lost; else the part before it, which lasts longer than it is
    listed, fills its time.
    """

    start: int
    end: int
    independent: bool
    size: int
    encoder: str
    gap: bool

    @property
    def missing(self) -> bool:
        """Whether there is nothing to play here."""
        return self.gap and not self.encoder


@dataclass(frozen=True, slots=True)
class InitSection:
    """A rung's initialization section. `name` is its file's; `codecs` an RFC 6381 string; sizes in pixels."""

    name: str
    data: bytes
    codecs: str
    width: int
    height: int
    frame_rate: Fraction
    channels: int


def init_name(data: bytes) -> str:
    """The file name of an init section: its hash, so that equal sections are one resource."""
    return f"init-{hashlib.sha256(data).hexdigest()[:_INIT_DIGITS]}.mp4"


@dataclass(frozen=True, slots=True)
class Segment:
    """A whole segment. `pieces` in order; `id` is the chained id of the log entry that ended it.

    `discontinuity` is the number of the run's discontinuities up to its start.
    """

    msn: int
    pieces: tuple[Piece, ...]
    discontinuity: int
    init: InitSection
    id: str

    @property
    def start(self) -> int:
        """The nominal boundary at which it starts."""
        return self.pieces[0].start

    @property
    def end(self) -> int:
        """The nominal boundary at which it ends."""
        return self.pieces[-1].end

    @property
    def gap(self) -> bool:
        """Whether something of it is missing, so that nobody can fetch it whole, or nothing of it has bytes."""
        return any(piece.missing for piece in self.pieces) or all(piece.gap for piece in self.pieces)

    @property
    def size(self) -> int:
        """Bytes of all its parts."""
        return sum(piece.size for piece in self.pieces)

    @property
    def name(self) -> str:
        """Its file name; the chained id stands for everything published before it, so for its bytes as well."""
        return f"{self.msn}-{self.id[:_SEGMENT_DIGITS]}.m4s"


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """One rendition's playlist at one moment; `segments` is never empty.

    `anchor_ms` is the Unix time in milliseconds at timeline 0. `independent`: every segment starts with a keyframe.
    """

    rung: str
    segments: tuple[Segment, ...]
    target_duration_s: int
    anchor_ms: int
    independent: bool
    ended: bool

    @property
    def media_sequence(self) -> int:
        """The MSN of the first segment."""
        return self.segments[0].msn

    @property
    def discontinuity_sequence(self) -> int:
        """Discontinuities before the first segment, its own included: that tag left with the segment before it."""
        return self.segments[0].discontinuity

    def lines(self) -> Iterator[tuple[Segment, bool, bool]]:
        """Each segment, whether a DISCONTINUITY stands before it, and whether a MAP does."""
        before: Segment | None = None
        for segment in self.segments:
            broken = before is not None and segment.discontinuity != before.discontinuity
            yield segment, broken, before is None or segment.init.name != before.init.name
            before = segment
