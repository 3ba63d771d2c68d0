"""What edges and transcoders say to control: sessions and the fleet's reports.

Law: every call of Sessions has a deadline and may be made twice, and all that can go wrong with one is `Refused`:
control's own words where it gave them, else `unavailable`. A call of Fleet lasts, so each of its steps has a deadline.
Neighbours: control's gRPC skin implements SessionsHandler and FleetHandler, the edge holds SessionsClient, `reporting`
FleetClient; `control_messages` has what they say.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from grpc.aio import AioRpcError, Channel, Server, StreamUnaryMultiCallable

from headrace.core.broadcast import Refused, Source, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.wire import calls, gate
from headrace.wire.control_messages import (
    REASON_NUMBERS,
    Allocated,
    HeldSession,
    OpenedSession,
    PodKind,
    PodReport,
    ReleaseReason,
    SessionReport,
    Verdict,
    allocated_from_bytes,
    allocated_to_bytes,
    opened_from_bytes,
    opened_to_bytes,
    reason_from_wire,
    renew_from_bytes,
    renew_to_bytes,
    report_from_bytes,
    report_to_bytes,
    verdicts_from_bytes,
    verdicts_to_bytes,
)
from headrace.wire.errors import CallLost, WireError
from headrace.wire.measuring import MadeCall
from headrace.wire.replicas import Replicas
from headrace.wire.types import parse, require, source_from_wire, source_to_wire
from headrace.wire.v1 import control_pb2 as pb

__all__ = [
    "Allocated",
    "FleetClient",
    "FleetHandler",
    "HeldSession",
    "OpenedSession",
    "PodKind",
    "PodReport",
    "ReleaseReason",
    "SessionReport",
    "SessionsClient",
    "SessionsHandler",
    "Verdict",
    "add_fleet",
    "add_sessions",
]

T = TypeVar("T")

OPEN_DEADLINE_S = 10.0  # control may let a publish wait 5 s for the one before it
ALLOCATE_DEADLINE_S = 10.0
RENEW_DEADLINE_S = 4.0  # less than a third of a lease: the next one asks again
RELEASE_DEADLINE_S = 5.0
REPORT_DEADLINE_S = 3.0  # for one report to go out: after as many, a pod counts as silent
REPORT_WITHIN_S = 10.0
"""A pod that stands still, and yet answers pings, is let go this long after its last word, or half as long."""

_REASON_CODES = frozenset(reason.value for reason in Reason)

_OPEN_SESSION = calls.path(pb.DESCRIPTOR, "Sessions", "OpenSession")
_ALLOCATE = calls.path(pb.DESCRIPTOR, "Sessions", "Allocate")
_RENEW = calls.path(pb.DESCRIPTOR, "Sessions", "Renew")
_RELEASE = calls.path(pb.DESCRIPTOR, "Sessions", "Release")
_REPORT = calls.path(pb.DESCRIPTOR, "Fleet", "Report")


class SessionsHandler(Protocol):
    """What control does. Each raises Refused, which reaches the caller as it is."""

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        """A key was presented: which stream is it, and may it publish now?

        `session_id` is random and names the session from now on: who asks again gets the first answer again.
        """

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """The source is described: make the plan (once per run) and name a transcoder."""

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        """These sessions are still there: which of them are the edge's no more? One verdict for each, in order."""

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        """The publisher is gone; `flushed`: all that it sent is in the log."""


FleetHandler = Callable[[AsyncIterator[PodReport]], Awaitable[None]]
"""Reads one pod's reports to their end, which says that the pod is gone. Where it is lost the handler may be cancelled
instead: gRPC does not promise which of the two is seen first."""


class SessionsClient:
    """Asks control: any replica, and one that is not there yet is waited for, up to each call's deadline."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        """`app`: the RTMP application, `edge`: this pod's name, `peer`: the encoder's host:port.

        `session_id` is random and new: it names the session, so that any replica may be asked again. Raises Refused.
        """
        request = pb.OpenSessionRequest(app=app, key=key.reveal(), edge=edge, peer=peer, session_id=session_id)
        return await self._ask(_OPEN_SESSION, request.SerializeToString(), OPEN_DEADLINE_S, opened_from_bytes)

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """The run's plan and its transcoders. `anchor_ms`: Unix time in ms at timeline 0. Raises Refused."""
        request = pb.AllocateRequest(session_id=session_id, source=source_to_wire(source), anchor_ms=anchor_ms)
        return await self._ask(_ALLOCATE, request.SerializeToString(), ALLOCATE_DEADLINE_S, allocated_from_bytes)

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        """Hold `sessions` for another lease; one verdict for each, in order. Raises Refused: nothing is known then."""
        verdicts = await self._ask(_RENEW, renew_to_bytes(edge, sessions), RENEW_DEADLINE_S, verdicts_from_bytes)
        if [one.session_id for one in verdicts] != [one.session_id for one in sessions]:
            raise Refused(Reason.UNAVAILABLE, "The service's answer was about other sessions.")
        return verdicts

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        """The publisher is gone. Raises Refused where control could not be told: it finds out by itself, later."""
        request = pb.ReleaseRequest(session_id=session_id, reason=REASON_NUMBERS[reason], flushed=flushed)
        await self._ask(_RELEASE, request.SerializeToString(), RELEASE_DEADLINE_S, pb.ReleaseResponse.FromString)

    async def _ask(self, full: str, request: bytes, deadline_s: float, decode: Callable[[bytes], T]) -> T:
        try:
            return decode(await self._replicas.ask(full, request, deadline_s))
        except CallLost as lost:
            if lost.code in _REASON_CODES:
                raise Refused(Reason(lost.code), str(lost)) from lost
            raise Refused(Reason.UNAVAILABLE, "The service does not answer, try again in a moment.") from lost
        except WireError as error:
            raise Refused(Reason.UNAVAILABLE, "The service's answer was not understood, try again.") from error


