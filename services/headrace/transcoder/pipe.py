"""The pipe between a supervisor and its worker: one table of messages, and the worker's end of the socket.

Law: parent and child are the same code, so nothing here has a version; every message is its kind, its length, and its
fields in a fixed order. The parent trusts nothing that it receives: a worker that decodes hostile media may say
anything, so upward messages hold only numbers, text and opaque bytes, and bad ones raise PipeBroken.
Neighbours: `worker.main` holds the blocking end, `supervisor_end` is the async one.
"""

import pickle
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from headrace.core.broadcast import Gap, Init, Part, Plan, Source
from headrace.core.broadcast.names import is_codec_string, is_name
from headrace.core.errors import HeadraceError
from headrace.core.media import Frame, Kind
from headrace.livelog.base import RungPosition

MAX_MESSAGE_BYTES = 64 << 20  # above any part: 10 s of 50 Mbit/s
UPWARD = 16  # kinds from here on go up
HEAD = struct.Struct(">BI")
_FRAME = struct.Struct(">BBqqqIB")
_PLACE = struct.Struct(">QIqqqBI")
_INIT = struct.Struct(">IIIII")
_TEXT = struct.Struct(">I")


class PipeBroken(HeadraceError):
    """The other side stopped in the middle of a message, or sent what is none."""

    code = "pipe_broken"


@dataclass(frozen=True, slots=True)
class Begin:
    """Down, first: what to make. `positions`: where each rung goes on; `encoders`: the ids of the rungs' encoders.

    `starts_at`: where the source starts, ticks; what comes first there has nothing before it.
    """

    plan: Plan
    source: Source
    positions: dict[str, RungPosition] = field(default_factory=dict)
    encoders: dict[str, str] = field(default_factory=dict)
    starts_at: int = 0


class Flush(NamedTuple):
    """Down, last: there is no more media; make everything whole, then say Done."""


class Ready(NamedTuple):
    """Up, first: all is loaded, Begin may come."""


class Made(NamedTuple):
    """Up: a whole part and its bytes."""

    part: Part
    data: bytes


COUNTED = frozenset({"video_undecodable", "video_bad_time", "picture_out_of_order", "audio_undecodable"})
"""What a worker counts. A closed list, since a metric's labels must not come from a process that may be hostile."""


class Counted(NamedTuple):
    """Up: media was of no use, `times` times; `what` is one of `COUNTED`."""

    what: str
    times: int


class Failed(NamedTuple):
    """Up, last: the worker cannot go on."""

    why: str


class Done(NamedTuple):
    """Up, last: everything is made."""


Message = Begin | Frame | Flush | Ready | Init | Made | Gap | Counted | Failed | Done


def encode(message: Message) -> list[bytes]:
    """The buffers of one message, to be written in order."""
    number, pack, _ = _TABLE[type(message)]
    body = pack(message)
    size = sum(map(len, body))
    if size > MAX_MESSAGE_BYTES:
        raise PipeBroken(f"a {type(message).__name__} of {size} bytes")
    return [HEAD.pack(number, size), *body]


def decode(number: int, payload: bytes) -> Message:
    """A message from its kind and its payload. Raises PipeBroken."""
    try:
        kind = _KINDS[number]
        message: Message = _TABLE[kind][2](payload)
    except (LookupError, ValueError, ArithmeticError, struct.error, pickle.UnpicklingError) as error:
        raise PipeBroken(f"message of kind {number} and {len(payload)} bytes: {error!r}") from None
    return message


