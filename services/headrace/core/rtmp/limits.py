"""How much a peer may make us hold, and how long it may wait.

Law: every limit is a named number with its reason; the shell passes another `Limits` only where a test or a deployment
needs one. Neighbours: `_chunks`, `_link` and `server` obey these.
"""

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""One message of an accepted publisher. A 4K keyframe at 100 Mbit/s is about 2 MB; other servers take 10–16 MB."""

MAX_PENDING_BYTES = 1024 * 1024
"""Held behind an open question (and one message then): encoders wait for the answer, a few send a second of media."""

MAX_UNTRUSTED_MESSAGE_BYTES = 64 * 1024
"""One message before the peer has asked to publish. The largest connect seen is below 2 KB."""

MAX_IDLE_MESSAGES = 4_000
"""In a row without media of an accepted publish: no encoder sends a hundred, a flood of empty ones costs us seconds."""

MAX_DATA_MESSAGE_BYTES = 256 * 1024
"""A command or metadata message that is worth decoding. XMP blocks of studio encoders reach some ten KB."""

MAX_CHUNK_STREAMS = 64
"""Chunk streams one connection may use. The protocol has 65,597 ids; encoders use two to six, some a dozen."""

MAX_STREAMS = 8
"""Message streams (publishes) alive on one connection. Encoders use one; relays a handful."""

DEFAULT_CHUNK_BYTES = 128
"""Where both directions start; Adobe RTMP 1.0 §5.4.1."""

OUT_CHUNK_BYTES = 4096
"""What we announce and write: what OBS uses; larger chunks delay sound behind a keyframe."""

MAX_CHUNK_BYTES = 0xFFFFFF
"""No message is longer than its 24-bit length, so larger chunk sizes mean the same; they are legal up to 2^31 - 1."""

ACK_WINDOW_BYTES = 2_500_000
"""The window we announce, and assume of a peer that announces none: Wirecast drops a server that never acknowledges."""

PING_INTERVAL_MS = 10_000
"""Between pings: often enough to see a dead peer within two media timeouts, and a millionth of the traffic."""

HANDSHAKE_TIMEOUT_MS = 10_000
"""From the first wake-up to the end of the handshake: probes send nothing; slow links need three round trips."""

PUBLISH_TIMEOUT_MS = 30_000
"""From the end of the handshake to the first publish request. Encoders need under a second."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one connection; units are in the names, reasons at the constants."""

    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_pending_bytes: int = MAX_PENDING_BYTES
    max_untrusted_message_bytes: int = MAX_UNTRUSTED_MESSAGE_BYTES
    max_idle_messages: int = MAX_IDLE_MESSAGES
    max_chunk_streams: int = MAX_CHUNK_STREAMS
    max_streams: int = MAX_STREAMS
    ack_window_bytes: int = ACK_WINDOW_BYTES
    ping_interval_ms: int = PING_INTERVAL_MS
    handshake_timeout_ms: int = HANDSHAKE_TIMEOUT_MS
    publish_timeout_ms: int = PUBLISH_TIMEOUT_MS


DEFAULT_LIMITS = Limits()
