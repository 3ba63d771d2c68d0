"""How many publishes wait, where, and when the database does not answer: as metrics say it."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest
from prometheus_client import REGISTRY

from headrace.control.db import DatabaseError, Transaction
from headrace.control.keys import new_session_id
from headrace.core.broadcast import Refused, StreamKey
from headrace.runtime.aio.tasks import beside
from headrace.wire.control import OpenedSession
from tests.unit.control.support import Control, Place, control


def waiting(queue: str) -> float:
    value = REGISTRY.get_sample_value("headrace_control_waiting_publishes", {"queue": queue})
    assert value is not None
    return value


def failures(by: str) -> float:
    return REGISTRY.get_sample_value("headrace_control_database_failures_total", {"by": by}) or 0.0


async def publish(parts: Control, key: StreamKey) -> OpenedSession:
    return await parts.sessions.open_session("live", key, "edge-1", "192.0.2.1:5000", new_session_id())


async def eventually(queue: str, count: float) -> None:
    async with asyncio.timeout(10):
        while waiting(queue) != count:  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)


async def test_publishes_for_which_there_is_no_room_are_told(place: Place) -> None:
    async with control(place, queue_wait_s=2.0) as parts:
        assert REGISTRY.get_sample_value("headrace_control_waiting_limit_publishes") == parts.settings.queue_length
        keys = [(await parts.stream())[1] for _ in range(3)]
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(publish(parts, key)) for key in keys]
            await eventually("room", 3)
            parts.report()
        assert all(task.done() for task in asked)
        assert waiting("room") == 0


async def test_publishes_that_nobody_looks_at_yet_are_told(parts: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (await parts.stream())[1]

    async def hang(_: Sequence[object]) -> Sequence[object]:
        await asyncio.get_running_loop().create_future()
        return ()

    monkeypatch.setattr(parts.sessions._opening._looks, "_serve", hang)
    async with asyncio.TaskGroup() as group:
        asked = []
        for _ in range(5):
            asked.append(group.create_task(publish(parts, key)))
            await asyncio.sleep(0.05)
        await eventually("open", 4)  # as one is looked at
        for task in asked:
            task.cancel()


async def test_transactions_that_have_no_turn_are_told(parts: Control) -> None:
    key = (await parts.stream())[1]
    assert waiting("database") == 0
    turns = parts.sessions._opening._turns
    async with asyncio.TaskGroup() as group:
        held = asyncio.Event()

        async def hold() -> None:
            async with turns._turn():
                await held.wait()

        holders = [group.create_task(hold()) for _ in range(turns._turns._value + 2)]
        await eventually("database", 2)
        held.set()
        await asyncio.wait(holders)
        assert waiting("database") == 0
        await publish(parts, key)


async def test_a_database_that_does_not_answer_is_counted(parts: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> AbstractAsyncContextManager[Transaction]:
        raise DatabaseError("away")

    monkeypatch.setattr(parts.database, "read", away)
    monkeypatch.setattr(parts.database, "write", away)
    before = {by: failures(by) for by in ("accounts", "endings")}
    async with beside(parts.accounts.run()), beside(parts.endings.sweep_for_ever()), asyncio.timeout(10):
        while any(failures(by) == was for by, was in before.items()):  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)
    with pytest.raises(Refused):
        await publish(parts, StreamKey("sk_any"))
