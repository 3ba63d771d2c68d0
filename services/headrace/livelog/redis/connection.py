"""One connection to one server: commands go out together, their answers come back in order.

Law: nothing is repeated, redirected or connected again here. Whatever goes wrong closes the connection and is told as
Unreachable, without the password. Neighbours: `pool` keeps connections for readers, `writing` one for each run.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from headrace.livelog.base import LogFull, Unreachable
from headrace.livelog.cell import Access, Address
from headrace.livelog.redis.entering import context_of, password_of, why

Command = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class ServerError:
    """A command that the server refused. `full`: for want of memory."""

    text: str
    full: bool = False


class Link:
    """An open connection. Calls of several tasks take turns."""

    def __init__(self, address: Address, access: Access, connection: Connection) -> None:
        self.address = address
        self._access = access
        self._connection = connection
        self._transport: asyncio.WriteTransport | None = None
        self._turn = asyncio.Lock()
        self._has_spoken = False  # the server has said anything

    @classmethod
    async def open(cls, address: Address, access: Access, deadline_s: float) -> "Link":
        """Connect and authenticate. Raises Unreachable."""
        try:
            connection = _connection(address, access, deadline_s)
        except Unreachable as error:
            raise Unreachable(f"{address}: {error}") from None
        link = cls(address, access, connection)
        try:
            async with asyncio.timeout(deadline_s):
                await connection.connect()  # type: ignore[no-untyped-call]
            link._transport = connection._writer.transport if connection._writer is not None else None
        except (OSError, RedisError, TimeoutError) as error:
            raise link.failed(error) from None
        except BaseException:
            link.close()
            raise
        return link

    @property
    def is_open(self) -> bool:
        """Whether nothing is known to have gone wrong."""
        return bool(self._connection.is_connected)

    async def ask(self, *commands: Command, deadline_s: float, keep_errors: bool = False) -> list[Any]:
        """Send `commands` together, and return their answers.

        `keep_errors` leaves a ServerError in the place of a refused command's answer; otherwise the first is raised:
        LogFull where the server has no memory left, else Unreachable.
        """
        try:
            async with asyncio.timeout(deadline_s), self._turn:
                replies = await self._exchange(commands)
        except (OSError, RedisError, TimeoutError) as error:
            raise self.failed(error, f"no answer within {deadline_s:g} s") from None
        if not keep_errors:
            for reply in replies:
                if isinstance(reply, ServerError):
                    raise self.refused(reply)
        return replies

    async def send(self, *commands: Command, deadline_s: float) -> None:
        """Send without waiting for answers: `receive` gets them. Raises Unreachable."""
        try:
            self._check()
            async with asyncio.timeout(deadline_s):
                await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        except (OSError, RedisError, TimeoutError) as error:
            raise self.failed(error, f"nothing was taken for {deadline_s:g} s") from None

    async def receive(self) -> Any:
        """The next thing that the server says, however long that takes. Raises Unreachable."""
        try:
            self._check()
            return await self._reply()
        except (OSError, RedisError) as error:
            raise self.failed(error) from None

    def refused(self, reply: ServerError) -> LogFull | Unreachable:
        """What a refusal is to our callers."""
        if reply.full:
            return LogFull(f"{self.address}: {reply.text}")
        return self.lost(reply.text)

    def failed(self, error: Exception, silence: str = "") -> Unreachable:
        """Close; the error that says what this one means, or `silence` where a deadline has passed."""
        if self._has_spoken and isinstance(error, TimeoutError):
            return self.lost(silence)
        return self.lost(why(error, self._access, self.address.host, at_once=not self._has_spoken))

    def lost(self, why: str) -> Unreachable:
        """Close; the error that says so."""
        self.close()
        return Unreachable(f"{self.address}: {why}")

    def close(self) -> None:
        """Close at once, without a word."""
        # What is not sent yet must not be sent any more. redis-py may have closed it politely before us, which with TLS
        # waits for the server to say goodbye as well.
        writer = self._connection._writer
        transport = self._transport or (writer.transport if writer is not None else None)
        if transport is not None:
            transport.abort()
        if writer is not None:
            self._connection._close()  # type: ignore[no-untyped-call]

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        self._check()
        try:
            await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
            return [await self._reply() for _ in commands]
        except BaseException:
            self.close()  # an answer to nobody would be taken for the next one's
            raise

    def _check(self) -> None:
        # redis-py would connect again by itself.
        if not self._connection.is_connected:
            raise ConnectionError("the connection was lost")

    async def _reply(self) -> Any:
        try:
            reply = await self._connection.read_response()
            self._has_spoken = True
            return reply
        except ResponseError as error:
            self._has_spoken = True
            code = getattr(error, "status_code", None) or "ERR"
            return ServerError(f"{code} {error}", isinstance(error, OutOfMemoryError))


def _connection(address: Address, access: Access, deadline_s: float) -> Connection:
    """One that is not connected yet. Raises Unreachable where a file that it needs cannot be used."""
    options: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "username": access.username,
        "password": password_of(access),
        "socket_timeout": None,
        "socket_connect_timeout": deadline_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,  # to look its own version up would cost it more than all that a run's end has to say
    }
    if access.tls is None:
        return Connection(**options)
    connection = SSLConnection(**options)
    # Its own would be made anew for each connection, and trust everybody whom this system trusts besides our authority.
    connection.ssl_context.context = context_of(access.tls)
    return connection
