"""The pool of warm workers, with workers that are no processes and pauses that last as long as the test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import RunId
from headrace.transcoder import pool as module
from headrace.transcoder.pipe import Done, Message, PipeBroken, Ready
from headrace.transcoder.pool import Pool
from headrace.transcoder.process import WorkerProcess

RUN = RunId("run")
ONCE_AROUND = asyncio.sleep


class Worker:
    """Stands for a worker and its pipe; says what it is told to say."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pipe = self
        self.run = ""
        self.ready = False
        self.alive = True
        self.resident_bytes = 1000
        self.ended = False
        self._says: asyncio.Queue[Message | PipeBroken | None] = asyncio.Queue()

    async def say(self, message: Message | PipeBroken | None) -> None:
        self._says.put_nowait(message)
        await settle()

    async def die(self) -> None:
        self.alive = False
        await self.say(None)

    async def receive(self) -> Message | None:
        if isinstance(message := await self._says.get(), PipeBroken):
            raise message
        return message

    def now_ready(self) -> None:
        self.ready = True

    async def log_stderr(self) -> None:
        """Nothing is said."""

    async def end(self) -> str:
        self.alive, self.ended = False, True
        return "exit status 0"


class Starter:
    """Makes workers, or fails `failures` times before."""

    def __init__(self, failures: int = 0) -> None:
        self.made: list[Worker] = []
        self._failures = failures

    async def __call__(self) -> WorkerProcess:
        if self._failures:
            self._failures -= 1
            raise OSError("no more processes")
        self.made.append(Worker(len(self.made)))
        return cast(WorkerProcess, self.made[-1])


