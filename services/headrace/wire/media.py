"""The Ingest stream: a publisher's media on its way from edge to transcoder, and the log's progress back.

Law: `Open` comes first and only once, `Hold` or `End` comes last; what breaks that order is a WireError to its sender.
A write waits for the receiver to read: nothing queues here. A call lasts for hours, so each of its steps has a
deadline, and pings find who is not there any more. Neighbours: the edge's forwarder holds an IngestCall, the
transcoder's server an IngestStream; `steps` has the messages.
"""

import asyncio
from collections.abc import Awaitable, Callable

from grpc import StatusCode
from grpc.aio import AioRpcError, Channel, Server, StreamStreamMultiCallable, UsageError

from headrace.core.broadcast import Hold
from headrace.wire import calls
from headrace.wire.context import carried
from headrace.wire.errors import CallLost, WireError
from headrace.wire.measuring import MadeCall
from headrace.wire.steps import (
    Accepted,
    Down,
    Draining,
    End,
    Frames,
    IngestRefused,
    Open,
    Progress,
    Up,
    down_from_bytes,
    down_to_bytes,
    up_from_bytes,
    up_to_bytes,
)
from headrace.wire.v1 import media_pb2 as pb

__all__ = [
    "Accepted",
    "Down",
    "Draining",
    "End",
    "Frames",
    "Hold",
    "IngestCall",
    "IngestClient",
    "IngestHandler",
    "IngestLost",
    "IngestRefused",
    "IngestStream",
    "Open",
    "Progress",
    "Up",
    "add_ingest",
]

OPEN_WITHIN_S = 5.0  # a caller that opens a call has its `Open` at hand
ANSWER_S = 20.0  # a transcoder's word after `Open`: it takes the run over, and starts a worker first
MEDIA_WITHIN_S = 30.0  # an edge gives a publisher up that sends no media for 10 s
TAKEN_WITHIN_S = 30.0  # progress is a few bytes, three times a second: an edge reads it, or stands still

_INGEST = calls.path(pb.DESCRIPTOR, "Ingest", "Ingest")


class IngestLost(CallLost):
    """The call did not end in order: the other side is gone, silent, or failed."""

    code = "ingest_lost"


class IngestCall:
    """The edge's side of one call. One task may write while another reads.

    A task that is cancelled in `read` or `write` (so by a timeout, too) takes the call with it.
    """

    def __init__(self, channel: Channel) -> None:
        method: StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(_INGEST)
        self._measured = MadeCall(_INGEST)
        self._call = method(metadata=carried())

    async def open(self, opened: Open) -> Accepted | IngestRefused:
        """Send `opened`, and wait for the transcoder's word. Raises IngestLost, WireError."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.write(opened)
                answer = await self.read()
        except TimeoutError:
            raise IngestLost("the transcoder did not answer") from None
        if not isinstance(answer, Accepted | IngestRefused):
            raise IngestLost("the transcoder did not accept the run")
        return answer

    async def write(self, step: Up) -> None:
        """Send; waits while the transcoder does not read. Raises IngestLost."""
        try:
            await self._call.write(up_to_bytes(step))
        except (AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError) as error:
            raise self._lost(error) from error

    async def done_writing(self) -> None:
        """After `Hold` or `End`: nothing more comes."""
        await self._call.done_writing()

    async def read(self) -> Down | None:
        """The next message; None once the transcoder has ended the call in order. Raises IngestLost, WireError."""
        try:
            data = await self._call.read()
        except (AioRpcError, asyncio.CancelledError) as error:
            raise self._lost(error) from error
        if isinstance(data, bytes):
            return down_from_bytes(data)
        self._measured.ended(StatusCode.OK)
        return None

    def cancel(self) -> None:
        """Give the call up; it does nothing where the call is over."""
        self._call.cancel()
        self._measured.ended(StatusCode.CANCELLED)

    def _lost(self, error: BaseException) -> BaseException:
        if isinstance(error, AioRpcError):
            self._measured.ended(error.code())
            why = calls.lost(error)
            return IngestLost(str(why), code=None if why.code == CallLost.code else why.code)
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            return error
        return IngestLost("the call is over")


class IngestClient:
    """Opens calls on a channel to one transcoder."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def ingest(self) -> IngestCall:
        """A new call: `open` it first. How long a transcoder may make no progress is for its caller to say."""
        return IngestCall(self._channel)


class IngestStream:
    """The transcoder's side of one call. One task may write while another reads."""

    def __init__(self, context: calls.Context) -> None:
        self._context = context
        self._finished = False

    async def read(self) -> Frames | Hold | End | None:
        """The next message; None after `Hold` or `End`. Not reading stops the edge.

        Raises IngestLost where the edge went without either or says nothing, WireError (which, let through, tells the
        edge).
        """
        step = await self.read_any(MEDIA_WITHIN_S)
        if isinstance(step, Open):
            raise WireError("Open: only the first message may be one")
        if step is None and not self._finished:
            raise IngestLost("the edge is gone")
        if isinstance(step, Frames) and self._finished:
            raise WireError("Frames: after Hold or End")
        self._finished = self._finished or isinstance(step, Hold | End)
        return step

    async def read_any(self, within_s: float) -> Up | None:
        """The next message whatever it is, None at the end. Raises IngestLost where none comes within `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                data = await self._context.read()
        except TimeoutError:
            raise IngestLost(f"the edge said nothing for {within_s:g} s") from None
        return up_from_bytes(data) if isinstance(data, bytes) else None

    async def write(self, step: Down) -> None:
        """Send. Raises IngestLost, also where the edge does not read."""
        try:
            async with asyncio.timeout(TAKEN_WITHIN_S):
                await self._context.write(down_to_bytes(step))
        except UsageError as error:
            raise IngestLost("the call is over") from error
        except TimeoutError:
            raise IngestLost(f"the edge read nothing for {TAKEN_WITHIN_S:g} s") from None


IngestHandler = Callable[[Open, IngestStream], Awaitable[None]]
"""Serves one call from its `Open` on: writes `Accepted` (or `IngestRefused`, and returns), reads to the end, returns
once all is in the log. It is cancelled when the edge is lost. A HeadraceError that it raises ends the edge's call with
that error's code."""


def add_ingest(server: Server, handler: IngestHandler) -> None:
    """Let `server` serve Ingest calls by `handler`."""

    async def handle(context: calls.Context) -> None:
        stream = IngestStream(context)
        opened = await stream.read_any(OPEN_WITHIN_S)
        if not isinstance(opened, Open):
            raise WireError("Open: the first message must be one")
        await handler(opened, stream)

    calls.add_service(server, {_INGEST: calls.stream_handler(handle)})
