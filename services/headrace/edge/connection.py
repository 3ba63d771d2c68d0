"""One RTMP connection: bytes between the socket and `core.rtmp`, events to its sessions.

Law: synchronous from the read to the replay buffer; the socket is not read while a question is open or a session has no
room. Neighbours: `listener` makes these and wakes them once a second, `session` is one publish.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Protocol, cast

from headrace.core import rtmp
from headrace.core.errors import HeadraceError, RemoteProtocolError
from headrace.edge import metrics
from headrace.edge.budget import Budget
from headrace.edge.leases import Leases
from headrace.edge.pace import Pace
from headrace.edge.session import How, Session
from headrace.edge.settings import EdgeSettings
from headrace.runtime.aio.clock import monotonic_ms, unix_ns
from headrace.runtime.telemetry.logs import RateLimited, learn, logger
from headrace.runtime.telemetry.traces import Begun, Span, Tracer
from headrace.wire.control import SessionsClient
from headrace.wire.lines import SharedLines

FIRST_MEDIA_MS = 20_000  # between the accepted publish and its first media
MEDIA_IDLE_MS = 10_000  # without media after that: the encoder is gone, though its socket is not
QUIET_MS = 30_000  # a connection whose publish is over may begin another
UNREAD_MS = 10_000  # an encoder that does not read our answers
READ_ON_BYTES = 65_536  # in one read: there is more behind it
EVENTS_AT_ONCE = 256  # a flood of small messages must not hold up other connections; a read holds about a hundred
OPEN = 1  # TCP_ESTABLISHED in Linux' tcp_info: the encoder has not closed its end
CLOSE_AFTER_S = 1.0  # a refused encoder gets this long to read why
USER_TIMEOUT_MS = 15_000  # unacknowledged bytes for this long: the peer is gone

_log = logger(__name__)
_tracer = Tracer("edge")
_closed = RateLimited(_log, "RTMP connection closed")


class Parts(Protocol):
    """What all connections of a listener share."""

    settings: EdgeSettings
    budget: Budget
    control: SessionsClient
    leases: Leases
    transcoders: SharedLines
    connections: set["Connection"]
    pace: Pace

    @property
    def publishing(self) -> int:
        """How many sessions there are."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a session to its end, apart from all others."""