class Pauses:
    """Stands for `asyncio.sleep`: notes each pause, which is over at once, or when the test says so (`held`)."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.held = False
        self._under_way = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._under_way = asyncio.Event()
        if self.held:
            await self._under_way.wait()

    async def end(self) -> None:
        self._under_way.set()
        await settle()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    pauses = Pauses()
    monkeypatch.setattr(asyncio, "sleep", pauses)
    return pauses


async def settle() -> None:
    """Everybody does what there is to do."""
    for _ in range(30):
        await ONCE_AROUND(0)


@asynccontextmanager
async def kept(size: int, starter: Starter) -> AsyncIterator[Pool]:
    """A pool at work, with its first worker starting."""
    async with asyncio.TaskGroup() as group:
        pool = Pool(size, starter, group)
        running = group.create_task(pool.run())
        await settle()
        yield pool
        running.cancel()
        await pool.close()


async def take(pool: Pool) -> Worker:
    return cast(Worker, await pool.take(RUN))


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_transcoder_{name}", labels) or 0


async def test_workers_are_started_one_at_a_time_until_there_are_as_many_as_asked_for() -> None:
    starter = Starter()
    async with kept(3, starter):
        for count in (1, 2, 3):
            assert len(starter.made) == count
            await starter.made[-1].say(Ready())
        assert len(starter.made) == 3
        assert metric("warm_workers") == 3


async def test_a_run_gets_a_ready_worker_at_once_and_another_is_started() -> None:
    starter = Starter()
    taken = metric("taken_workers_total", state="ready")
    async with kept(1, starter) as pool:
        await starter.made[0].say(Ready())
        assert await take(pool) is starter.made[0]
        assert starter.made[0].run == RUN
        assert metric("taken_workers_total", state="ready") == taken + 1
        assert metric("warm_workers") == 0
        await settle()
        assert [made.alive for made in starter.made] == [True, True]


async def test_another_is_started_only_when_the_run_has_had_the_processors_for_a_while(pauses: Pauses) -> None:
    starter = Starter()
    async with kept(1, starter) as pool:
        await starter.made[0].say(Ready())
        pauses.held = True
        await take(pool)
        await settle()
        assert len(starter.made) == 1
        await pauses.end()
        assert len(starter.made) == 2
    assert pauses.asked == [module.PAUSE_S] * 2


async def test_what_a_worker_says_after_it_was_taken_is_for_who_took_it() -> None:
    starter = Starter()
    async with kept(1, starter) as pool:
        worker = await take(pool)
        await settle()
        await worker.say(Ready())
        assert await worker.pipe.receive() == Ready()


async def test_a_worker_that_is_ready_goes_before_one_that_is_starting_and_that_before_a_new_one() -> None:
    starter = Starter()
    async with kept(2, starter) as pool:
        await starter.made[0].say(Ready())
        assert len(starter.made) == 2
        assert [await take(pool), await take(pool)] == starter.made
        assert await take(pool) == starter.made[2]


async def test_of_two_ready_workers_the_older_goes_first() -> None:
    starter = Starter()
    async with kept(2, starter) as pool:
        for count in (0, 1):
            await starter.made[count].say(Ready())
        assert await take(pool) is starter.made[0]


async def test_a_pool_of_none_starts_a_worker_for_each_run_and_no_other() -> None:
    starter = Starter()
    async with kept(0, starter) as pool:
        assert starter.made == []
        assert await take(pool) is starter.made[0]
        await settle()
        assert len(starter.made) == 1


async def test_where_no_worker_can_be_started_whoever_wants_one_is_told() -> None:
    async with kept(0, Starter(failures=1)) as pool:
        with pytest.raises(OSError, match="no more"):
            await take(pool)


async def test_the_pause_before_each_replacement_of_a_dead_worker_grows_to_a_minute(pauses: Pauses) -> None:
    starter = Starter()
    died = metric("warm_worker_deaths_total")
    async with kept(1, starter):
        pauses.held = True
        for count in range(7):
            await starter.made[count].say(Ready())
            await starter.made[count].die()
            assert len(starter.made) == count + 1
            assert starter.made[count].ended
            await pauses.end()
        assert len(starter.made) == 8
    assert pauses.asked == [1, 2, 4, 8, 16, 32, 60, 60]
    assert metric("warm_worker_deaths_total") == died + 7


async def test_a_worker_that_was_of_use_ends_the_growth_of_the_pause(pauses: Pauses) -> None:
    starter = Starter()
    async with kept(1, starter) as pool:
        for count in (0, 1):
            await starter.made[count].die()
        await starter.made[2].say(Ready())
        await take(pool)
        await settle()
        await starter.made[3].die()
    assert pauses.asked == [1, 2, 4, 1, 2]


async def test_a_start_that_fails_is_tried_again_after_a_pause(pauses: Pauses) -> None:
    starter = Starter(failures=2)
    async with kept(1, starter):
        assert len(starter.made) == 1
    assert pauses.asked == [1, 2, 4]


async def test_a_dead_worker_that_nobody_has_noticed_is_not_handed_out() -> None:
    starter = Starter()
    async with kept(1, starter) as pool:
        await starter.made[0].say(Ready())
        starter.made[0].alive = False
        assert await take(pool) is starter.made[1]
        await settle()
        assert starter.made[0].ended


@pytest.mark.parametrize("nonsense", [PipeBroken("a message of kind 1"), Done()])
@pytest.mark.parametrize("first", [True, False])
async def test_a_worker_that_talks_out_of_turn_is_ended_and_replaced(
    nonsense: Message | PipeBroken, first: bool
) -> None:
    starter = Starter()
    async with kept(1, starter):
        if not first:
            await starter.made[0].say(Ready())
        await starter.made[0].say(nonsense)
        assert starter.made[0].ended
        assert len(starter.made) == 2


async def test_a_worker_that_does_not_get_ready_in_time_is_ended_and_replaced(
    pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_TIMEOUT_S", 0)
    pauses.held = True
    starter = Starter()
    async with kept(1, starter):
        await pauses.end()
        assert starter.made[0].ended
        await pauses.end()
        assert len(starter.made) == 2


async def test_closing_ends_those_that_are_unused_and_no_other() -> None:
    starter = Starter()
    async with kept(2, starter) as pool:
        await starter.made[0].say(Ready())
        await take(pool)
        await settle()
        assert pool.resident_bytes() == 1000 * len(pool.unused)
    assert [worker.ended for worker in starter.made] == [False, True]
    assert (pool.unused, metric("warm_workers")) == ((), 0)
