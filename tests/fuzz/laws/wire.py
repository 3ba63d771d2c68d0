"""Messages between services: whatever a peer sends is a value of the domain or a WireError, and never our bug.

Law: the first byte says which message. What is read is written again as something that reads as the same. Calls go
through the real handlers: a bad one ends with a status that is the caller's fault, and its handler never hears of it.
"""

import asyncio
import atexit
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import grpc
from grpc.aio import Server

from headrace.core.broadcast import Profile, RunId, Source, StreamId, StreamKey
from headrace.wire import control, control_messages, log, media, steps, types
from headrace.wire.control_messages import Allocated, HeldSession, OpenedSession, PodReport, ReleaseReason, Verdict
from tests.fuzz.judge import Shape
from tests.support.broadcasts import PLAN

Codec = tuple[str, Callable[[bytes], Any], Callable[[Any], bytes]]

CODECS: tuple[Codec, ...] = (
    ("up", steps.up_from_bytes, steps.up_to_bytes),
    ("down", steps.down_from_bytes, steps.down_to_bytes),
    ("entry", log.entry_from_bytes, log.entry_to_bytes),
    ("plan", types.plan_from_bytes, types.plan_to_bytes),
    ("source", types.source_from_bytes, types.source_to_bytes),
    ("opened", control_messages.opened_from_bytes, control_messages.opened_to_bytes),
    ("allocated", control_messages.allocated_from_bytes, control_messages.allocated_to_bytes),
    ("renew", control_messages.renew_from_bytes, lambda value: control_messages.renew_to_bytes(*value)),
    ("verdicts", control_messages.verdicts_from_bytes, control_messages.verdicts_to_bytes),
    ("report", control_messages.report_from_bytes, control_messages.report_to_bytes),
)


def message(data: bytes) -> None:
    """The decoders."""
    _, decode, encode = CODECS[(data[0] if data else 0) % len(CODECS)]
    value = decode(data[1:])
    if value is not None:  # a log entry of a later version
        assert decode(encode(value)) == value, "it is another value when it comes back"


class _Aborted(Exception):
    pass


class _Context:
    """One call as its server sees it, whose client sends `messages`."""

    def __init__(self, *messages: bytes) -> None:
        self._messages = list(messages)
        self.status = grpc.StatusCode.OK

    async def read(self) -> Any:
        return self._messages.pop(0) if self._messages else grpc.aio.EOF

    async def write(self, message: bytes) -> None:
        pass

    async def abort(self, status: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        self.status = status
        raise _Aborted(details)

    def peer(self) -> str:
        return "unix:"

    def auth_context(self) -> dict[str, Any]:
        return {}

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class _Control:
    """Takes what it is told, if it is what the protocols say."""

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        assert session_id, "a session without a name"
        return OpenedSession(StreamId("s"), RunId("r"), 1, session_id, Profile())

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        assert source.video.sar is not None, "no source"
        return Allocated(PLAN, ("host:1",))

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        return [Verdict(one.session_id, held=True) for one in sessions]

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        assert isinstance(reason, ReleaseReason), "no reason"


async def _report(reports: AsyncIterator[PodReport]) -> None:
    async for report in reports:
        assert report.pod, "a pod without a name"


async def _ingest(opened: steps.Open, stream: media.IngestStream) -> None:
    while (step := await stream.read()) is not None:
        assert not isinstance(step, steps.Open), "opened twice"


class _Calls:
    """The handlers that a server would have."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        atexit.register(self.loop.close)
        self._services: list[Any] = []
        server = cast(Server, SimpleNamespace(add_generic_rpc_handlers=self._services.extend))
        control.add_sessions(server, _Control())
        control.add_fleet(server, _report)
        media.add_ingest(server, _ingest)

    def call(self, name: str, *messages: bytes) -> grpc.StatusCode:
        """Call a method; how the call ended."""
        details = SimpleNamespace(method=name, invocation_metadata=())
        handler = next(found for each in self._services if (found := each.service(details)) is not None)
        context = _Context(*messages)
        return self.loop.run_until_complete(self._call(handler, context, messages))

    async def _call(self, handler: Any, context: _Context, messages: tuple[bytes, ...]) -> grpc.StatusCode:
        try:
            if handler.unary_unary is not None:
                await handler.unary_unary(messages[0], context)
            elif handler.stream_unary is not None:
                await handler.stream_unary(_each(messages), context)
            else:
                await handler.stream_stream(_each(messages), context)
        except _Aborted:
            pass
        return context.status


async def _each(messages: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for one in messages:
        yield one


@cache
def _calls() -> _Calls:
    return _Calls()


METHODS = (
    "/headrace.wire.v1.Sessions/OpenSession",
    "/headrace.wire.v1.Sessions/Allocate",
    "/headrace.wire.v1.Sessions/Renew",
    "/headrace.wire.v1.Sessions/Release",
    "/headrace.wire.v1.Fleet/Report",
    "/headrace.wire.v1.Ingest/Ingest",
)
_BUGS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


def call(data: bytes) -> None:
    """A call with one message, or a stream of them, each behind two bytes of length."""
    name = METHODS[(data[0] if data else 0) % len(METHODS)]
    messages = rows(data[1:]) if name.endswith(("Ingest", "Report")) else [data[1:]]
    status = _calls().call(name, *messages)
    assert status not in _BUGS, f"{name} ended with {status}"


def rows(data: bytes) -> list[bytes]:
    """Byte strings, each behind two bytes of length."""
    found, position = [], 0
    while position + 2 <= len(data):
        size = int.from_bytes(data[position : position + 2], "big")
        found.append(data[position + 2 : position + 2 + size])
        position += 2 + size
    return found


def row(data: bytes) -> bytes:
    """The opposite of `rows`, for one."""
    return len(data).to_bytes(2, "big") + data


def _number(name: str) -> bytes:
    return bytes((next(at for at, codec in enumerate(CODECS) if codec[0] == name),))


MESSAGE_SHAPES = (
    Shape(_number("up") + b"\x12\x80\x80\x08", b"\x0a\x02\x08\x01"),
    Shape(_number("renew"), b"\x12\x00"),
    Shape(_number("verdicts"), b"\x0a\x03\x0a\x01a"),
    Shape(_number("report") + b"\x0a\x01p\x40\x01", b"\x52\x03\x0a\x01a"),
    Shape(_number("report") + b"\x0a\x01p\x40\x01", b"\x3a\x00"),
    Shape(_number("entry"), b"\x0a\x00"),
    Shape(_number("plan") + b"\x08\x01\x4a\x02\x10\x01", b"\x12\x04\x22\x02\x10\x01"),
    Shape(_number("source") + b"\x0a\x80\x80\x08", b"\x5a\x01\x01"),
)
