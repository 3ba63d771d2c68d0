"""One publish inside a connection, from the question to the last byte in the log.

Law: read top-down as a story: ask control, describe the source, get a transcoder, forward, release. A session never
outlives its forwarder's flush. Neighbours: `connection` feeds it, `publish` makes frames, `forwarder` sends them;
`lent` speaks to control of it, `leases` hears whether it goes on.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from headrace.core import rtmp
from headrace.core.broadcast import Refused, SignedLease, Source
from headrace.core.broadcast.refusals import Reason
from headrace.edge import metrics
from headrace.edge.budget import Budget
from headrace.edge.forwarder import Ending, Forwarder, Outranked, Untrusted
from headrace.edge.leases import Leases
from headrace.edge.lent import Lent
from headrace.edge.publish import Publish
from headrace.edge.replay import ReplayBuffer
from headrace.edge.settings import EdgeSettings
from headrace.edge.statuses import STATUS
from headrace.runtime.aio.clock import monotonic_ms, monotonic_s
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, learn, logger
from headrace.runtime.telemetry.traces import Begun, Span
from headrace.wire.control import HeldSession, OpenedSession, ReleaseReason, SessionsClient
from headrace.wire.lines import SharedLines

DESCRIBE_S = 20.0  # the longest GOP that a profile may ask for passes in half of it, at most links' speed
STOP_FLUSH_S = 2.5  # with what follows in standalone, the process stops within 5 s

_log = logger(__name__)
_begun = RateLimited(_log, "publish", at_most=FOR_EACH)
_over = RateLimited(_log, "publish over", at_most=FOR_EACH)
_refused = {reason: RateLimited(_log, "publish refused") for reason in Reason}  # who guesses keys hides no other one


class Shell(Protocol):
    """What a session needs of its connection."""

    peer: str

    @property
    def reading_since_ms(self) -> int:
        """Since when the socket has been read without a rest of our doing; now, while it is not."""

    def accept(self, request_id: int) -> None:
        """Tell the encoder to send."""

    def refuse(self, request_id: int, code: str, description: str) -> None:
        """Tell the encoder why not, then close."""

    def fail(self, session: "Session", code: str, description: str) -> None:
        """Tell the encoder that an accepted publish is over, then close."""

    def pause(self, session: "Session") -> None:
        """Stop reading the socket for this session's sake."""

    def resume(self, session: "Session") -> None:
        """This session can take more."""


class How(Enum):
    """How a publish ended, as the connection saw it."""

    ENDED = ReleaseReason.ENDED
    LOST = ReleaseReason.LOST