class Connection(asyncio.Protocol):
    """An encoder's connection."""

    peer = ""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rtmp = rtmp.ServerConnection(random=os.urandom(rtmp.RANDOM_BYTES))
        self._transport: asyncio.Transport | None = None
        self._sessions: dict[int, Session] = {}
        self._pausers: set[object] = set()
        self._resumed_ms = monotonic_ms()
        self._media_at_ms = monotonic_ms()
        self._media_came = False  # since the sessions were told
        self._media_seen = False
        self._published = False
        self._accepted_ns = unix_ns()  # 0 once a publish was asked for
        self._bytes = 0
        self._counted_bytes = 0
        self._said_all = False
        self._closed_for = ""
        self._unread_from_ms: int | None = None  # since when the encoder has not read what we say
        self._quiet_from_ms: int | None = None  # since when nothing is published any more

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was accepted."""
        # uvloop's transports have asyncio.Transport's methods, but are none of its kind.
        self._transport = cast(asyncio.Transport, transport)
        self._parts.connections.add(self)
        metrics.CONNECTIONS.inc()
        address = transport.get_extra_info("peername")
        if address is None:  # it was reset before we looked
            self._transport.abort()
            return
        self.peer = f"{address[0]}:{address[1]}"
        sock = transport.get_extra_info("socket")
        with suppress(OSError):  # as above
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)

    def data_received(self, data: bytes) -> None:
        """The socket was read."""
        self._bytes += len(data)
        try:
            self._rtmp.receive_data(data, monotonic_ms())
        except RemoteProtocolError as error:
            self._close(error.code, error)
            return
        # A socket that had much to give is read on, or its rests would bound its rate.
        if self._work() and len(data) < READ_ON_BYTES and self._parts.pace.rest(self._rested, self._parts.publishing):
            self._pause("rest")

    def eof_received(self) -> None:
        """The encoder sends no more; the transport closes."""

    def pause_writing(self) -> None:
        """The encoder does not read what we say: nor do we read what makes us say it."""
        self._unread_from_ms = monotonic_ms()
        self._pause("unread")

    def resume_writing(self) -> None:
        """It reads again."""
        self._unread_from_ms = None
        self._resume("unread")

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        self._parts.connections.discard(self)
        metrics.CONNECTIONS.dec()
        plain = "reset" if error or not self.peer else "closed" if self._bytes else "silent_probe"
        metrics.CLOSED.labels(self._closed_for or plain).inc()
        self._count()
        self._over(How.LOST)
        self._transport = None

    # The listener's side

    def tick(self, now_ms: int) -> None:
        """Once a second: metrics, RTMP's timers, and encoders that have gone silent."""
        self._count()
        if self._closed_for:
            return
        try:
            self._rtmp.handle_timer(now_ms)
        except RemoteProtocolError as error:
            self._close(error.code, error)
            return
        self._flush()
        if self._unread_from_ms is not None and now_ms - self._unread_from_ms > UNREAD_MS:
            self._close("unread", None)
        elif not self._sessions:
            self._quiet_from_ms = self._quiet_from_ms or now_ms
            if self._published and now_ms - self._quiet_from_ms > QUIET_MS:
                self._close("quiet", None)
        elif self._pausers:
            self._media_at_ms = now_ms
        elif now_ms - self._media_at_ms > (MEDIA_IDLE_MS if self._media_seen else FIRST_MEDIA_MS):
            self._close("media_idle", None)

    def stop(self) -> None:
        """This process ends: finish what was sent, then close."""
        if self._transport is not None and not self._sessions:
            self._transport.close()
        for session in self._sessions.values():
            session.over(How.ENDED, stopping=True)

    def abort(self) -> None:
        """Give the socket up at once."""
        if self._transport is not None:
            self._transport.abort()

    # The sessions' side (`session.Shell`)

    @property
    def reading_since_ms(self) -> int:
        """Since when the socket has been read without a rest of our doing; now, while it is not."""
        return monotonic_ms() if self._pausers else self._resumed_ms

    def accept(self, request_id: int) -> None:
        """The publish may start."""
        self._rtmp.accept(request_id)
        self._media_at_ms = monotonic_ms()
        self._published = True
        self._work()

    def refuse(self, request_id: int, code: str, description: str) -> None:
        """The publish may not start."""
        self._rtmp.reject(request_id, code, description)
        self._flush()
        self._close_if_idle()

    def fail(self, session: Session, code: str, description: str) -> None:
        """The publish is over by our doing."""
        if self._sessions.get(session.stream_id) is not session:
            return  # another publish has its place by now
        with suppress(rtmp.RtmpUsageError):  # the encoder ended it meanwhile: nobody is left to tell
            self._rtmp.end_publish(session.stream_id, code, description)
        self._flush()
        self._close_if_idle()

    def pause(self, session: Session) -> None:
        """Stop reading for a session's sake."""
        self._pause(session)

    def resume(self, session: Session) -> None:
        """A session has room again."""
        self._resume(session)

    # Inside

    def _take(self, event: rtmp.ServerEvent) -> None:
        match event:
            case rtmp.VideoReceived():
                stream_id, timestamp, data = event
                self._media_came = True
                if (session := self._sessions.get(stream_id)) is not None:
                    session.video(timestamp, data)
            case rtmp.AudioReceived():
                stream_id, timestamp, data = event
                self._media_came = True
                if (session := self._sessions.get(stream_id)) is not None:
                    session.audio(timestamp, data)
            case rtmp.MetadataReceived(stream_id=stream_id, values=values):
                if (session := self._sessions.get(stream_id)) is not None:
                    session.metadata(dict(values))
            case rtmp.ConnectRequested(id=request_id):
                # Which applications exist is control's to say, once the key is there too.
                self._rtmp.accept(request_id)
            case rtmp.PublishRequested():
                self._begin(event)
            case rtmp.PublishEnded(stream_id=stream_id):
                if (session := self._sessions.get(stream_id)) is not None:
                    session.over(How.ENDED)
            case rtmp.PeerNoise(kind=kind, count=count):
                metrics.NOISE.labels(kind).inc(count)
            case rtmp.HandshakeCompleted() | rtmp.PongReceived():
                pass

    def _begin(self, asked: rtmp.PublishRequested) -> None:
        parts = self._parts
        session = Session(
            asked, self, self._traced(), parts.control, parts.leases, parts.transcoders, parts.settings, parts.budget
        )
        self._sessions[asked.stream_id] = session
        self._quiet_from_ms = None
        # What the encoder sends before the answer stays in its socket.
        self._pause(asked.id)
        self._parts.spawn(self._life(session, asked.id))

    def _traced(self) -> Begun:
        """The root of a publish's trace; the first one begins with the socket."""
        since_ns, self._accepted_ns = self._accepted_ns, 0
        root = _tracer.arrival(Span.PUBLISH, since_ns)
        if since_ns:
            root.child(Span.CONNECT, since_ns).end()
        return root

    async def _life(self, session: Session, request_id: int) -> None:
        learn(peer=self.peer)
        try:
            await session.run(lambda: self._resume(request_id))
        except Exception:
            self.abort()  # our bug; the encoder shall not wait for its end
            raise
        finally:
            self._resume(request_id)
            if self._sessions.get(session.stream_id) is session:
                del self._sessions[session.stream_id]

    def _settle(self) -> None:
        """What came is taken: tell the sessions."""
        self._media_came, self._media_seen, self._media_at_ms = False, True, monotonic_ms()
        for session in self._sessions.values():
            session.settle()

    def _count(self) -> None:
        metrics.RECEIVED.inc(self._bytes - self._counted_bytes)
        self._counted_bytes = self._bytes
        for session in self._sessions.values():
            session.count()

    def _rested(self) -> None:
        self._resume("rest")

    def _work(self) -> bool:
        """Take what is there, but let other connections have their turn. Whether there was media."""
        next_event, take = self._rtmp.next_event, self._take
        try:
            for _ in range(EVENTS_AT_ONCE):
                event = next_event()
                if event is None:
                    self._resume("work")
                    break
                take(event)
            else:
                self._pause("work")
                asyncio.get_running_loop().call_soon(self._work)
        except RemoteProtocolError as error:
            self._flush()
            self._close(error.code, error)
            return False
        finally:
            if media := self._media_came:
                self._settle()
        self._flush()
        return media

    def _flush(self) -> None:
        data = self._rtmp.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing() and not self._said_all:
            if self._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != OPEN:
                return  # an answer to a closed socket is a reset, which would cost us what we have not read yet
            self._transport.write(data)

    def _pause(self, who: object) -> None:
        if not self._pausers and self._transport is not None:
            self._transport.pause_reading()
        self._pausers.add(who)

    def _resume(self, who: object) -> None:
        paused = bool(self._pausers)
        self._pausers.discard(who)
        if self._pausers or not paused:
            return
        if self._transport is not None and not self._transport.is_closing():
            self._media_at_ms = self._resumed_ms = monotonic_ms()
            self._transport.resume_reading()

    def _over(self, how: How) -> None:
        for session in self._sessions.values():
            session.over(how)

    def _close_if_idle(self) -> None:
        """After a refusal, unless another publish goes on: let the encoder read why, then close."""
        if self._rtmp.close_reason and self._transport is not None and not self._said_all:
            self._said_all = True
            if self._transport.can_write_eof():
                self._transport.write_eof()
            asyncio.get_running_loop().call_later(CLOSE_AFTER_S, self._transport.close)

    def _close(self, reason: str, error: HeadraceError | None) -> None:
        """Close for a fault of the peer's; a probe's is not worth a line at INFO."""
        if self._closed_for:
            return
        self._closed_for = reason
        level = logging.INFO if self._sessions else logging.DEBUG
        _closed({"reason": reason, "why": str(error or reason), "peer": self.peer}, level=level)
        self._over(How.LOST)
        if self._transport is not None:
            self._transport.close()
