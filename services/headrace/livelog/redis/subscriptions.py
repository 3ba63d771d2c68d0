"""What is published, as it is pushed: one connection to each server for all runs that are followed.

Law: who listens hears everything from `listen` on, or that something may have been missed; never an entry less in
silence. What nobody takes is bounded in bytes. Neighbours: `following` reads before it listens on.
"""

import asyncio
import re
from collections import Counter, deque
from contextlib import suppress
from typing import Any, NamedTuple

from headrace.livelog import metrics
from headrace.livelog.base import Unreachable
from headrace.livelog.cell import Address
from headrace.livelog.redis.connection import Link, ServerError
from headrace.livelog.redis.topology import Topology
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.aio.tasks import spawn_isolated, task_group
from headrace.runtime.telemetry.logs import RateLimited, logger

OPEN_S = 2.0
PING_S = 1.0
SILENCE_S = 3.0  # a server that answers no ping for this long is lost
IDLE_S = 30.0
MAX_BYTES = 1 << 20  # of one run's pushes that nobody took yet

_PUSH = re.compile(rb"([0-9]{1,19}) ([0-9a-f]{0,64}) (.*)", re.DOTALL)

_dropped = RateLimited(logger(__name__), "a follower is too slow: it reads the log again")
_RECONNECTS = metrics.RECONNECTS.labels("follower")


class Push(NamedTuple):
    """One published entry, as a server says it."""

    n: int
    id: bytes
    entry: bytes


class Ear:
    """One listener to one run."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.heard = asyncio.Event()  # the server has confirmed that we listen
        self._news = asyncio.Event()
        self._pushes: deque[bytes] = deque()
        self._held_bytes = 0
        self._lost = ""

    async def next(self, within_s: float) -> list[Push]:
        """What came, once something did; nothing when the time is over, or when there was too much of it.

        Raises Unreachable when the connection is lost.
        """
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return []
        self._news.clear()
        if self._lost:
            raise Unreachable(self._lost)
        pushes = [_push(each) for each in self._pushes]
        self.forget()
        return pushes

    def forget(self) -> None:
        """Forget what came so far: it is about to be read."""
        self._pushes.clear()
        self._held_bytes = 0
        if not self._lost:
            self._news.clear()

    def put(self, data: bytes) -> None:
        """Something was published."""
        self._held_bytes += len(data)
        if self._held_bytes > MAX_BYTES:
            metrics.DROPPED_PUSHES.inc(len(self._pushes) + 1)
            _dropped({"server": str(self.address)})
            self.forget()
        else:
            self._pushes.append(data)
        self._news.set()

    def lose(self, why: str) -> None:
        """Nothing more will come."""
        self._lost = why
        self.heard.set()
        self._news.set()

    async def ready(self, within_s: float) -> None:
        """Wait until the server has confirmed. Raises Unreachable."""
        try:
            async with asyncio.timeout(within_s):
                await self.heard.wait()
        except TimeoutError:
            raise Unreachable(f"{self.address}: no answer to a subscription within {within_s:g} s") from None
        if self._lost:
            raise Unreachable(self._lost)


class _Subscriber:
    """One server's connection."""

    def __init__(self, address: Address, topology: Topology) -> None:
        self.over = False
        self._address = address
        self._topology = topology
        self._ears: dict[bytes, set[Ear]] = {}
        self._asked: set[bytes] = set()  # channels that the server was told to send
        self._confirmed: set[bytes] = set()
        self._left: Counter[bytes] = Counter()  # how often it was told to stop, and has not said yet that it did
        self._changed = asyncio.Event()
        self._answered_s = monotonic_s()

    def add(self, channel: bytes) -> Ear:
        """Listen to this channel."""
        ear = Ear(self._address)
        self._ears.setdefault(channel, set()).add(ear)
        if channel in self._confirmed:
            ear.heard.set()
        self._changed.set()
        return ear

    def remove(self, channel: bytes, ear: Ear) -> None:
        """Listen no more."""
        ears = self._ears.get(channel, set())
        ears.discard(ear)
        if not ears:
            self._ears.pop(channel, None)
            self._changed.set()

    async def run(self) -> None:
        """Until nobody has listened for a while, or the connection is lost."""
        why = "nobody listened"
        try:
            link = await Link.open(self._address, self._topology.cell.access, OPEN_S)
            try:
                async with task_group() as group:
                    reading = group.create_task(self._read(link))
                    await self._keep(link)
                    reading.cancel()
            finally:
                link.close()
        except Unreachable as error:
            _RECONNECTS.inc()
            self._topology.forget()
            why = str(error)
        finally:
            self.over = True
            for ears in self._ears.values():
                for ear in ears:
                    ear.lose(why)

    async def _keep(self, link: Link) -> None:
        """Tell the server who listens; ask whether it is there."""
        used_s = self._answered_s = monotonic_s()
        while True:
            self._changed.clear()
            now_s, wanted = monotonic_s(), set(self._ears)
            if wanted:
                used_s = now_s
            elif now_s - used_s >= IDLE_S:
                self.over = True  # whoever comes now has another connection made
                return
            if now_s - self._answered_s > SILENCE_S:
                raise link.lost(f"no answer for {SILENCE_S:g} s")
            gone, new = self._asked - wanted, wanted - self._asked
            self._asked = wanted
            self._confirmed -= gone
            self._left.update(gone)
            # One channel a command: those of two runs may be in two slots.
            commands = [*((b"SUNSUBSCRIBE", each) for each in gone), *((b"SSUBSCRIBE", each) for each in new)]
            await link.send(*commands, (b"PING",), deadline_s=SILENCE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_S):
                    await self._changed.wait()

    async def _read(self, link: Link) -> None:
        while True:
            self._hear(link, await link.receive())

    def _hear(self, link: Link, said: Any) -> None:
        if isinstance(said, ServerError):
            raise link.lost(said.text)  # a slot that moved: who listens looks again where it is
        self._answered_s = monotonic_s()
        if not isinstance(said, list):
            return  # to a ping while there are no subscriptions
        if said[0] == b"smessage":
            for ear in self._ears.get(said[1], ()):
                ear.put(said[2])
        elif said[0] == b"ssubscribe":
            self._confirmed.add(said[1])
            for ear in self._ears.get(said[1], ()):
                ear.heard.set()
        elif said[0] == b"sunsubscribe" and self._left[said[1]]:
            self._left -= Counter([said[1]])
        elif said[0] == b"sunsubscribe":
            self._asked.discard(said[1])
            self._confirmed.discard(said[1])
            for ear in self._ears.pop(said[1], ()):
                ear.lose(f"{self._address}: it has this run no more")


