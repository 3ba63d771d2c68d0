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
from headrace.edge.session import How, Session
from headrace.edge.settings import EdgeSettings
from headrace.runtime.aio.clock import monotonic_ms
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import SessionsClient

FIRST_MEDIA_MS = 20_000  # between the accepted publish and its first media
MEDIA_IDLE_MS = 10_000  # without media after that: the encoder is gone, though its socket is not
OPEN = 1  # TCP_ESTABLISHED in Linux' tcp_info: the encoder has not closed its end
CLOSE_AFTER_S = 1.0  # a refused encoder gets this long to read why
USER_TIMEOUT_MS = 15_000  # unacknowledged bytes for this long: the peer is gone

_log = logger(__name__)
_closed = RateLimited(_log, "RTMP connection closed")


class Parts(Protocol):
    """What all connections of a listener share."""

    settings: EdgeSettings
    budget: Budget
    control: SessionsClient
    connections: set["Connection"]

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
        self._media_at_ms = monotonic_ms()
        self._media_seen = False
        self._bytes = 0
        self._said_all = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was accepted."""
        # uvloop's transports have asyncio.Transport's methods, but are none of its kind.
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername")[:2]
        self.peer = f"{host}:{port}"
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        self._parts.connections.add(self)
        metrics.CONNECTIONS.inc()

    def data_received(self, data: bytes) -> None:
        """The socket was read."""
        self._bytes += len(data)
        metrics.RECEIVED.inc(len(data))
        try:
            self._rtmp.receive_data(data, monotonic_ms())
            while (event := self._rtmp.next_event()) is not None:
                self._take(event)
        except RemoteProtocolError as error:
            self._flush()
            self._close(error.code, error)
            return
        self._flush()

    def eof_received(self) -> None:
        """The encoder sends no more; the transport closes."""

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        self._parts.connections.discard(self)
        metrics.CONNECTIONS.dec()
        metrics.CLOSED.labels("reset" if error else "silent_probe" if not self._bytes else "closed").inc()
        self._over(How.LOST)
        self._transport = None

    # The listener's side

    def tick(self, now_ms: int) -> None:
        """Once a second: RTMP's timers, and encoders that have gone silent."""
        try:
            self._rtmp.handle_timer(now_ms)
        except RemoteProtocolError as error:
            self._close(error.code, error)
            return
        self._flush()
        if not self._sessions or self._pausers:
            self._media_at_ms = now_ms
        elif now_ms - self._media_at_ms > (MEDIA_IDLE_MS if self._media_seen else FIRST_MEDIA_MS):
            self._close("media_idle", None)

    def stop(self) -> None:
        """This process ends: finish what was sent, then close."""
        if self._transport is not None and not self._sessions:
            self._transport.close()
        for session in self._sessions.values():
            session.over(How.ENDED, stopping=True)

    # The sessions' side (`session.Shell`)

    def accept(self, request_id: int) -> None:
        """The publish may start."""
        self._rtmp.accept(request_id)
        self._media_at_ms = monotonic_ms()
        self._pump()
        self._resume(request_id)

    def refuse(self, request_id: int, code: str, description: str) -> None:
        """The publish may not start."""
        self._rtmp.reject(request_id, code, description)
        self._flush()
        self._close_soon()

    def fail(self, stream_id: int, code: str, description: str) -> None:
        """The publish is over by our doing."""
        with suppress(rtmp.RtmpUsageError):  # the encoder ended it meanwhile: nobody is left to tell
            self._rtmp.end_publish(stream_id, code, description)
        self._flush()
        self._close_soon()

    def pause(self, session: Session) -> None:
        """Stop reading for a session's sake."""
        self._pause(session)

    def resume(self, session: Session) -> None:
        """A session has room again."""
        self._resume(session)

    # Inside

    def _take(self, event: rtmp.ServerEvent) -> None:
        match event:
            case rtmp.VideoReceived(stream_id, timestamp, data):
                self._saw_media()
                if (session := self._sessions.get(stream_id)) is not None:
                    session.video(timestamp, data)
            case rtmp.AudioReceived(stream_id, timestamp, data):
                self._saw_media()
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
        session = Session(asked, self, self._parts.control, self._parts.settings, self._parts.budget)
        self._sessions[asked.stream_id] = session
        # What the encoder sends before the answer stays in its socket.
        self._pause(asked.id)
        self._parts.spawn(self._life(session))

    async def _life(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            if self._sessions.get(session.stream_id) is session:
                del self._sessions[session.stream_id]

    def _saw_media(self) -> None:
        self._media_at_ms = monotonic_ms()
        self._media_seen = True

    def _pump(self) -> None:
        """Events that waited for an answer."""
        try:
            while (event := self._rtmp.next_event()) is not None:
                self._take(event)
        except RemoteProtocolError as error:
            self._close(error.code, error)
        self._flush()

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
        self._pausers.discard(who)
        if not self._pausers and self._transport is not None and not self._transport.is_closing():
            self._media_at_ms = monotonic_ms()
            self._transport.resume_reading()

    def _over(self, how: How) -> None:
        for session in self._sessions.values():
            session.over(how)

    def _close_soon(self) -> None:
        if self._transport is not None and not self._said_all:
            self._said_all = True
            if self._transport.can_write_eof():
                self._transport.write_eof()
            asyncio.get_running_loop().call_later(CLOSE_AFTER_S, self._transport.close)

    def _close(self, reason: str, error: HeadraceError | None) -> None:
        """Close for a fault of the peer's; a probe's is not worth a line at INFO."""
        metrics.CLOSED.labels(reason).inc()
        level = logging.INFO if self._sessions else logging.DEBUG
        _closed({"reason": reason, "why": str(error or reason), "peer": self.peer}, level=level)
        self._over(How.LOST)
        if self._transport is not None:
            self._transport.close()
