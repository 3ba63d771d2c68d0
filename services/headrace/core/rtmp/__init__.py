"""RTMP without sockets: both ends of a publish, as bytes in and typed events out.

Law: others import this package's names and nothing below it. `next_event`, `receive_data` and `handle_timer` raise
RtmpError or RtmpLimitExceeded for what the peer did; any other exception from them is a bug. Storeys: handshake →
chunks → messages → commands → server, client. Source: Adobe RTMP 1.0. Neighbours: `edge` and `publisher` own the
sockets and the clock; `flv` reads the media bodies.
"""

from headrace.core.rtmp._handshake import RANDOM_BYTES, HandshakeKind
from headrace.core.rtmp.client import ClientConnection
from headrace.core.rtmp.errors import RtmpError, RtmpLimitExceeded, RtmpUsageError
from headrace.core.rtmp.events import (
    AudioReceived,
    ClientEvent,
    Connected,
    ConnectRequested,
    EndReason,
    HandshakeCompleted,
    MetadataReceived,
    PeerNoise,
    PongReceived,
    PublishEnded,
    PublishRefused,
    PublishRequested,
    PublishStarted,
    ServerEvent,
    VideoReceived,
)
from headrace.core.rtmp.limits import DEFAULT_LIMITS, Limits
from headrace.core.rtmp.server import ServerConnection
from headrace.core.rtmp.target import Target, parse_publish_target

__all__ = [
    "DEFAULT_LIMITS",
    "RANDOM_BYTES",
    "AudioReceived",
    "ClientConnection",
    "ClientEvent",
    "ConnectRequested",
    "Connected",
    "EndReason",
    "HandshakeCompleted",
    "HandshakeKind",
    "Limits",
    "MetadataReceived",
    "PeerNoise",
    "PongReceived",
    "PublishEnded",
    "PublishRefused",
    "PublishRequested",
    "PublishStarted",
    "RtmpError",
    "RtmpLimitExceeded",
    "RtmpUsageError",
    "ServerConnection",
    "ServerEvent",
    "Target",
    "VideoReceived",
    "parse_publish_target",
]
