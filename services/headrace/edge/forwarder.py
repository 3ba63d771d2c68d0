"""Sends one session's media to a transcoder, and hears how far it is.

Law: while a write is in flight frames gather; when it returns, all that gathered goes in one message. So low load adds
no delay and high load makes large messages. A transcoder that reads slowly stops the writes, and the replay buffer then
stops the socket. Neighbours: `replay` holds the frames, `wire.media` is the call.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from headrace.core.broadcast import Refused, Source
from headrace.core.broadcast.refusals import Reason
from headrace.edge import metrics
from headrace.edge.publish import Publish
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.aio.tasks import task_group
from headrace.wire import media
from headrace.wire.channel import open_channel
from headrace.wire.control import Allocated, OpenedSession
from headrace.wire.errors import WireError

BATCH_BYTES = 512 * 1024  # a message's media; larger ones only make the receiver's window coarser
ACCEPT_S = 20.0  # a transcoder's word after `open`: it starts a worker first
STALL_S = 15.0  # no progress for this long although media waits: the transcoder is lost
FENCED = "log_fenced"  # the error table's code where somebody took the run over in the middle of a call


class Outranked(Refused):
    """Somebody else holds the run in the log: whether this session is still the edge's is control's to say."""

    def __init__(self) -> None:
        super().__init__(Reason.BUSY, "another publish has taken this stream over")


class Ending(Enum):
    """What the transcoder is told last."""

    END = auto()
    HOLD = auto()


class Forwarder:
    """One Ingest call: `run` is its life, `finish` lets it end once all that was sent is in the log."""

    def __init__(
        self,
        opened: OpenedSession,
        allocated: Allocated,
        source: Source,
        publish: Publish,
        on_room: Callable[[], None],
    ) -> None:
        self._opened = opened
        self._allocated = allocated
        self._source = source
        self._publish = publish
        self._buffer = publish.buffer
        self._on_room = on_room
        self._ending: Ending | None = None
        self._has_said_all = False
        self._wakeup = asyncio.Event()
        self._progress_s = monotonic_s()

    def wake(self) -> None:
        """There may be something to send."""
        self._wakeup.set()

    def finish(self, ending: Ending) -> None:
        """No more frames come."""
        self._ending = ending
        self._wakeup.set()

    async def run(self) -> None:
        """Until everything is in the log. Raises Refused when the transcoder is lost or will not, Outranked."""
        try:
            async with open_channel(self._allocated.transcoders[0]) as channel:
                call = media.IngestClient(channel).ingest()
                try:
                    await self._open(call)
                    async with task_group() as group:
                        writing = group.create_task(self._write(call))
                        watching = group.create_task(self._watch())
                        await self._read(call)
                        watching.cancel()
                        if not self._has_said_all:
                            raise _lost("the transcoder ended the call")
                        writing.cancel()  # the answer to its last word may have come before it could go on
                finally:
                    call.cancel()
        except (media.IngestLost, WireError) as error:
            if error.code == FENCED:
                raise Outranked from error
            raise _lost(str(error)) from error

    async def _open(self, call: media.IngestCall) -> None:
        o = self._opened
        try:
            async with asyncio.timeout(ACCEPT_S):
                await call.write(
                    media.Open(
                        run=o.run,
                        session=o.session,
                        session_id=o.session_id,
                        attempt=1,
                        floor=0,
                        plan=self._allocated.plan,
                        source=self._source,
                        anchor_ms=self._publish.anchor_ms,
                        starts_at=o.starts_at,
                    )
                )
                answer = await call.read()
        except TimeoutError:
            raise _lost("the transcoder did not answer") from None
        if isinstance(answer, media.IngestRefused):
            # This is the session's only attempt, so an equal session's fence is that of another one.
            if answer.fence is not None and answer.fence.session >= o.session:
                raise Outranked
            raise Refused(Reason.NO_CAPACITY, answer.description)
        if not isinstance(answer, media.Accepted):
            raise _lost("the transcoder did not accept the run")
        self._progress_s = monotonic_s()

    async def _write(self, call: media.IngestCall) -> None:
        while True:
            frames = self._buffer.take(BATCH_BYTES)
            if frames:
                metrics.BATCHES.inc()
                await call.write(media.Frames(frames))
                continue
            if self._ending is not None:
                hold = media.Hold(self._publish.furthest)
                self._has_said_all = True
                await call.write(media.End() if self._ending is Ending.END else hold)
                await call.done_writing()
                self._progress_s = monotonic_s()
                return
            self._wakeup.clear()
            await self._wakeup.wait()

    async def _read(self, call: media.IngestCall) -> None:
        while (step := await call.read()) is not None:
            if isinstance(step, media.Progress):
                self._progress_s = monotonic_s()
                self._buffer.published(step.published_through)
                self._buffer.trim(step.durable_through)
                self._on_room()
            elif isinstance(step, media.IngestRefused):
                raise _lost(step.description)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            waiting = self._buffer.full or self._ending is not None
            if not waiting:
                self._progress_s = monotonic_s()
            elif monotonic_s() - self._progress_s > STALL_S:
                raise _lost(f"the transcoder made no progress for {STALL_S:.0f} s")


def _lost(why: str) -> Refused:
    return Refused(Reason.WORKER_LOST, f"the media could not be processed ({why}); please publish again")
