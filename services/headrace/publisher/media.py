"""What a source of media gives to the publisher.

Law: H.264 with length-prefixed NAL units and AAC without ADTS, times in milliseconds from 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from headrace.core.errors import HeadraceError
from headrace.core.flv import Metadata


class SourceError(HeadraceError):
    """The source cannot be published; the message says why."""

    code = "unreadable_source"


class Item(NamedTuple):
    """One access unit; `pts_ms - dts_ms` is 0 for audio."""

    video: bool
    keyframe: bool
    dts_ms: int
    pts_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Description:
    """What goes before the media: metadata, avcC (b"" without video), AudioSpecificConfig (b"" without audio).

    `duration_s` is None where the source does not end.
    """

    metadata: Metadata
    avc: bytes
    aac: bytes
    duration_s: float | None = None


class MediaSource(Protocol):
    """A source. `items` blocks while it decodes or encodes, so it runs in a thread."""

    @property
    def description(self) -> Description:
        """What goes before the media."""

    def items(self) -> Iterator[Item]:
        """The media in DTS order, as fast as it can be had."""
