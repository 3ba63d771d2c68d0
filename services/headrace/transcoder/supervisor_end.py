"""The supervisor's end of a worker's pipe: asyncio.

Law: in a file of its own, so that no worker loads asyncio, which is a tenth of its memory and of its start. Neighbours:
`pipe` has the messages, `process` holds one for each worker.
"""

import asyncio
import socket

from headrace.transcoder.pipe import HEAD, UPWARD, Message, PipeBroken, checked, decode, encode


class SupervisorEnd:
    """The parent's end: asyncio. `send` waits while more than `max_bytes` are unread by the child."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reading = asyncio.Lock()  # a reader that was cancelled may still be about to leave

    @classmethod
    async def over(cls, sock: socket.socket, max_bytes: int) -> "SupervisorEnd":
        """Take over one end of a socket pair."""
        reader, writer = await asyncio.open_unix_connection(sock=sock, limit=max_bytes)
        writer.transport.set_write_buffer_limits(high=max_bytes)
        return cls(reader, writer)

    @property
    def held_bytes(self) -> int:
        """Bytes that wait in this process for the child to read."""
        return self._writer.transport.get_write_buffer_size()

    async def send(self, message: Message) -> None:
        """Hand one message over. Raises PipeBroken when the child is gone."""
        if self._writer.is_closing():
            raise PipeBroken("the pipe is closed")
        try:
            self._writer.writelines(encode(message))
            await self._writer.drain()
        except ConnectionError as error:
            raise PipeBroken(f"the worker does not read any more: {error!r}") from None

    async def receive(self) -> Message | None:
        """The next message; None when the child is gone, be it in the middle of one. Raises PipeBroken."""
        async with self._reading:
            try:
                number, size = checked(await self._reader.readexactly(HEAD.size))
                if number < UPWARD:
                    raise PipeBroken(f"a message of kind {number} from the worker")
                return decode(number, await self._reader.readexactly(size))
            except (asyncio.IncompleteReadError, ConnectionError):
                return None

    def close(self) -> None:
        """Give the socket back, unsent bytes included."""
        self._writer.transport.abort()
