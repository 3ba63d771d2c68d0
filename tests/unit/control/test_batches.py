"""Batches: who asks at the same moment is answered together, and nobody waits for ever."""

import asyncio
from collections.abc import Sequence

import pytest

from headrace.control import batches
from headrace.control.batches import LARGEST, Batches
from headrace.control.db import DatabaseError
from headrace.core.broadcast import Refused
from headrace.runtime.aio.tasks import beside


class Doubling:
    """Answers numbers with twice as much, while nobody holds it."""

    def __init__(self) -> None:
        self.served: list[Sequence[int]] = []
        self.serving, self.free = asyncio.Event(), asyncio.Event()
        self.free.set()
        self.fails: Exception | None = None

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.served.append(numbers)
        self.serving.set()
        await self.free.wait()
        if self.fails is not None:
            raise self.fails
        return [2 * number for number in numbers]


async def ask_all(asked: Batches[int, int], numbers: Sequence[int]) -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asked.ask(number)) for number in numbers]
    return [task.result() for task in tasks]


async def test_who_asks_alone_is_served_at_once_and_alone() -> None:
    doubling = Doubling()
    asked = Batches(doubling, length=10, wait_s=5)
    async with beside(asked.run()):
        assert [await asked.ask(1), await asked.ask(2)] == [2, 4]
    assert doubling.served == [[1], [2]]


async def test_who_comes_while_others_are_served_goes_with_the_next_batch() -> None:
    doubling = Doubling()
    doubling.free.clear()
    asked = Batches(doubling, length=200, wait_s=5)
    async with beside(asked.run()), asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = group.create_task(asked.ask(1))
        await doubling.serving.wait()
        rest = group.create_task(ask_all(asked, range(2, 103)))
        await asyncio.sleep(0.01)
        doubling.free.set()
        assert [await first, *await rest] == [2 * number for number in range(1, 103)]
    assert [len(numbers) for numbers in doubling.served] == [1, LARGEST, 101 - LARGEST]


async def test_batches_begin_no_oftener_than_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PACE_S", 0.05)
    doubling = Doubling()
    asked = Batches(doubling, length=200, wait_s=5)
    async with beside(asked.run()), asyncio.TaskGroup() as group:
        await asked.ask(1)
        for number in range(2, 6):
            group.create_task(asked.ask(number))
            await asyncio.sleep(0)
    assert doubling.served == [[1], [2, 3, 4, 5]]


async def test_a_failure_is_that_of_its_batch_alone() -> None:
    doubling = Doubling()
    asked = Batches(doubling, length=10, wait_s=5)
    async with beside(asked.run()):
        doubling.fails = DatabaseError("away")
        failed = await asyncio.gather(asked.ask(1), asked.ask(2), return_exceptions=True)
        assert [type(one) for one in failed] == [DatabaseError, DatabaseError]
        assert doubling.served == [[1, 2]]
        doubling.fails = None
        assert await asked.ask(3) == 6


async def test_a_question_that_nobody_foresaw_fails_alone() -> None:
    async def reciprocals(numbers: Sequence[int]) -> Sequence[int]:
        return [1000 // number for number in numbers]

    asked = Batches(reciprocals, length=10, wait_s=5)
    async with beside(asked.run()):
        answers = await asyncio.gather(*(asked.ask(number) for number in (1, 0, 10)), return_exceptions=True)
    assert answers[0::2] == [1000, 100]
    assert isinstance(answers[1], ZeroDivisionError)


async def test_what_waits_is_bounded_in_number_and_in_time() -> None:
    doubling = Doubling()
    doubling.free.clear()
    asked = Batches(doubling, length=2, wait_s=0.05)
    async with beside(asked.run()), asyncio.TaskGroup() as group:
        served = group.create_task(asked.ask(1))
        await doubling.serving.wait()
        waiting = [group.create_task(refused(asked, number)) for number in (2, 3)]
        await asyncio.sleep(0)
        assert "Too many" in await refused(asked, 4)  # at once: it is one too many
        assert not any(one.done() for one in waiting)
        for one in waiting:
            assert "Too many" in await one
        doubling.free.set()
        assert await served == 2  # it was being served, however long that takes
    assert doubling.served == [[1]]


async def refused(asked: Batches[int, int], number: int) -> str:
    with pytest.raises(Refused) as caught:
        await asked.ask(number)
    return str(caught.value)


async def test_who_goes_away_keeps_nobody_else_waiting() -> None:
    doubling = Doubling()
    doubling.free.clear()
    asked = Batches(doubling, length=10, wait_s=5)
    async with beside(asked.run()), asyncio.TaskGroup() as group:
        gone, left, stays = (group.create_task(asked.ask(number)) for number in (1, 2, 3))
        await doubling.serving.wait()
        gone.cancel()
        later = group.create_task(asked.ask(4))
        await asyncio.sleep(0)
        later.cancel()
        doubling.free.set()
        assert [await left, await stays] == [4, 6]
        assert await asked.ask(5) == 10
    assert doubling.served == [[1, 2, 3], [5]]


async def test_a_stop_leaves_nobody_waiting() -> None:
    doubling = Doubling()
    doubling.free.clear()
    asked = Batches(doubling, length=10, wait_s=5)
    async with asyncio.timeout(1), asyncio.TaskGroup() as group:
        async with beside(asked.run()):
            one = group.create_task(asked.ask(1))
            await doubling.serving.wait()
        with pytest.raises(asyncio.CancelledError):
            await one
