"""What an RTMP connection tells its shell.

Law: an event carries only what is new; secrets stay out of every repr. Requests (`…Requested`) are questions: answer
each once with `accept(id)` or `reject(id, code, description)`. Times are RTMP's own: milliseconds mod 2^32, unwrapped
above. Neighbours: `server` and `client` make these; media events are tuples because every frame passes here.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from headrace.core.amf import Value
from headrace.core.rtmp._handshake import HandshakeKind
from headrace.core.rtmp.target import Target


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """Both sides have spoken; chunks follow."""

    kind: HandshakeKind
    """Which handshake the peer used; a metric label."""


@dataclass(frozen=True, slots=True)
class ConnectRequested:
    """Server: the peer asks for an application. Nothing else it sends is looked at before the answer."""

    id: int
    """Answer with this."""
    app: str
    """The application as sent, query and slashes included; `PublishRequested.target` has it normalised."""
    tc_url: str = field(repr=False)
    """The URL that the peer believes it dialled, or "". May carry a key."""
    flash_ver: str
    """What the encoder calls itself ("FMLE/3.0 (compatible; FMSc/1.0)" is OBS, "LNX 9,0,124,2" FFmpeg), or ""."""
    object: dict[str, Value] = field(repr=False)
    """The whole command object, capabilities included."""


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """Server: the peer asks to publish. What it sends on this stream is held, within a bound, until the answer."""

    id: int
    """Answer with this."""
    stream_id: int
    """The message stream on which media will come."""
    target: Target
    """Application, key and query by the one normaliser."""
    stream_name: str = field(repr=False)
    """The name exactly as sent; secret."""
    mode: str
    """"live", "record" or "append" as sent, or ""."""


@dataclass(frozen=True, slots=True)
class MetadataReceived:
    """onMetaData, however it was wrapped. A hint only: the bitstream decides."""

    stream_id: int
    timestamp: int
    """Milliseconds mod 2^32."""
    values: dict[str, Value]
    """The properties; what could not be read is missing."""


class VideoReceived(NamedTuple):
    """One video message of an accepted publish."""

    stream_id: int
    timestamp: int
    """Decoding time, milliseconds mod 2^32."""
    data: bytes
    """The FLV video tag body, never empty."""


class AudioReceived(NamedTuple):
    """One audio message of an accepted publish."""

    stream_id: int
    timestamp: int
    """Milliseconds mod 2^32."""
    data: bytes
    """The FLV audio tag body. Empty means silence (Enhanced RTMP v2, Enhanced Audio)."""


class EndReason(StrEnum):
    """How the peer said that it is done; a bare close of the socket gives no event."""

    DELETE_STREAM = "deleteStream"
    FC_UNPUBLISH = "FCUnpublish"
    CLOSE_STREAM = "closeStream"


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """Server: the peer ended a publish on purpose, accepted or still asked for. Its request is withdrawn."""

    stream_id: int
    reason: EndReason


@dataclass(frozen=True, slots=True)
class PongReceived:
    """The answer to our ping."""

    rtt_ms: int
    """Time since that ping was handed out."""


@dataclass(frozen=True, slots=True)
class PeerNoise:
    """Something odd that was tolerated. Kinds are few and fixed, fit for a metric label."""

    kind: str
    count: int
    """How often since the last such event."""


@dataclass(frozen=True, slots=True)
class Connected:
    """Client: the server took our connect."""

    info: dict[str, Value]
    """The information object of the answer (code, description, capabilities)."""


@dataclass(frozen=True, slots=True)
class PublishStarted:
    """Client: media may be sent now."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """Client: the server refused to connect or to publish, or ended our publish."""

    code: str
    """Adobe's status word, such as "NetStream.Publish.BadName"."""
    description: str


ServerEvent: TypeAlias = (
    HandshakeCompleted
    | ConnectRequested
    | PublishRequested
    | MetadataReceived
    | VideoReceived
    | AudioReceived
    | PublishEnded
    | PongReceived
    | PeerNoise
)
"""What `ServerConnection.next_event` gives."""

ClientEvent: TypeAlias = HandshakeCompleted | Connected | PublishStarted | PublishRefused | PongReceived | PeerNoise
"""What `ClientConnection.next_event` gives."""
