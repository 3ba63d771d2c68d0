"""FLV tag bodies, which are RTMP's audio, video and metadata messages: bytes to typed events, and back.

Law: whatever arrives becomes an event or an FlvError, nothing else. Timestamps belong to the message, not to its body.
Neighbours: `codec` reads the configuration records that events carry; the edge puts them on a run's timeline.
"""

from headrace.core.flv.audio import decode_audio, encode_audio
from headrace.core.flv.errors import FlvError
from headrace.core.flv.events import (
    AudioConfig,
    AudioData,
    AudioEvent,
    Ignored,
    Silence,
    Unsupported,
    VideoConfig,
    VideoData,
    VideoEnd,
    VideoEvent,
)
from headrace.core.flv.metadata import Metadata, metadata_values, read_metadata
from headrace.core.flv.video import decode_video, encode_video

__all__ = [
    "AudioConfig",
    "AudioData",
    "AudioEvent",
    "FlvError",
    "Ignored",
    "Metadata",
    "Silence",
    "Unsupported",
    "VideoConfig",
    "VideoData",
    "VideoEnd",
    "VideoEvent",
    "decode_audio",
    "decode_video",
    "encode_audio",
    "encode_video",
    "metadata_values",
    "read_metadata",
]
