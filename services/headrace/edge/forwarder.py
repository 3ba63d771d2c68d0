"""Sends one session's media to a transcoder, and hears how far it is.

Law: while a write is in flight frames gather; when it returns, all that gathered goes in one message. So low load adds
no delay and high load makes large messages. A transcoder that reads slowly stops the writes, and the replay buffer then
stops the socket. Neighbours: `replay` holds the frames, `wire.media` is the call.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from headrace.core.broadcast import LeaseFault, LeaseToken, Refused, Source
from headrace.core.broadcast.refusals import Reason
from headrace.edge import metrics
from headrace.edge.publish import Publish
from headrace.edge.replay import FRAME_BYTES
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.telemetry.logs import RateLimited, learn, logger
from headrace.runtime.telemetry.traces import Attribute, Begun, Span
from headrace.wire import media
from headrace.wire.channel import Channel
from headrace.wire.control import Allocated, OpenedSession
from headrace.wire.errors import CallLost, WireError
from headrace.wire.lines import SharedLines

BATCH_BYTES = 512 * 1024  # a message's media; larger ones only make the receiver's window coarser
STALL_S = 15.0  # no progress for this long although media waits: the transcoder is lost
FENCED = "log_fenced"  # the error table's code where somebody took the run over in the middle of a call

_FAULTS = frozenset(fault.value for fault in LeaseFault)

_untrusted = RateLimited(logger(__name__), "a transcoder does not trust this edge's lease token")


class Outranked(Refused):
    """Somebody else holds the run in the log: whether this session is still the edge's is control's to say."""

    def __init__(self) -> None:
        super().__init__(Reason.BUSY, "another publish has taken this stream over")


class Untrusted(Refused):
    """The transcoder takes this edge for a foreign one, by the lease token that it was shown."""

    def __init__(self) -> None:
        super().__init__(Reason.UNAVAILABLE, "the service does not trust this server with the stream, publish again")


class Ending(Enum):
    """What the transcoder is told last."""

    END = auto()
    HOLD = auto()


class Forwarder:
    """One Ingest call: `run` is its life, `finish` lets it end once all that was sent is in the log.

    `token` gives what transcoders are shown, `asked_s` is when the encoder asked to publish, monotonic seconds. `span`
    is the publish's: it is over once the first media is published.
    """

    def __init__(
        self,
        opened: OpenedSession,
        allocated: Allocated,
        source: Source,
        publish: Publish,
        token: Callable[[], LeaseToken | None],
        transcoders: SharedLines,
        on_room: Callable[[], None],
        asked_s: float,
        span: Begun,
    ) -> None:
        self._opened = opened
        self._allocated = allocated
        self._source = source
        self._publish = publish
        self._buffer = publish.buffer
        self._token = token
        self._transcoders = transcoders
        self._on_room = on_room
        self._asked_s: float | None = asked_s
        self._span = span
        self._ending: Ending | None = None
        self._has_said_all = False
        self._wakeup = asyncio.Event()
        self._progress_s = monotonic_s()
        self._batches = self._frames = self._bytes = 0  # sent since `count`

    def count(self) -> None:
        """Let the metrics know what was sent since the last call."""
        metrics.BATCHES.inc(self._batches)
        metrics.SENT_FRAMES.inc(self._frames)
        metrics.SENT_BYTES.inc(self._bytes - FRAME_BYTES * self._frames)
        self._batches = self._frames = self._bytes = 0

    def wake(self) -> None:
        """There may be something to send."""
        self._wakeup.set()

    def finish(self, ending: Ending) -> None:
        """No more frames come."""
        self._ending = ending
        self._wakeup.set()

    async def run(self) -> None:
        """Until everything is in the log.

        Raises Refused when the transcoder is lost or will not; Outranked; Untrusted, and then it may be run once more.
        """
        learn(attempt=1)
        try:
            target = self._allocated.transcoders[0]
            async with self._transcoders.channel(target) as channel:
                call = await self._dialled(channel)
                try:
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
        except (CallLost, WireError) as error:
            if error.code == FENCED:
                raise Outranked from error
            raise _lost(str(error)) from error

    async def _dialled(self, channel: Channel) -> media.IngestCall:
        """A call that the transcoder has accepted."""
        with self._span.child(Span.INGEST) as span:
            span.set(Attribute.ATTEMPT, 1)
            call = media.IngestClient(channel).ingest()
            try:
                await self._open(call)
            except BaseException:
                call.cancel()
                raise
            return call

    async def _open(self, call: media.IngestCall) -> None:
        o = self._opened
        answer = await call.open(
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
                token=self._token(),
            )
        )
        if isinstance(answer, media.IngestRefused):
            # This is the session's only attempt, so an equal session's fence is that of another one.
            if answer.fence is not None and answer.fence.session >= o.session:
                raise Outranked
            if answer.code in _FAULTS:
                metrics.UNTRUSTED.labels(answer.code).inc()
                _untrusted({"run": o.run, "transcoder": self._allocated.transcoders[0], "code": answer.code})
                raise Untrusted
            raise Refused(Reason.NO_CAPACITY, answer.description)
        self._progress_s = monotonic_s()

    async def _write(self, call: media.IngestCall) -> None:
        while True:
            unsent_bytes = self._buffer.unsent_bytes
            frames = self._buffer.take(BATCH_BYTES)
            if frames:
                self._batches += 1
                self._frames += len(frames)
                self._bytes += unsent_bytes - self._buffer.unsent_bytes
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
                if self._asked_s is not None and step.published_through > self._opened.starts_at:
                    metrics.FIRST_PART.observe(self._progress_s - self._asked_s)
                    self._asked_s = None
                    self._span.end()
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
