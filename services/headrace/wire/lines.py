"""Channels to one target that calls share, and that follow our certificate.

Law: a call that begins is made with the certificate of now, and goes on until it ends, whatever certificates come. A
channel lives as long as anybody uses it. Neighbours: `replicas` keeps a line to each replica, the edge's forwarders
share those to transcoders; `channel` opens them.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from grpc.aio import Channel

from headrace.wire.channel import Link, open_channel
from headrace.wire.identity import Role
from headrace.wire.trust import Trust


@dataclass(eq=False, slots=True)
class _Line:
    """A channel that was opened with the certificate of a `generation`."""

    channel: Channel
    generation: int
    users: int = 0


class Lines:
    """To the `server` at `target`: the newest is for calls that begin, and stays open until `close`."""

    def __init__(self, target: str, link: Link, trust: Trust, server: Role) -> None:
        self._target = target
        self._link = link
        self._trust = trust
        self._server = server
        self._lines: list[_Line] = []

    @property
    def open(self) -> bool:
        """Whether there is any."""
        return bool(self._lines)

    @property
    def used(self) -> bool:
        """Whether there is a call on any."""
        return any(line.users for line in self._lines)

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[Channel]:
        """For one call, which may last. It connects at the first use. Raises NoTrust."""
        generation = self._trust.generation  # before it dials: a newer certificate may come from another thread
        if not self._lines or self._lines[-1].generation != generation:
            channel = open_channel(self._target, self._link, trust=self._trust, server=self._server)
            self._lines.append(_Line(channel, generation))
        line = self._lines[-1]
        line.users += 1
        try:
            yield line.channel
        finally:
            line.users -= 1
            await self._close(lambda one: not one.users and one is not self._lines[-1])

    async def close(self) -> None:
        """Their calls are cancelled."""
        await self._close(lambda _: True)

    async def _close(self, over: Callable[[_Line], bool]) -> None:
        closing = [line for line in self._lines if over(line)]
        self._lines = [line for line in self._lines if line not in closing]
        for line in closing:
            await line.channel.close()


class SharedLines:
    """To any number of `server`s, a line to each while it has a call."""

    def __init__(self, link: Link, trust: Trust, server: Role) -> None:
        self._link = link
        self._trust = trust
        self._server = server
        self._to: dict[str, Lines] = {}

    @asynccontextmanager
    async def channel(self, target: str) -> AsyncIterator[Channel]:
        """For one call to `target`. Raises NoTrust."""
        lines = self._to.setdefault(target, Lines(target, self._link, self._trust, self._server))
        try:
            async with lines.channel() as channel:
                yield channel
        finally:
            if not lines.used and self._to.get(target) is lines:
                del self._to[target]
                await lines.close()