class Subscriptions:
    """All listeners of a cell. `run` owns their connections."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._subscribers: dict[Address, _Subscriber] = {}
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()

    def start(self, group: asyncio.TaskGroup) -> None:
        """From now on connections are made, in `group`."""
        self._group = group
        self._started.set()

    async def listen(self, channel: bytes, slot: int) -> Ear:
        """Listen to a run's channel, and hear all that is published from here on, until `leave`. Raises Unreachable."""
        try:
            async with asyncio.timeout(OPEN_S):
                await self._started.wait()
        except TimeoutError:
            raise Unreachable("the live log does not run yet") from None
        address = await self._topology.primary(slot)
        subscriber = self._subscribers.get(address)
        if subscriber is None or subscriber.over:
            subscriber = self._subscribers[address] = _Subscriber(address, self._topology)
            assert self._group is not None
            spawn_isolated(self._group, subscriber.run(), f"listen to {address}")
        ear = subscriber.add(channel)
        try:
            await ear.ready(OPEN_S)
        except BaseException:
            subscriber.remove(channel, ear)
            raise
        return ear

    def leave(self, channel: bytes, ear: Ear) -> None:
        """Listen no more."""
        if (subscriber := self._subscribers.get(ear.address)) is not None:
            subscriber.remove(channel, ear)


def _push(data: bytes) -> Push:
    """What cannot be read comes from no writer of ours: it stands for what was missed, and the log is read."""
    said = _PUSH.fullmatch(data)
    return Push(int(said[1]), said[2], said[3]) if said else Push(0, b"?", b"")
