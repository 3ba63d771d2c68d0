"""Chunk streams, reading: from bytes in any pieces to whole messages.

Law: what a peer may do wrongly and others forgive is forgiven and counted (`noise`); only what makes the next byte's
meaning unknown, or passes a limit, is an error. The result never depends on how the bytes were cut. Payload is taken as
it comes, so nothing waits for a whole chunk, and a run of chunks of one message is taken in one step: no object per
chunk. Source: Adobe RTMP 1.0 §5.3. Neighbours: `_writer` is the other direction; `_link` feeds this, obeys the control
messages it gives, and sets `chunk_size` and `max_message_bytes`.
"""

from collections import Counter

from headrace.core.rtmp._messages import Message
from headrace.core.rtmp.errors import RtmpError, RtmpLimitExceeded
from headrace.core.rtmp.limits import DEFAULT_CHUNK_BYTES, MAX_CHUNK_BYTES, Limits

EXTENDED = 0xFFFFFF
"""In the 24-bit field: the time is in the four bytes after the header."""

_RUN_CHUNKS = 64
"""Chunks looked at in one step. Bounded, so that a peer that interleaves one-byte chunks cannot make it quadratic."""

_MAX_FIRST_DELTA_MS = 1000
"""A type-3 header after a type-0 one repeats the absolute time as a delta, says the letter. Encoders that do this send
a small time (or 0); with a large one the writer meant "same time"."""

_JUMP_MS = 600_000
_ABSOLUTE_MS = 10_000
"""An extended delta that would jump ten minutes, yet lies within ten seconds of the last time, is an absolute time."""

_HEADER_BYTES = (11, 7, 3, 0)


class _ChunkStream:
    """The memory of one chunk stream: its last header and the message in progress."""

    __slots__ = ("delta", "extension", "head", "left", "length", "partial", "stream_id", "timestamp", "type")

    def __init__(self, csid: int) -> None:
        # The type-3 header that continues a message; wider ids take the slow way.
        self.head = bytes((0xC0 | csid,)) if 2 <= csid < 64 else b""
        self.timestamp = 0
        self.delta = 0
        self.length = 0
        self.type = 0
        self.stream_id = 0
        self.extension = b""  # the last header's extended timestamp as it was on the wire
        self.left = 0  # bytes of the message in progress that are still to come
        self.partial: bytearray | None = None  # those that came, once the message spans pieces