class FleetClient:
    """Reports to one replica of control."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def report(self, reports: AsyncIterator[PodReport]) -> None:
        """Send what `reports` yields until it ends; one that is asked for next was preceded by one that went out.

        Raises CallLost: then report anew.
        """
        method: StreamUnaryMultiCallable[bytes, bytes] = self._channel.stream_unary(_REPORT)
        call = method()
        try:
            with MadeCall(_REPORT):
                async for report in reports:
                    async with asyncio.timeout(REPORT_DEADLINE_S):
                        await call.write(report_to_bytes(report))
                async with asyncio.timeout(REPORT_DEADLINE_S):
                    await call.done_writing()
                    await call
        except AioRpcError as error:
            raise calls.lost(error) from error
        except asyncio.InvalidStateError as error:
            raise CallLost("control ended the call") from error
        except TimeoutError as error:
            raise CallLost("control neither reads nor answers") from error
        finally:
            call.cancel()


def add_sessions(server: Server, handler: SessionsHandler) -> None:
    """Let `server` serve Sessions by `handler`."""

    async def open_session(data: bytes) -> bytes:
        request = parse(pb.OpenSessionRequest, data)
        if not request.session_id:
            raise WireError("OpenSessionRequest.session_id: missing")
        key, session_id = StreamKey(request.key), request.session_id
        return opened_to_bytes(await handler.open_session(request.app, key, request.edge, request.peer, session_id))

    async def allocate(data: bytes) -> bytes:
        request = parse(pb.AllocateRequest, data)
        require(request, "source")
        source = source_from_wire(request.source)
        return allocated_to_bytes(await handler.allocate(request.session_id, source, request.anchor_ms))

    async def renew(data: bytes) -> bytes:
        return verdicts_to_bytes(await handler.renew(*renew_from_bytes(data)))

    async def release(data: bytes) -> bytes:
        request = parse(pb.ReleaseRequest, data)
        reason = reason_from_wire(request.reason)
        await handler.release(request.session_id, reason, flushed=request.flushed)
        return pb.ReleaseResponse().SerializeToString()

    calls.add_service(
        server,
        {
            _OPEN_SESSION: calls.unary_handler(open_session),
            _ALLOCATE: calls.unary_handler(allocate),
            _RENEW: calls.unary_handler(renew),
            _RELEASE: calls.unary_handler(release),
        },
    )


def add_fleet(server: Server, handler: FleetHandler) -> None:
    """Let `server` serve Fleet by `handler`."""

    async def report(_: AsyncIterator[bytes], context: calls.Context) -> bytes:
        try:
            async with asyncio.timeout(REPORT_WITHIN_S) as silence:
                await handler(_reports(context, silence))
        except TimeoutError:
            raise CallLost(f"the pod reported nothing for {REPORT_WITHIN_S:g} s") from None
        return pb.ReportResponse().SerializeToString()

    calls.add_service(server, {_REPORT: calls.client_stream_handler(report)})


async def _reports(context: calls.Context, silence: asyncio.Timeout) -> AsyncIterator[PodReport]:
    """Most pods say what they said a second ago: that is read once. Raises NotAllowed for another role's report."""
    role, clock = gate.caller(context), asyncio.get_running_loop().time
    said, report = b"", None
    while isinstance(data := await context.read(), bytes):
        now_s, ends_s = clock(), silence.when() or 0.0
        if ends_s - now_s < REPORT_WITHIN_S / 2:  # not with each of them: a thousand pods report each second
            silence.reschedule(now_s + REPORT_WITHIN_S)
        if report is None or data != said:
            said, report = data, report_from_bytes(data)
            if role is not None and report.kind.value != role.value:
                raise gate.kind_refused(role, report.kind.value)
        yield report
