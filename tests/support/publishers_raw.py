"""An encoder that can misbehave: a socket, our own RTMP client, and bytes that no encoder should send."""

import os
import socket
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from headrace.core import rtmp

ANSWER_S = 10.0
READ_BYTES = 65_536


class Closed(AssertionError):
    """The server closed the connection before what was waited for."""


class RawPublisher:
    """A connection to the RTMP port. Give `app` to have it connect, `key` to have it ask to publish.

    `patience_s`: how long it waits for an answer, and for the server to read.
    """

    def __init__(self, url: str, app: str = "", key: str = "", patience_s: float = ANSWER_S) -> None:
        address = urlsplit(url)
        self._patience_s = patience_s
        self._socket = socket.create_connection((address.hostname, address.port or 1935), timeout=patience_s)
        self.client = rtmp.ClientConnection(random=os.urandom(rtmp.RANDOM_BYTES))
        if app:
            self.client.connect(app, f"rtmp://{address.netloc}/{app}")
            self.flush()
        if key:
            self.client.publish(key)
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, data: bytes | memoryview) -> None:
        """Bytes as they are. Raises TimeoutError when the server does not read them."""
        self._socket.settimeout(self._patience_s)
        self._socket.sendall(data)

    def flush(self) -> None:
        """What the client has to say."""
        self.send(self.client.data_to_send())

    def answer(self) -> rtmp.ClientEvent:
        """The server's word on our connect or publish, the first or the next. Raises Closed, TimeoutError."""
        until = time.monotonic() + self._patience_s
        while True:
            while (event := self.client.next_event()) is not None:
                if isinstance(event, rtmp.Connected | rtmp.PublishStarted | rtmp.PublishRefused):
                    return event
            self.flush()
            self.client.receive_data(self._read(until), 0)

    def end_sending(self) -> None:
        """Close our end of the connection alone."""
        self._socket.shutdown(socket.SHUT_WR)

    def closed_after(self, within_s: float = ANSWER_S) -> float:
        """Wait until the server has closed; how long that took, seconds. Raises TimeoutError."""
        begun = time.monotonic()
        try:
            while True:
                self._read(begun + within_s)
        except (Closed, ConnectionError):
            return time.monotonic() - begun

    def _read(self, until: float) -> bytes:
        self._socket.settimeout(max(0.01, until - time.monotonic()))
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise Closed("the server closed the connection")
        return data
