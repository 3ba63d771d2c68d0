"""RTMP, both ends: whatever a peer says, cut however, comes to the same, and who is dropped is told why.

Law: an input is two bytes of choices (where the conversation stands, how questions are answered; where it is cut) and
then wire bytes, or for `dialogue` a row of messages. It is fed whole and cut; events, answers and the error must be
equal. What we say must be RTMP itself, and little beside what we heard.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from random import Random
from typing import NamedTuple

from headrace.core import rtmp
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._chunks import ChunkReader
from headrace.core.rtmp._commands import command, on_status, status
from headrace.core.rtmp._messages import Message
from headrace.core.rtmp._writer import ChunkWriter
from headrace.core.rtmp.limits import MAX_MESSAGE_BYTES
from tests.fuzz.judge import Shape

RANDOM = bytes(range(256)) * 6
GREETING = b"\x03" + bytes(1536) + bytes(1536)
SAID_FREELY = 16_384  # the handshake, and what any conversation begins with
SAID_PER_BYTE = 320  # a header of one byte repeats a command, which is answered in words
ANSWERS = ("yes", "no", "late", "by turns")


class Heard(NamedTuple):
    """What came of a conversation. `events` is a digest of all but noise, which `noise` counts."""

    events: str
    noise: Counter[str]
    said: list[Message]
    error: str


def written(*messages: Message, csid: int = 3, chunk_bytes: int = 128) -> bytes:
    """Messages as chunks."""
    out, writer = bytearray(), ChunkWriter()
    if chunk_bytes != writer.chunk_size:
        writer.write(out, 2, Message(m.SET_CHUNK_SIZE, 0, 0, m.number(chunk_bytes)))
        writer.chunk_size = chunk_bytes
    for message in messages:
        writer.write(out, csid, message)
    return bytes(out)


CONNECT = command("connect", 1, {"app": "live", "tcUrl": "rtmp://host/live", "flashVer": "FMLE/3.0"})
CREATE = command("createStream", 4, None)
PUBLISH = command("publish", 5, None, "KEY", "live", stream_id=1)
BEGINNINGS = (b"", GREETING, GREETING + written(CONNECT, CREATE), GREETING + written(CONNECT, CREATE, PUBLISH))


def server(data: bytes) -> None:
    """`ServerConnection`, fed wire bytes."""
    choices, cut, wire = data[0:1], data[1:2], data[2:]
    choice = choices[0] if choices else 0
    _same_however_cut(BEGINNINGS[choice & 3], wire, ANSWERS[choice >> 2 & 3], cut[0] if cut else 0)


def dialogue(data: bytes) -> None:
    """`ServerConnection`, fed whole messages: type, stream, time, length, payload."""
    choice = data[0] if data else 0
    wire = written(*messages_in(data[1:]), chunk_bytes=(128, 1, 4096, 65_536)[choice & 3])
    _same_however_cut(BEGINNINGS[2 + (choice >> 4 & 1)], wire, ANSWERS[choice >> 2 & 3], choice >> 5)


def messages_in(data: bytes) -> Iterator[Message]:
    """A row of messages. A command's payload is bytes of AMF."""
    position, timestamp = 0, 0
    while position + 6 <= len(data):
        kind, stream_id, elapsed = data[position], data[position + 1] & 15, data[position + 2 : position + 4]
        size = int.from_bytes(data[position + 4 : position + 6], "big") & 0x0FFF
        timestamp = (timestamp + int.from_bytes(elapsed, "big", signed=True)) & 0xFFFFFFFF
        yield Message(kind, stream_id, timestamp, data[position + 6 : position + 6 + size])
        position += 6 + size


def message(kind: int, payload: bytes, stream_id: int = 0, elapsed_ms: int = 0) -> bytes:
    """The opposite, for corpora."""
    return bytes((kind, stream_id)) + elapsed_ms.to_bytes(2, "big") + len(payload).to_bytes(2, "big") + payload


def client(data: bytes) -> None:
    """`ClientConnection`, fed wire bytes of a server."""
    choices, cut, wire = data[0:1], data[1:2], data[2:]
    beginning = (b"", GREETING, GREETING + written(_welcome()), GREETING + written(_welcome(), *_started()))
    wire = beginning[choices[0] & 3 if choices else 0] + wire
    whole = _client(iter((wire,)))
    if len(wire) > 1:
        pieces = _client(_pieces(wire, cut[0] if cut else 0))
        _compare(whole, pieces)


def _welcome() -> Message:
    return command("_result", 1, {"fmsVer": "FMS/3,5"}, status("status", "NetConnection.Connect.Success", "Welcome."))


def _started() -> tuple[Message, Message]:
    return command("_result", 4, None, 1.0), on_status(1, "status", "NetStream.Publish.Start", "Go.")


def _same_however_cut(beginning: bytes, wire: bytes, answers: str, cut: int) -> None:
    whole = _server((beginning + wire,), answers)
    if wire:
        _compare(whole, _server(_pieces(beginning + wire, cut), answers))


def _pieces(wire: bytes, cut: int) -> Iterator[bytes]:
    """`wire` in pieces: all of one size, or of any."""
    chance = Random(cut)
    position = 0
    while position < len(wire):
        size = 1 + cut // 2 if cut & 1 else chance.choice((1, 1, 2, 3, 11, 12, 100, 129, 1537, 5000))
        yield wire[position : position + size]
        position += size