class Session:
    """One publish. The connection calls `metadata`, `video` and `audio`, `settle` after each read, `count` and `over`.

    `run` is its life.
    """

    def __init__(
        self,
        asked: rtmp.PublishRequested,
        shell: Shell,
        span: Begun,
        control: SessionsClient,
        leases: Leases,
        transcoders: SharedLines,
        settings: EdgeSettings,
        budget: Budget,
    ) -> None:
        self.stream_id = asked.stream_id
        self._asked_s = monotonic_s()
        self._asked = asked
        self._shell = shell
        self._span = span
        self._lent = Lent(control, settings.pod_name, shell.peer)
        self._leases = leases
        self._transcoders = transcoders
        self._settings = settings
        self._budget = budget
        self._publish: Publish | None = None
        self._media_came = False
        self._media_at_ms = 0
        self._how: How | None = None
        self._stopping = False
        self._refusal: Refused | None = None
        self._changed = asyncio.Event()
        self._paused = False
        self._forwarder: Forwarder | None = None

    # What the connection says

    def metadata(self, values: dict[str, object]) -> None:
        """onMetaData arrived."""
        if self._publish is not None and self._how is None:
            self._publish.metadata(values)

    def video(self, timestamp: int, body: bytes) -> None:
        """A video message arrived."""
        self._media_came = True
        if self._publish is not None and self._how is None:
            try:
                self._publish.video(timestamp, body)
            except Refused as refusal:
                self._refuse(refusal)

    def audio(self, timestamp: int, body: bytes) -> None:
        """An audio message arrived."""
        self._media_came = True
        if self._publish is not None and self._how is None:
            try:
                self._publish.audio(timestamp, body)
            except Refused as refusal:
                self._refuse(refusal)

    def over(self, how: How, *, stopping: bool = False) -> None:
        """The encoder ended (or lost) it; `stopping`: this process ends, so be quick."""
        if self._how is None:
            self._how = how
            self._stopping = stopping
            self._changed.set()

    def settle(self) -> None:
        """What was read is taken: let it be sent, and have no more read where there is no room."""
        if self._media_came:
            self._media_came, self._media_at_ms = False, monotonic_ms()
        if self._publish is None:
            return
        if self._forwarder is not None:
            self._forwarder.wake()
        else:
            self._changed.set()
        if not self._paused and self._publish.buffer.full:
            self._paused = True
            metrics.PAUSES.inc()
            self._shell.pause(self)

    # What `leases` asks and says

    @property
    def session_id(self) -> str:
        """Its name."""
        return self._lent.id

    @property
    def held(self) -> HeldSession:
        """As control is told of it. Only of a session that was opened."""
        return self._lent.held(self._publish.anchor_ms if self._publish is not None else 0)

    def idle_ms(self) -> int:
        """How long no media has come, though its socket was read."""
        since_ms = max(self._media_at_ms, self._shell.reading_since_ms)  # first: while nothing is read it is the time
        return monotonic_ms() - since_ms

    def renew(self, lease: SignedLease) -> None:
        """Control has signed another token for it."""
        self._lent.renew(lease)

    def lose(self, refusal: Refused) -> None:
        """Control says that it is over: nobody is asked or told any more."""
        self._lent.over = True
        self._refuse(refusal)

    def count(self) -> None:
        """Once a second, and at the end: let the metrics know."""
        if self._publish is not None:
            self._publish.count()
        if self._forwarder is not None:
            self._forwarder.count()

    def _refuse(self, refusal: Refused) -> None:
        self._refusal = refusal
        self._changed.set()

    def _on_room(self) -> None:
        assert self._publish is not None
        if self._paused and not self._publish.buffer.full:
            self._paused = False
            self._shell.resume(self)

    # Its life

    async def run(self, on_answered: Callable[[], None]) -> None:
        """From the question to the release; `on_answered` once the encoder has its answer.

        Raises nothing that the encoder could have caused.
        """
        if self._how is not None:
            return  # withdrawn before anybody was asked
        try:
            with self._span.child(Span.OPEN_SESSION):
                opened = await self._open()
        except Refused as refusal:
            self._count(refusal)
            self._shell.refuse(self._asked.id, STATUS[refusal.reason], refusal.description)
            if refusal.reason is Reason.UNAVAILABLE:
                await self._lent.disown()
            return
        learn(stream=opened.stream, run=opened.run, session=opened.session)
        self._span.join(opened.run, stream=opened.stream, session=opened.session)
        self._media_at_ms = monotonic_ms()
        buffer = ReplayBuffer(self._settings.replay_bytes, self._budget)
        self._publish = Publish(opened, buffer)
        self._leases.hold(self, opened.lease_s)
        _begun({"peer": self._shell.peer}, level=logging.INFO)
        reason = ReleaseReason.FAILED
        metrics.PUBLISHERS.inc()
        try:
            self._shell.accept(self._asked.id)
            on_answered()
            await self._forward(opened, self._publish)
            reason = self._how.value if self._how else ReleaseReason.FAILED
        except Outranked as outranked:
            reason = ReleaseReason.LOST  # the run is not ours to end
            self._fail(await self._lent.judged(self._publish.anchor_ms, outranked))
        except Untrusted as untrusted:
            reason = ReleaseReason.LOST  # another edge may be trusted with it
            self._fail(untrusted)
        except Refused as refusal:
            self._fail(refusal)
        except asyncio.CancelledError:
            self._stopping = True  # whatever this publish was doing, the process ends
            raise
        finally:
            metrics.PUBLISHERS.dec()
            self._span.end()
            self.count()
            buffer.clear()
            self._on_room()
            self._leases.drop(self)
            await self._lent.release(reason, patiently=not self._stopping)
            why = "NOT_HELD" if self._lent.over else reason.name
            _over({"reason": why}, level=logging.INFO)

    async def _open(self) -> OpenedSession:
        if not self._budget.admits:
            raise Refused(Reason.NO_CAPACITY, "this server's memory for media is full, please try again later")
        target = self._asked.target
        if not target.key.reveal():
            raise Refused(Reason.BAD_KEY, "no stream key given")
        return await self._lent.open(target.app, target.key)

    async def _forward(self, opened: OpenedSession, publish: Publish) -> None:
        with self._span.child(Span.DESCRIBE):
            source = await self._described(publish)
        if source is None:  # it ended before it had sent a picture
            await self._closing()
            return
        with self._span.child(Span.ALLOCATE):
            allocated = await self._lent.allocate(source, publish.anchor_ms)
        self._forwarder = Forwarder(
            opened,
            allocated,
            source,
            publish,
            lambda: self._lent.token,
            self._transcoders,
            self._on_room,
            self._asked_s,
            self._span,
        )
        async with task_group() as group:
            ending = group.create_task(self._until_over(self._forwarder, group))
            try:
                await self._forwarder.run()
            except Untrusted:
                # Once, and with the same attempt: control's clock or key may have been another when it signed.
                if not await self._lent.vouched(publish.anchor_ms):
                    raise
                await self._forwarder.run()
            ending.cancel()

    async def _described(self, publish: Publish) -> Source | None:
        """The source; None if the publish ended without a picture. Raises Refused."""
        try:
            async with asyncio.timeout(DESCRIBE_S):
                while True:
                    if self._refusal is not None:
                        raise self._refusal
                    # A full buffer cannot wait for more: nothing leaves it before there is a transcoder.
                    source = publish.described(now=self._how is not None or publish.buffer.full)
                    if source is not None or self._how is not None:
                        return source
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            source = publish.described(now=True)
            if source is None:
                raise Refused(
                    Reason.NO_VIDEO, f"no H.264 keyframe arrived within {DESCRIBE_S:.0f} s of publishing"
                ) from None
            return source

    async def _until_over(self, forwarder: Forwarder, group: asyncio.TaskGroup) -> None:
        while self._how is None and self._refusal is None:
            self._changed.clear()
            await self._changed.wait()
        if self._refusal is not None:
            raise self._refusal
        group.create_task(self._closing())  # beside the flush, which must not wait for a control that is away
        forwarder.finish(Ending.HOLD if self._how is How.LOST else Ending.END)
        if self._stopping:
            await asyncio.sleep(STOP_FLUSH_S)
            raise Refused(Reason.UNAVAILABLE, "this server is stopping")

    async def _closing(self) -> None:
        if self._how is not None:
            await self._lent.closing(self._how.value)

    def _fail(self, refusal: Refused) -> None:
        self._count(refusal)
        self._shell.fail(self, STATUS[refusal.reason], refusal.description)

    def _count(self, refusal: Refused) -> None:
        self._span.fail(refusal.code)
        metrics.REFUSED.labels(refusal.code).inc()
        _refused[refusal.reason]({"reason": refusal.code, "why": refusal.description, "peer": self._shell.peer})
