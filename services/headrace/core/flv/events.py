"""What an audio or video message says, as typed events.

Law: an event carries only what is new in it; payloads stay opaque, and times are relative to the message's timestamp.
Neighbours: `video` and `audio` translate between events and tag bodies; media data are tuples because every frame
passes here.
"""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """H.264 starts, or starts again: `config` is an avcC record, not yet checked. Encoders repeat equal ones."""

    config: bytes


class VideoData(NamedTuple):
    """One H.264 access unit of length-prefixed NAL units, shown `cts_ms` milliseconds (signed) after its DTS.

    `keyframe` is what the encoder claims.
    """

    keyframe: bool
    cts_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class VideoEnd:
    """The video sequence is over. Not the stream: another sequence may begin."""


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """AAC starts, or starts again: `config` is an AudioSpecificConfig, not yet checked."""

    config: bytes


class AudioData(NamedTuple):
    """One AAC access unit without ADTS header."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Silence:
    """There is no sound from here on, on purpose (a zero-length audio message)."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Media that we cannot take. `codec` is what its users call it: "HEVC", "MP3", "Enhanced RTMP multitrack"."""

    codec: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message without media. `reason` is one of a fixed set of words, fit for a metric label."""

    reason: str


VideoEvent = VideoConfig | VideoData | VideoEnd | Unsupported | Ignored
AudioEvent = AudioConfig | AudioData | Silence | Unsupported | Ignored