def _server(pieces: Iterable[bytes], answers: str) -> Heard:
    peer = rtmp.ServerConnection(random=RANDOM[::-1])
    events, noise, asked = sha256(), Counter[str](), list[int]()
    heard_bytes = 0
    said = bytearray()

    def take() -> None:
        while (event := peer.next_event()) is not None:
            if isinstance(event, rtmp.PeerNoise):
                noise[event.kind] += event.count
                continue
            events.update(repr(event).encode())
            if isinstance(event, (rtmp.ConnectRequested, rtmp.PublishRequested)):
                asked.append(event.id)
                if answers != "late":
                    answer()

    def answer() -> None:
        for request_id in asked:
            if answers == "no" or (answers == "by turns" and request_id % 3 == 0):
                peer.reject(request_id, "NetStream.Publish.BadName", "No.")
            else:
                peer.accept(request_id)
        asked.clear()

    error = ""
    try:
        for piece in pieces:
            heard_bytes += len(piece)
            peer.receive_data(piece, 0)
            take()
            said += peer.data_to_send()
        while asked:
            answer()
            take()
    except (rtmp.RtmpError, rtmp.RtmpLimitExceeded) as raised:
        error = raised.code
        assert peer.close_reason == error, "the shell is not told why"
        _stays_dead(peer, error)
    peer.handle_timer(0) if not error else None
    said += peer.data_to_send()
    assert len(said) <= SAID_FREELY + SAID_PER_BYTE * heard_bytes, f"{heard_bytes} bytes made us say {len(said)}"
    return Heard(events.hexdigest(), noise, _said(bytes(said)), error)


def _stays_dead(peer: rtmp.ServerConnection | rtmp.ClientConnection, code: str) -> None:
    try:
        peer.receive_data(b"\x03", 0)
    except (rtmp.RtmpError, rtmp.RtmpLimitExceeded) as again:
        said = again.code
    else:
        said = "fine"
    assert said == code, f"a connection that died of {code} says {said}"


def _client(pieces: Iterable[bytes]) -> Heard:
    peer = rtmp.ClientConnection(random=RANDOM)
    peer.connect("live", "rtmp://host/live")
    peer.publish("KEY")
    events, noise = sha256(), Counter[str]()
    said, error = bytearray(), ""
    try:
        for piece in pieces:
            peer.receive_data(piece, 0)
            while (event := peer.next_event()) is not None:
                if isinstance(event, rtmp.PeerNoise):
                    noise[event.kind] += event.count
                else:
                    events.update(repr(event).encode())
            said += peer.data_to_send()
    except (rtmp.RtmpError, rtmp.RtmpLimitExceeded) as raised:
        error = raised.code
        _stays_dead(peer, error)
    said += peer.data_to_send()
    return Heard(events.hexdigest(), noise, _said(bytes(said)), error)


def _said(said: bytes) -> list[Message]:
    """What was said after the handshake, acknowledgements apart: how often those come depends on the pieces."""
    reader = ChunkReader(rtmp.DEFAULT_LIMITS)
    reader.max_message_bytes = MAX_MESSAGE_BYTES
    reader.feed(said[len(GREETING) :])
    messages: list[Message] = []
    while (one := reader.next_message()) is not None:
        if one.type == m.SET_CHUNK_SIZE:
            reader.set_chunk_size(int.from_bytes(one.payload, "big"))
        if one.type != m.ACKNOWLEDGEMENT:
            messages.append(one._replace(timestamp=0))
    return messages


def _compare(whole: Heard, pieces: Heard) -> None:
    assert whole.error == pieces.error, f"whole: {whole.error or 'fine'}, in pieces: {pieces.error or 'fine'}"
    assert whole.events == pieces.events, "the events depend on the pieces"
    if not whole.error:  # what is odd in the same read as an error is told by neither
        assert whole.said == pieces.said, "the answers depend on the pieces"
        assert whole.noise == pieces.noise, "the noise depends on the pieces"


_LIVE, _OPEN = b"\x03\x09", b"\x02\x09"
_TINY = written(Message(m.SET_CHUNK_SIZE, 0, 0, m.number(1)))
SERVER_SHAPES = (
    Shape(_LIVE, written(Message(m.VIDEO, 1, 0, bytes(200)), csid=6)),
    Shape(_LIVE + _TINY, b"\x06" + bytes(3) + b"\x00\x00\x02\x09\x01\0\0\0a\xc6b"),
    Shape(_LIVE + b"\x06\0\0\0\x01\xff\xff\x09\x01\0\0\0", bytes(128) + b"\xc6"),
    Shape(_LIVE + b"\x06\0\0\0\0\0\0\x09\x01\0\0\0", b"\xc6"),
    Shape(_LIVE + b"\x06\xff\xff\xff\x01\xff\xff\x09\x01\0\0\0\x01\0\0\0", bytes(128) + b"\xc6\x01\0\0\0"),
    Shape(_LIVE, b"\x06" + bytes(3) + b"\x00\x10\x00\x09\x01\0\0\0" + bytes(128)),
    Shape(_OPEN, written(command("play", 0, None))),
    Shape(_OPEN, written(Message(m.USER_CONTROL, 0, 0, b"\0\x06\0\0\0\0"), csid=2)),
    Shape(b"\x00\x01", b"\x03"),
    Shape(b"\x01\x01", b"\x03" + bytes(3) + b"\0\0\0\x14" + bytes(4)),
)  # fmt: skip