class ChunkReader:
    """Feed bytes, take messages; `noise` counts oddities by kind since it was last cleared."""

    __slots__ = ("_chunk_left", "_current", "_data", "_limits", "_position", "_reserved", "_streams", "chunk_size",
                 "max_message_bytes", "noise")  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._data = b""
        self._position = 0
        self._streams: dict[int, _ChunkStream] = {}
        self._current: _ChunkStream | None = None
        self._chunk_left = 0
        self._reserved = 0
        self.chunk_size = DEFAULT_CHUNK_BYTES
        self.max_message_bytes = limits.max_untrusted_message_bytes
        self.noise: Counter[str] = Counter()

    def feed(self, data: bytes) -> None:
        """Add bytes. Cheap if every message was taken since the last call; at most a header is then left over."""
        rest = self._data[self._position :]
        self._data = rest + data if rest else data
        self._position = 0

    def set_chunk_size(self, size: int) -> None:
        """Set Chunk Size: the top bit is masked, 0 is ignored, and more than a message's length means just that."""
        size &= 0x7FFFFFFF
        if size == 0:
            self.noise["bad_chunk_size"] += 1
        else:
            self.chunk_size = min(size, MAX_CHUNK_BYTES)

    def abort(self, csid: int) -> None:
        """Abort Message: forget what came of the message in progress on `csid`."""
        stream = self._streams.get(csid)
        if stream is not None and stream.left:
            self._drop(stream)

    def next_message(self) -> Message | None:
        """The next whole message, or None until more bytes come. Raises RtmpError, RtmpLimitExceeded."""
        while True:
            stream = self._current
            if stream is None:
                stream = self._read_header()
                if stream is None:
                    return None
                if stream.left == stream.length and (whole := self._take_whole(stream)) is not None:
                    return Message(stream.type, stream.stream_id, stream.timestamp, whole)
                self._current = stream
                self._chunk_left = min(stream.left, self.chunk_size)
            if self._read_payload(stream):
                payload = self._finish(stream)
                return Message(stream.type, stream.stream_id, stream.timestamp, payload)
            if self._position == len(self._data):
                return None

    def _take_whole(self, stream: _ChunkStream) -> bytes | None:
        """The message that begins here if all of it is, in a row of this stream's own chunks: so most come."""
        data, position, length, size = self._data, self._position, stream.length, self.chunk_size
        heads = (length - 1) // size if length else 0
        end = position + length + heads
        if end > len(data):
            return None
        if heads == 0:
            payload = data[position:end]
        else:
            # The continuation headers lie at a fixed stride, so that one slice deletion takes them out.
            if heads > _RUN_CHUNKS or stream.extension or data[position + size : end : size + 1] != stream.head * heads:
                return None
            run = bytearray(memoryview(data)[position:end])
            del run[size :: size + 1]
            payload = bytes(run)
        self._position = end
        stream.left = 0
        return payload

    def _read_payload(self, stream: _ChunkStream) -> bool:
        """Take what is there of the current chunk, or of a run of them. True when the message is whole."""
        data, position, left, size = self._data, self._position, stream.left, self.chunk_size
        partial = stream.partial
        if partial is None:
            self._reserved += stream.length
            partial = stream.partial = bytearray()
        # A run: chunks that are wholly here and are followed by this stream's own continuation header.
        if self._chunk_left == size < left and stream.head and not stream.extension:
            stride = size + 1
            while (count := min((len(data) - position) // stride, (left - 1) // size, _RUN_CHUNKS)) > 0:
                heads = data[position + size : position + count * stride : stride]
                count = len(heads) - len(heads.lstrip(stream.head))
                run = bytearray(data[position : position + count * stride])
                del run[size::stride]
                partial += run
                position += count * stride
                left -= count * size
                if count < len(heads):
                    break
            self._chunk_left = min(left, size)
        taken = min(self._chunk_left, len(data) - position)
        partial += data[position : position + taken]
        self._position = position + taken
        self._chunk_left -= taken
        stream.left = left - taken
        if self._chunk_left == 0:
            self._current = None
        return stream.left == 0

    def _finish(self, stream: _ChunkStream) -> bytes:
        """The payload of the message that just became whole."""
        partial = stream.partial
        assert partial is not None
        stream.partial = None
        self._reserved -= stream.length
        return bytes(partial)

    def _drop(self, stream: _ChunkStream) -> None:
        """Give up the message in progress; only ever between two chunks."""
        self.noise["message_dropped"] += 1
        self._reserved -= stream.length
        stream.partial = None
        stream.left = 0

    def _read_header(self) -> _ChunkStream | None:
        """One chunk header (§5.3.1). None, with nothing consumed, until it is wholly here."""
        data, position, end = self._data, self._position, len(self._data)
        if position >= end:
            return None
        form, csid = data[position] >> 6, data[position] & 0x3F
        position += 1
        if csid < 2:  # §5.3.1.1: ids from 64 on take one or two more bytes
            if end - position <= csid:
                return None
            csid, position = 64 + int.from_bytes(data[position : position + csid + 1], "little"), position + csid + 1
        stream = self._streams.get(csid)
        if stream is None and form > 1:
            raise RtmpError(f"chunk stream {csid} begins with a type {form} header", code="chunk_without_header")
        if form == 3:
            assert stream is not None
            return self._continue(stream, position)
        fields = position
        position += _HEADER_BYTES[form]
        if position > end:
            return None
        time = data[fields] << 16 | data[fields + 1] << 8 | data[fields + 2]
        extension = b""
        if time == EXTENDED:
            if position + 4 > end:
                return None
            extension = data[position : position + 4]
            time = int.from_bytes(extension, "big")
            position += 4
        if stream is None:
            if len(self._streams) >= self._limits.max_chunk_streams:
                raise RtmpLimitExceeded("too many chunk streams", code="too_many_chunk_streams")
            # A fresh stream may begin with type 1 (librtmp's ping answers): stream id 0, time from 0.
            stream = self._streams[csid] = _ChunkStream(csid)
        elif stream.left:
            self._drop(stream)  # a new header in mid-message: the sender has given the old one up
        if form < 2:
            stream.length = data[fields + 3] << 16 | data[fields + 4] << 8 | data[fields + 5]
            stream.type = data[fields + 6]
        if form == 0:
            stream.stream_id = int.from_bytes(data[fields + 7 : fields + 11], "little")
            stream.timestamp = time
            stream.delta = time if time <= _MAX_FIRST_DELTA_MS else 0
        else:
            if extension:
                time = self._delta(stream.timestamp, time)
            stream.delta = time
            stream.timestamp = (stream.timestamp + time) & 0xFFFFFFFF
        stream.extension = extension
        self._position = position
        return self._begin(stream)

    def _continue(self, stream: _ChunkStream, position: int) -> _ChunkStream | None:
        """A type-3 header: more of the message in progress, or a new one like the last."""
        if stream.extension:
            # Some writers repeat the extended timestamp here (the letter), some do not: look. Four payload bytes that
            # equal it by chance are one in 2^32.
            seen = self._data[position : position + 4]
            if seen == stream.extension:
                position += 4
            elif stream.extension.startswith(seen):
                return None  # not enough bytes to tell
        self._position = position
        if stream.left:
            return stream
        stream.timestamp = (stream.timestamp + stream.delta) & 0xFFFFFFFF
        return self._begin(stream)

    def _begin(self, stream: _ChunkStream) -> _ChunkStream:
        if stream.length > self.max_message_bytes:
            message = f"a message of {stream.length} bytes; {self.max_message_bytes} are allowed now"
            raise RtmpLimitExceeded(message, code="message_too_large")
        # Asked before any of it is taken, so that the answer does not depend on how the bytes were cut.
        if self._reserved + stream.length > 2 * self.max_message_bytes:
            raise RtmpLimitExceeded("half messages on many chunk streams", code="too_much_in_progress")
        stream.left = stream.length
        return stream

    def _delta(self, last: int, value: int) -> int:
        """An extended delta mod 2^32 (OBS writes negative ones), unless it can only be an absolute time."""
        if _distance(value) > _JUMP_MS and _distance(value - last) <= _ABSOLUTE_MS:
            self.noise["absolute_extended_delta"] += 1
            return (value - last) & 0xFFFFFFFF
        return value


def _distance(difference: int) -> int:
    """How far two times lie apart, the shorter way round 2^32."""
    difference &= 0xFFFFFFFF
    return min(difference, (1 << 32) - difference)
