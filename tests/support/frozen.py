"""A peer that can be frozen: what a stopped process or a cut cable looks like from the other side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Freezer:
    """Passes bytes between its own address and another while it is not frozen; connections stay open all the while."""

    def __init__(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._passing: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        """Pass nothing on."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Go on, with what has come meanwhile."""
        self._flowing.set()

    @asynccontextmanager
    async def between(self, near: Path, far: Path) -> AsyncIterator[None]:
        """Listen on the Unix socket `near` for whoever means the one at `far`."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._passing.add(task)
            try:
                with suppress(OSError):
                    await self._flowing.wait()
                    far_reader, far_writer = await asyncio.open_unix_connection(far)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._copy(reader, far_writer))
                        group.create_task(self._copy(far_reader, writer))
            except asyncio.CancelledError:
                pass
            finally:
                self._passing.discard(task)
                writer.close()

        server = await asyncio.start_unix_server(serve, near)
        try:
            yield
        finally:
            server.close()
            for task in tuple(self._passing):
                task.cancel()
            if self._passing:
                await asyncio.wait(self._passing)
            await asyncio.sleep(0)  # what was closed is gone a turn of the loop later

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await reader.read(65_536):
                    await self._flowing.wait()
                    writer.write(data)
        finally:
            writer.close()
