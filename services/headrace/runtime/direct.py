"""Answers that are whole: what a server can write in one go, without a task and a message for each half of them.

Law: an app may offer `direct` beside its ASGI face, and answers the same by both; the bytes of a head are made once for
all who get the same one. Neighbours: `http` writes them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple, Protocol

from headrace.runtime.probes import Receive, Scope, Send

Fields = tuple[tuple[bytes, bytes], ...]


class Head(NamedTuple):
    """Status and header fields, as ASGI wants them and as the bytes of a response; Date is the server's."""

    status: int
    fields: Fields
    lines: bytes


class Answer(NamedTuple):
    """A response. `body` is empty where the request was a HEAD."""

    head: Head
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    @property
    def headers(self) -> Fields:
        """The header fields, as ASGI wants them."""
        return self.head.fields


Later = Callable[[], Awaitable[Answer]]
# The answer; or the future of one, cancelled when the client hangs up; or what brings it; or None: ask the ASGI face.
Direct = Answer | asyncio.Future[Answer] | Later | None


class DirectApp(Protocol):
    """An ASGI app with a shorter way."""

    def direct(self, scope: Scope) -> Direct:
        """The answer to a request, or how to come by it. Raises nothing; a future may be cancelled but fails never."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""


def head(status: int, fields: Fields) -> Head:
    """The head with these fields; Content-Length is one of them, unless there is no body."""
    line = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
    return Head(status, fields, line + b"".join(b"%s: %s\r\n" % field for field in fields))
