"""A worker's end of the pipe: whatever a process that decodes hostile media says, its supervisor survives.

Law: bytes are messages, the pipe's end, or PipeBroken; what is read is written again as the same, fits the log, and
names nothing that a playlist or a path could not hold.
"""

import asyncio
import atexit
import re
from functools import cache
from typing import Any, cast

from headrace.core.broadcast import Gap, Init, Part
from headrace.livelog.base import Append
from headrace.transcoder.pipe import HEAD, Made, Message, decode, encode
from headrace.transcoder.supervisor_end import SupervisorEnd
from headrace.transcoder.tail import Tail
from headrace.wire.log import entry_from_bytes, entry_to_bytes
from tests.fuzz.judge import Shape

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def pipe(data: bytes) -> None:
    """`SupervisorEnd`, fed bytes of a worker that then ends."""
    for message in _loop().run_until_complete(_received(data)):
        buffers = b"".join(encode(message))
        number, _ = HEAD.unpack(buffers[: HEAD.size])
        assert decode(number, buffers[HEAD.size :]) == message, "it is another message when it comes back"
        if isinstance(message, Made):
            _fits(message.part, message.data)
        elif isinstance(message, Gap | Init):
            _fits(message, None)


async def _received(data: bytes) -> list[Message]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    end = SupervisorEnd(reader, cast(Any, None))
    heard: list[Message] = []
    while (message := await end.receive()) is not None:
        heard.append(message)
    return heard


def _fits(entry: Part | Gap | Init, data: bytes | None) -> None:
    assert _NAME.fullmatch(entry.rung), f"a rung {entry.rung!r}"
    if isinstance(entry, Init):
        assert entry.codecs.isprintable(), f"codecs {entry.codecs!r}"
        assert '"' not in entry.codecs, f"codecs {entry.codecs!r}"
    elif entry.encoder or isinstance(entry, Part):
        assert _NAME.fullmatch(entry.encoder), f"an encoder {entry.encoder!r}"
    assert entry_from_bytes(entry_to_bytes(entry)) == entry, "the log keeps something else"
    tail = Tail(0, "")
    tail.add([Append(entry, data)])
    assert tail.newest == Append(entry, data), "the tail keeps something else"


SHAPES = (
    Shape(b"", bytes((21, 0, 0, 0, 0))),
    Shape(b"", bytes((19, 0, 0, 0, 21)) + b"\0\0\0\1video_undecodable"),
    Shape(b"\x14\x00\x03\xff\x00", b"\xff"),
    Shape(b"\x11\x00\x03\xff\x00" + bytes(43), b"\x00\x00\x00\x01"),
)