class WorkerEnd:
    """The child's end: blocking. One thread receives; `send` is for one thread at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=1 << 16)

    def receive(self) -> Message | None:
        """The next message; None when the parent closed the pipe. Raises PipeBroken."""
        head = self._file.read(HEAD.size)
        if not head:
            return None
        if len(head) < HEAD.size:
            raise PipeBroken("the pipe ended inside a message's head")
        number, size = checked(head)
        payload = self._file.read(size)
        if len(payload) < size:
            raise PipeBroken("the pipe ended inside a message")
        return decode(number, payload)

    def send(self, message: Message) -> None:
        """Write one message; waits while the parent does not read. Raises OSError when it is gone."""
        for buffer in encode(message):
            self._sock.sendall(buffer)


def checked(head: bytes) -> tuple[int, int]:
    """Kind and size of the message that `head` begins. Raises PipeBroken."""
    number, size = HEAD.unpack(head)
    if size > MAX_MESSAGE_BYTES:
        raise PipeBroken(f"a message of {size} bytes")
    return number, size


def _pack_begin(message: Begin) -> list[bytes]:
    return [pickle.dumps(message)]


def _unpack_begin(payload: bytes) -> Begin:
    begin = pickle.loads(payload)  # only ever received by the child, from the process that started it
    if not isinstance(begin, Begin):
        raise ValueError("no Begin")
    return begin


def _pack_frame(frame: Frame) -> list[bytes]:
    head = _FRAME.pack(frame.kind, frame.keyframe, frame.dts, frame.pts, frame.sample, frame.samples, frame.jump)
    return [head, frame.data]


def _unpack_frame(payload: bytes) -> Frame:
    kind, keyframe, dts, pts, sample, samples, jump = _FRAME.unpack_from(payload)
    return Frame(Kind(kind), bool(keyframe), dts, pts, payload[_FRAME.size :], sample, samples, bool(jump))


def _pack_init(init: Init) -> list[bytes]:
    rate = init.frame_rate
    numbers = _INIT.pack(init.width, init.height, rate.numerator, rate.denominator, init.channels)
    return [numbers, *_texts(init.rung, init.codecs), init.data]


def _unpack_init(payload: bytes) -> Init:
    width, height, over, under, channels = _INIT.unpack_from(payload)
    (rung, codecs), data = _split(payload, _INIT.size, 2)
    if not (is_name(rung) and is_codec_string(codecs)):
        raise ValueError("no rung's name, or no codec's")
    return Init(rung, codecs, data, width, height, Fraction(over, under), channels)


def _pack_part(made: Made) -> list[bytes]:
    part = made.part
    flags = part.opened | part.segment_end << 1 | part.independent << 2
    place = (part.msn, part.part, part.start, part.end, part.segment_start, flags, part.discontinuity)
    return [_PLACE.pack(*place), *_texts(part.rung, part.digest, part.encoder), made.data]


def _unpack_part(payload: bytes) -> Made:
    msn, index, start, end, segment_start, flags, discontinuity = _PLACE.unpack_from(payload)
    (rung, digest, encoder), data = _split(payload, _PLACE.size, 3)
    if not (is_name(rung) and is_name(encoder)):
        raise ValueError("no rung's name, or no encoder's")
    part = Part(
        rung=rung, msn=msn, part=index, start=start, end=end, segment_start=segment_start, opened=bool(flags & 1),
        segment_end=bool(flags & 2), independent=bool(flags & 4), size=len(data), digest=digest, encoder=encoder,
        discontinuity=discontinuity,
    )  # fmt: skip
    return Made(part, data)


def _pack_gap(gap: Gap) -> list[bytes]:
    flags = gap.opened | gap.segment_end << 1
    place = (gap.msn, gap.part, gap.start, gap.end, gap.segment_start, flags, gap.discontinuity)
    return [_PLACE.pack(*place), *_texts(gap.rung, gap.encoder)]


def _unpack_gap(payload: bytes) -> Gap:
    msn, index, start, end, segment_start, flags, discontinuity = _PLACE.unpack_from(payload)
    (rung, encoder), _ = _split(payload, _PLACE.size, 2)
    if not is_name(rung) or (encoder and not is_name(encoder)):
        raise ValueError("no rung's name, or no encoder's")
    return Gap(rung, msn, index, start, end, segment_start, bool(flags & 1), bool(flags & 2), discontinuity, encoder)


def _pack_counted(counted: Counted) -> list[bytes]:
    return [_TEXT.pack(counted.times), counted.what.encode()]


def _unpack_counted(payload: bytes) -> Counted:
    (times,) = _TEXT.unpack_from(payload)
    what = payload[_TEXT.size :].decode()
    if what not in COUNTED:
        raise ValueError("nothing that is counted")
    return Counted(what, times)


def _texts(*texts: str) -> list[bytes]:
    buffers = []
    for text in texts:
        data = text.encode()
        buffers += [_TEXT.pack(len(data)), data]
    return buffers


def _split(payload: bytes, offset: int, count: int) -> tuple[list[str], bytes]:
    """`count` texts from `offset` on, and what follows them."""
    texts = []
    for _ in range(count):
        (size,) = _TEXT.unpack_from(payload, offset)
        offset += _TEXT.size
        if offset + size > len(payload):
            raise ValueError("a text is cut short")
        texts.append(payload[offset : offset + size].decode())
        offset += size
    return texts, payload[offset:]


# The table: kind on the pipe, fields to buffers, payload to message.
_TABLE: dict[type, tuple[int, Callable[[Any], list[bytes]], Callable[[bytes], Message]]] = {
    Begin: (1, _pack_begin, _unpack_begin),
    Frame: (2, _pack_frame, _unpack_frame),
    Flush: (3, lambda _: [], lambda _: Flush()),
    Init: (16, _pack_init, _unpack_init),
    Made: (17, _pack_part, _unpack_part),
    Gap: (18, _pack_gap, _unpack_gap),
    Counted: (19, _pack_counted, _unpack_counted),
    Failed: (20, lambda failed: [failed.why.encode()], lambda payload: Failed(payload.decode())),
    Done: (21, lambda _: [], lambda _: Done()),
    Ready: (22, lambda _: [], lambda _: Ready()),
}
_KINDS = {number: kind for kind, (number, _, _) in _TABLE.items()}
