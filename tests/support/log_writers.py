"""Runs that are written as fast as they can be, through whatever happens to the log, and followed all the while."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

from headrace.core.broadcast import Part, RunId
from headrace.livelog.base import (
    Append,
    LiveLog,
    LogError,
    NoRun,
    OutOfStep,
    Published,
    RungPosition,
    StaleLog,
    Unreachable,
)
from tests.support.log_contract import PARTS, RUN_START, START, claim_of, entries_of, everything, init_of, part_at

RUNG = "720p"
RETRY_S = 0.05
SIZE = 2_000
ENDLESS = replace(RUN_START, plan=replace(RUN_START.plan, window_s=1_000_000))  # nothing that a test writes is trimmed


class SteadyWriter:
    """Appends one part after another. `durable` is what it was told is published and on every replica."""

    def __init__(self, log: LiveLog, run: RunId, pause_s: float = 0.0) -> None:
        self.run = run
        self.claim = claim_of(writer=f"writer of {run}")
        self.durable: list[Part] = []
        self.takeovers = 0
        self._log = log
        self._pause_s = pause_s
        self._n = 0
        self._next = RungPosition(0, 0, 0, 0, opened=False, encoder="")
        self._encoder = f"e{random.getrandbits(32):x}"
        self._told: tuple[Part, ...] = ()

    async def write(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.take()
                while True:
                    await self._append()
                    await asyncio.sleep(self._pause_s)
            except (Unreachable, OutOfStep, StaleLog):
                self.claim = replace(self.claim, take=self.claim.take + 1)
                await asyncio.sleep(RETRY_S)

    async def take(self) -> None:
        """Take the run over, and go on where the log is."""
        floor = self.durable[-1].end if self.durable else 0
        taken = await self._log.takeover(self.run, self.claim, floor, open_new=not floor)
        await self._log.wait(self.run)
        await self._log.publish(self.run, self.claim, taken.n)
        self.takeovers += 1
        self._n = taken.n
        self._next = taken.rungs.get(RUNG, self._next)
        if self._n == 0:
            await self._show(Append(ENDLESS), Append(init_of(RUNG)))

    async def _append(self) -> None:
        at = self._next
        data = random.randbytes(SIZE)
        part = part_at(RUNG, at.msn, at.part, self._encoder, data)
        part = replace(part, independent=part.independent or at.encoder != self._encoder)
        durable = await self._show(Append(part, data))
        if durable:
            self.durable.append(part)
        msn, number = divmod(at.msn * PARTS + at.part + 1, PARTS)
        self._next = RungPosition(msn, number, part.end, 0, opened=False, encoder=self._encoder)

    async def _show(self, *appends: Append) -> bool:
        self._n = (await self._log.stage(self.run, self.claim, self._n + 1, *appends)).n
        durable = await self._log.wait(self.run)
        await self._log.publish(self.run, self.claim, self._n)
        return durable


class SteadyFollower:
    """Follows a run and keeps what it is told; a whole reading begins anew, and is counted."""

    def __init__(self, log: LiveLog, run: RunId) -> None:
        self.run = run
        self.seen: list[Published] = []
        self.whole = 0
        self._log = log

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async for reading in self._log.follow(self.run, START):
                    if reading.whole:
                        self.whole += 1
                        self.seen.clear()
                    self.seen += reading.entries
            except (NoRun, Unreachable):
                await asyncio.sleep(RETRY_S)


async def until(true: Callable[[], bool], within_s: float) -> None:
    """Wait until this is true. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            if true():
                return
            await asyncio.sleep(0.02)


async def until_all_agree(log: LiveLog, followers: Iterable[SteadyFollower], within_s: float = 10.0) -> None:
    """Wait until each follower has seen exactly what the log has. Nobody may write meanwhile."""
    waiting = list(followers)
    try:
        async with asyncio.timeout(within_s):
            while waiting:
                try:
                    whole = list((await everything(log, waiting[0].run)).entries)
                except LogError:
                    whole = []
                if whole and waiting[0].seen[-len(whole) :] == whole:
                    waiting.pop(0)
                else:
                    await asyncio.sleep(0.05)
    except TimeoutError:
        one = waiting[0]
        raise AssertionError(f"a follower of {one.run} has {len(one.seen)} entries, the log {len(whole)}") from None


async def lost_of(log: LiveLog, writer: SteadyWriter) -> list[Part]:
    """The durable parts that are not in the log or whose bytes are not."""
    there = {entry for entry in entries_of(await everything(log, writer.run)) if isinstance(entry, Part)}
    lost = []
    for part in writer.durable:
        data = await log.get(writer.run, part.rung, part.msn, part.part, part.encoder)
        if part not in there or data is None or len(data) != part.size:
            lost.append(part)
    return lost


def skips(follower: SteadyFollower) -> list[int]:
    """The entries after which a follower missed one."""
    numbers = [each.n for each in follower.seen]
    return [n for n, after in pairwise(numbers) if after != n + 1]


@dataclass
class Busy:
    """Runs that are written and followed."""

    log: LiveLog
    writers: list[SteadyWriter] = field(default_factory=list)
    followers: list[SteadyFollower] = field(default_factory=list)

    async def more(self, seconds: float = 0.3) -> None:
        """Wait until each run has grown for this long."""
        await asyncio.sleep(seconds)
        before = [len(writer.durable) for writer in self.writers]
        pairs = list(zip(self.writers, before, strict=True))
        await until(lambda: all(len(writer.durable) >= n + 20 for writer, n in pairs), 10)


@asynccontextmanager
async def busy(log: LiveLog, runs: int = 3) -> AsyncIterator[Busy]:
    """Write and follow runs during the block; then nothing was lost, and nobody has skipped anything."""
    names = [RunId(f"run{index}") for index in range(runs)]
    now = Busy(log, [SteadyWriter(log, name, 0.002) for name in names], [SteadyFollower(log, name) for name in names])
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(follower.follow()) for follower in now.followers]
        writing = [group.create_task(writer.write()) for writer in now.writers]
        await now.more()
        yield now
        for task in writing:
            task.cancel()
        await asyncio.wait(writing)
        for writer in now.writers:
            writer.claim = claim_of(2, writer="the last")
            await writer.take()  # what was staged is shown
        await until_all_agree(log, now.followers)
        for task in following:
            task.cancel()
    for writer in now.writers:
        assert await lost_of(log, writer) == []
    for follower in now.followers:
        assert skips(follower) == []
        assert follower.whole == 1
