"""RTMP messages: their types, the protocol's own control messages, and the aggregate.

Law: pure functions between payload bytes and values; a payload that is too short gives None, never an error. Source:
Adobe RTMP 1.0 §5.4, §6.2, §7.1. Neighbours: `_chunks` carries messages, `_link` obeys the control ones, `_commands`
reads the rest.
"""

from typing import NamedTuple

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_ACK_SIZE, SET_PEER_BANDWIDTH = range(1, 7)
AUDIO, VIDEO = 8, 9
DATA_AMF3, SHARED_OBJECT_AMF3, COMMAND_AMF3, DATA, SHARED_OBJECT, COMMAND = range(15, 21)
AGGREGATE = 22

STREAM_BEGIN, PING_REQUEST, PING_RESPONSE = 0, 6, 7
KNOWN_USER_CONTROL = range(5)
"""Begin, EOF, dry, buffer length, is recorded: nothing to do for a live publish."""

BANDWIDTH_DYNAMIC = 2

FLV_TAG_HEADER_BYTES = 11

MAX_AGGREGATE_PARTS = 4096
"""Messages in one aggregate. Relays pack a second or so, below 200; empty tags would cost ten times their size."""


class Message(NamedTuple):
    """One whole message; a tuple because every frame passes here."""

    type: int
    stream_id: int
    timestamp: int
    """Milliseconds mod 2^32."""
    payload: bytes


def number(value: int) -> bytes:
    """A control message's 32-bit payload."""
    return value.to_bytes(4, "big")


def read_number(payload: bytes) -> int | None:
    """The first 32 bits of a control message, or None if it is shorter."""
    return int.from_bytes(payload[:4], "big") if len(payload) >= 4 else None


def peer_bandwidth(window_bytes: int) -> bytes:
    """Set Peer Bandwidth, limit type dynamic."""
    return number(window_bytes) + bytes((BANDWIDTH_DYNAMIC,))


def user_control(event: int, value: int) -> bytes:
    """A user control event with one 32-bit argument: a stream id or a ping's time."""
    return event.to_bytes(2, "big") + number(value)


def split_aggregate(message: Message) -> list[Message] | None:
    """The messages inside an aggregate (§7.1.6), moved so that the first has the aggregate's timestamp.

    None if the body is not a row of FLV tags, or one of too many. The back pointer of the last tag may be missing.
    """
    body, position = message.payload, 0
    parts: list[Message] = []
    offset = 0
    while position < len(body):
        start = position + FLV_TAG_HEADER_BYTES
        if start > len(body) or len(parts) == MAX_AGGREGATE_PARTS:
            return None
        end = start + int.from_bytes(body[position + 1 : position + 4], "big")
        if end > len(body):
            return None
        timestamp = int.from_bytes(body[position + 4 : position + 7], "big") | body[position + 7] << 24
        if not parts:
            offset = message.timestamp - timestamp
        parts.append(Message(body[position], message.stream_id, (timestamp + offset) & 0xFFFFFFFF, body[start:end]))
        position = end + 4
    return parts
