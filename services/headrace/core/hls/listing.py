"""What a playlist lists: parts, segments, init sections, and the media playlist that holds them all.

Law: immutable values, and names that are functions of content: no URL ever has two bodies. Times are ticks.
Neighbours: `playlist` makes these from log entries, `render` and `multivariant` print them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from headrace.core.media import TICKS_PER_S

PARTS_TARGET_DURATIONS = 3

_INIT_DIGITS = 8
_SEGMENT_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A part within its segment. `size` in bytes; `encoder` names its bytes.

    A `gap` has no bytes; its `encoder` is the one whose part was awaited in its place, "" where nobody knows. Media is
    `missing` there, or the part before it, which lasts longer than it is listed, fills its time.
    """

    start: int
    end: int
    independent: bool
    size: int
    encoder: str
    gap: bool
    missing: bool


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


def part_name(msn: int, number: int, encoder: str) -> str:
    """The file name of a part; its encoder's id stands for its bytes, and where that is not known there are none."""
    return f"{msn}.{number}-{encoder or 'gap'}.m4s"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment. `pieces` in order; `id` is the chained id of the log entry that ended it, "" while it is open.

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
        gaps = [piece for piece in self.pieces if piece.gap]
        return bool(gaps) and (len(gaps) == len(self.pieces) or any(gap.missing for gap in gaps))

    @property
    def size(self) -> int:
        """Bytes of all its parts."""
        return sum(piece.size for piece in self.pieces)

    @property
    def name(self) -> str:
        """Its file name; the chained id stands for everything published before it, so for its bytes as well."""
        return f"{self.msn}-{self.id[:_SEGMENT_DIGITS]}.m4s"


class Place(NamedTuple):
    """Where a part stands, in the order of time: its segment's MSN, its number therein."""

    msn: int
    part: int


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """One rendition's playlist at one moment; `segments`, which are whole, is never empty, and `open` follows them.

    `anchor_ms` is the Unix time in milliseconds at timeline 0. `independent`: every segment starts with a keyframe.
    `hint` names the file of the next part and `init_hint` that of its init section if it is another one; both are ""
    where there is none. `others`: the newest part of each other rendition. `trimmed`: the log forgot what came right
    before the first segment, and with it how a missing part at its beginning was called.
    """

    rung: str
    segments: tuple[Segment, ...]
    open: Segment | None
    target_duration_s: int
    part_target_ms: int
    part_hold_back_ms: int
    anchor_ms: int
    independent: bool
    ended: bool
    hint: str
    init_hint: str
    others: tuple[tuple[str, Place], ...]
    trimmed: bool

    @property
    def media_sequence(self) -> int:
        """The MSN of the first segment."""
        return self.segments[0].msn

    @property
    def discontinuity_sequence(self) -> int:
        """Discontinuities before the first segment, its own included: that tag left with the segment before it."""
        return self.segments[0].discontinuity

    @property
    def end(self) -> int:
        """The nominal boundary at which the last part ends."""
        return (self.open or self.segments[-1]).end

    @property
    def parts_from(self) -> int:
        """Segments that start at or after this tick list their parts: three target durations (RFC 8216bis §6.2.2)."""
        recent = self.end - PARTS_TARGET_DURATIONS * self.target_duration_s * TICKS_PER_S
        return max(recent, self.segments[0].end) if self.trimmed else recent

    def lines(self) -> Iterator[tuple[Segment, bool, bool]]:
        """Each segment, whether a DISCONTINUITY stands before it, and whether a MAP does."""
        before: Segment | None = None
        for segment in (*self.segments, self.open) if self.open else self.segments:
            broken = before is not None and segment.discontinuity != before.discontinuity
            yield segment, broken, before is None or segment.init.name != before.init.name
            before = segment
