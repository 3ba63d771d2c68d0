"""Chunk streams, writing: from whole messages to bytes that every reader understands alike.

Law: headers are as short as the last one on the chunk stream allows, but never a form that readers disagree about: no
extended delta, and no type 3 that starts a message right after a type 0. Source: Adobe RTMP 1.0 §5.3.
Neighbours: `_chunks` reads this; `_link` keeps one writer a connection.
"""

from typing import NamedTuple

from headrace.core.rtmp._messages import Message
from headrace.core.rtmp.limits import DEFAULT_CHUNK_BYTES

_EXTENDED = 0xFFFFFF


class _Last(NamedTuple):
    """The last message written on a chunk stream; `delta` is None after a type-0 header."""

    timestamp: int
    delta: int | None
    length: int
    type: int
    stream_id: int


class ChunkWriter:
    """Turns messages into bytes on chunk streams 2 to 63."""

    __slots__ = ("_last", "chunk_size")

    def __init__(self) -> None:
        self._last: dict[int, _Last] = {}
        self.chunk_size = DEFAULT_CHUNK_BYTES

    def write(self, out: bytearray, csid: int, message: Message) -> None:
        """Append `message` to `out`, cut into chunks of `chunk_size`."""
        kind, stream_id, timestamp, payload = message
        last = self._last.get(csid)
        delta = None if last is None else (timestamp - last.timestamp) & 0xFFFFFFFF
        extension = b""
        if last is None or delta is None or last.stream_id != stream_id or delta >= _EXTENDED:
            delta = None  # times that go back, or jump far, are written in full
            if timestamp >= _EXTENDED:
                extension = timestamp.to_bytes(4, "big")
            out.append(csid)
            out += min(timestamp, _EXTENDED).to_bytes(3, "big") + len(payload).to_bytes(3, "big")
            out.append(kind)
            out += stream_id.to_bytes(4, "little") + extension
        elif last.length != len(payload) or last.type != kind:
            out.append(0x40 | csid)
            out += delta.to_bytes(3, "big") + len(payload).to_bytes(3, "big")
            out.append(kind)
        elif last.delta != delta:
            out.append(0x80 | csid)
            out += delta.to_bytes(3, "big")
        else:
            out.append(0xC0 | csid)
        self._last[csid] = _Last(timestamp, delta, len(payload), kind, stream_id)
        size = self.chunk_size
        out += payload[:size]
        if len(payload) > size:
            head = bytes((0xC0 | csid,)) + extension  # §5.3.1.3: every chunk of the message repeats the extension
            view = memoryview(payload)
            for start in range(size, len(payload), size):
                out += head
                out += view[start : start + size]
