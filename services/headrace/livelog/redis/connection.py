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

Command = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class ServerError:
    """A command that the server refused. `full`: for want of memory."""

    text: str
    full: bool = False


class Link:
    """An open connection. Calls of several tasks take turns."""

    def __init__(self, address: Address, connection: Connection) -> None:
        self.address = address
        self._connection = connection
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, address: Address, access: Access, deadline_s: float) -> "Link":
        """Connect and authenticate. Raises Unreachable."""
        kind = SSLConnection if access.tls else Connection
        options: dict[str, Any] = dict(access.options)
        connection = kind(
            host=address.host,
            port=address.port,
            username=access.username,
            password=access.password,
            socket_timeout=None,
            socket_connect_timeout=deadline_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,  # to look its own version up would cost it more than all that a run's end has to say
            **options,
        )
        link = cls(address, connection)
        try:
            async with asyncio.timeout(deadline_s):
                await connection.connect()  # type: ignore[no-untyped-call]
        except (OSError, RedisError, TimeoutError) as error:
            raise link.lost(str(error) or "no answer") from None
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
            raise self.lost(str(error) or f"no answer within {deadline_s:g} s") from None
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
            raise self.lost(str(error) or f"nothing was taken for {deadline_s:g} s") from None

    async def receive(self) -> Any:
        """The next thing that the server says, however long that takes. Raises Unreachable."""
        try:
            self._check()
            return await self._reply()
        except (OSError, RedisError) as error:
            raise self.lost(str(error)) from None

    def refused(self, reply: ServerError) -> LogFull | Unreachable:
        """What a refusal is to our callers."""
        if reply.full:
            return LogFull(f"{self.address}: {reply.text}")
        return self.lost(reply.text)

    def lost(self, why: str) -> Unreachable:
        """Close; the error that says so."""
        self.close()
        return Unreachable(f"{self.address}: {why}")

    def close(self) -> None:
        """Close at once, without a word."""
        if (writer := self._connection._writer) is not None:
            writer.transport.abort()  # what is not sent yet must not be sent any more
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
            return await self._connection.read_response()
        except ResponseError as error:
            code = getattr(error, "status_code", None) or "ERR"
            return ServerError(f"{code} {error}", isinstance(error, OutOfMemoryError))
