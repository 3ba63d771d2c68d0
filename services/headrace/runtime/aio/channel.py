"""A queue between two tasks of one event loop, bounded in bytes.

Law: `send` waits while the channel is full; an item larger than the bound passes alone. After `close`, sends fail and
receives drain what is left, then fail.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from headrace.core.errors import HeadraceError

T = TypeVar("T")


class ChannelClosed(HeadraceError):
    """The channel was closed."""

    code = "channel_closed"


class Channel(Generic[T]):
    """A bounded channel of items whose sizes the sender names."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._items: deque[tuple[T, int]] = deque()
        self._closed = False
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._items)

    async def send(self, item: T, size: int) -> None:
        """Wait for room for `size` bytes, then hand `item` over. Raises ChannelClosed."""
        async with self._changed:
            while not self._closed and self._items and self.held_bytes + size > self.max_bytes:
                await self._changed.wait()
            if self._closed:
                raise ChannelClosed
            self._items.append((item, size))
            self.held_bytes += size
            self._changed.notify_all()

    async def receive(self) -> T:
        """The oldest item, once there is one. Raises ChannelClosed when closed and empty."""
        async with self._changed:
            while not self._items and not self._closed:
                await self._changed.wait()
            if not self._items:
                raise ChannelClosed
            item, size = self._items.popleft()
            self.held_bytes -= size
            self._changed.notify_all()
            return item

    async def close(self) -> None:
        """No more sends; waiting sides wake up."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            try:
                item = await self.receive()
            except ChannelClosed:
                return
            yield item
