"""What always holds, whatever two replicas over one database do, and wherever they stop on the way.

Publishers come and go, transactions fail before they begin or after their commit (a replica that died between two
statements, an answer that was lost), transcoders report to both or are silent, time passes.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from random import Random
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.control import accounts, allocating, continuation, endings, leases, opening, renewals, sessions
from headrace.control.db import Database, DatabaseError, Transaction
from headrace.control.keys import new_session_id
from headrace.core.broadcast import Claim, Epoch, Refused, RunId, StreamKey
from headrace.livelog.base import LogError
from headrace.wire.control import HeldSession, OpenedSession, ReleaseReason
from tests.unit.control.support import SOURCE, Clock, Control, Place, control, place_on_sqlite
from tests.unit.control.test_accounts import COST

TIMED = (accounts, allocating, continuation, endings, leases, opening, renewals, sessions)
PODS = {"t1": COST * 2 + COST // 2, "t2": COST + 5, "t3": COST // 3}  # room for two runs, for one, for an idle one's
STEPS = 40


class Stopping:
    """A database of which some transactions never begin, and some lose their answer."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.of_ten = 1

    @contextmanager
    def over(self, database: Database) -> Iterator[None]:
        write = database.write

        @asynccontextmanager
        async def stopping() -> AsyncIterator[Transaction]:
            if self.random.randrange(20) < self.of_ten:
                raise DatabaseError("stopped before")
            async with write() as tx:
                yield tx
            if self.random.randrange(20) < self.of_ten:
                raise DatabaseError("stopped after")

        with patch.object(database, "write", stopping):
            yield


class World:
    """Two replicas, three transcoders, and the edges of four streams."""

    def __init__(self, random: Random, clock: Clock, place: Place, replicas: list[Control], stopping: Stopping) -> None:
        self.random = random
        self.clock = clock
        self.place = place
        self.replicas = replicas
        self.stopping = stopping
        self.keys: list[StreamKey] = []
        self.open: dict[str, OpenedSession] = {}
        self.works: dict[str, set[RunId]] = {pod: set() for pod in PODS}

    @property
    def one(self) -> Control:
        return self.random.choice(self.replicas)

    async def publish(self) -> None:
        key, session = self.random.choice(self.keys), new_session_id()
        for _ in range(self.random.choice((1, 1, 2))):  # asked again, perhaps of the other one
            with suppress(Refused):
                self.open[session] = await self.one.sessions.open_session("live", key, "e", "p", session)

    async def publish_together(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(self.publish())

    async def allocate(self) -> None:
        if not self.open:
            return
        opened = self.random.choice(list(self.open.values()))
        with suppress(Refused):
            told = await self.one.sessions.allocate(opened.session_id, SOURCE, self.now_ms - 1000)
            pod = told.transcoders[0].removeprefix("unix:/")
            log, claim = self.replicas[0].log, Claim(Epoch(opened.session, 1), opened.session_id, "w")
            with suppress(LogError):
                await log.takeover(opened.run, claim, 0, open_new=True)
                for others in self.works.values():
                    others.discard(opened.run)
                self.works[pod].add(opened.run)

    async def leave(self) -> None:
        if not self.open:
            return
        opened = self.random.choice(list(self.open.values()))
        reason, flushed = self.random.choice(list(ReleaseReason)), self.random.random() < 0.7
        with suppress(DatabaseError):
            await self.one.sessions.release(opened.session_id, reason, flushed=flushed)
        if flushed:
            self.forget(opened)

    async def renew(self) -> None:
        held = [HeldSession(o.session_id, o.stream, o.run, o.session, "p") for o in self.open.values()]
        with suppress(Refused):
            for verdict in await self.one.sessions.renew("e", held):
                if not verdict.held:
                    self.forget(self.open[verdict.session_id])

    def forget(self, opened: OpenedSession) -> None:
        self.open.pop(opened.session_id)
        if opened.run not in {other.run for other in self.open.values()}:
            for runs in self.works.values():
                runs.discard(opened.run)

    async def pass_time(self) -> None:
        for _ in range(self.random.choice((1, 2, 18))):
            await self.second()

    async def second(self) -> None:
        self.clock.now_s += 1
        for replica in self.replicas:
            replica.clock.now_s = self.clock.now_s
        for replica in self.replicas:
            for pod, capacity in PODS.items():
                replica.report(*sorted(self.works[pod]), pod=pod, capacity=capacity)
            replica.edge(*self.open, idle_ms=self.random.choice((0, 3000)), pod="e")
            with suppress(DatabaseError):
                await replica.accounts.release_dropped()
                await replica.accounts.round()
            with suppress(DatabaseError):
                await replica.endings.sweep()

    @property
    def now_ms(self) -> int:
        return round(self.clock.now_s * 1000)

    def check(self) -> None:
        with closing(sqlite3.connect(self.place.url.partition(":///")[2])) as database:
            twice = "SELECT stream_id FROM sessions WHERE state = 'active' GROUP BY stream_id HAVING count(*) > 1"
            assert database.execute(twice).fetchall() == []
            sums = "SELECT pod, sum(cost), count(*) FROM allocations GROUP BY pod"
            held = {pod: (cost, count) for pod, cost, count in database.execute(sums)}
            for pod, capacity, cost in database.execute("SELECT id, capacity, held FROM pods"):
                total, count = held.get(pod, (0, 0))
                assert cost == total
                assert cost <= capacity or count == 1

    async def end(self) -> None:
        """Everybody goes, and nothing fails any more."""
        self.stopping.of_ten = 0
        for opened in list(self.open.values()):
            await self.one.sessions.release(opened.session_id, ReleaseReason.ENDED, flushed=True)
            self.forget(opened)
        for jump_s in (0, 400, 0):
            self.clock.now_s += jump_s  # beyond every limit, and then the time for all that follows from it
            for _ in range(20):
                await self.second()
        assert self.place.execute("SELECT * FROM allocations") == []
        assert set(self.place.execute("SELECT held FROM pods")) == {(0,)}
        assert self.place.execute("SELECT * FROM sessions WHERE state IN ('active', 'closing')") == []
        assert self.place.execute("SELECT * FROM runs WHERE state = 'live'") == []


async def live_through(seed: int) -> None:
    random = Random(seed)
    stopping, clock = Stopping(random), Clock()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as patches:
        for module in TIMED:
            if hasattr(module, "unix_ms"):
                patches.enter_context(patch.object(module, "unix_ms", lambda: round(clock.now_s * 1000)))
        patches.enter_context(patch.object(opening, "FRESH_WITHIN_S", 0.0))
        place = await place_on_sqlite(Path(folder))
        async with AsyncExitStack() as stack:
            replicas = [
                await stack.enter_async_context(control(place, queue_wait_s=0.02, closing_wait_s=0.0)) for _ in "12"
            ]
            replicas[1].log.runs, replicas[1].log.newest = replicas[0].log.runs, replicas[0].log.newest
            world = World(random, clock, place, replicas, stopping)
            world.keys = [(await world.one.stream(name))[1] for name in "abcd"]
            await world.second()
            for replica in replicas:
                stack.enter_context(stopping.over(replica.database))
            for _ in range(STEPS):
                step = random.choice(
                    (world.publish, world.publish_together, world.allocate, world.allocate, world.leave, world.renew,
                     world.pass_time)
                )  # fmt: skip
                await step()
                world.check()
            await world.end()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_one_publisher_a_stream_no_transcoder_beyond_its_room_and_nothing_held_for_ever(seed: int) -> None:
    asyncio.run(live_through(seed))
