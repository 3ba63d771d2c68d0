"""Tasks: whose failure is whose."""

import asyncio
import inspect

import pytest
from prometheus_client import REGISTRY

from headrace.runtime.aio.tasks import beside, spawn_isolated, task_group


async def test_an_isolated_tasks_failure_is_told_and_leaves_its_siblings_alone() -> None:
    failures: list[Exception] = []
    done: list[str] = []

    async def fail() -> None:
        raise ValueError("mine alone")

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("worked")

    before = REGISTRY.get_sample_value("headrace_process_failed_tasks_total") or 0
    async with asyncio.TaskGroup() as group:
        spawn_isolated(group, fail(), "fails", failures.append)
        spawn_isolated(group, work(), "works")
    assert done == ["worked"]
    assert [str(f) for f in failures] == ["mine alone"]
    assert REGISTRY.get_sample_value("headrace_process_failed_tasks_total") == before + 1


async def test_a_groups_first_failure_passes_as_itself() -> None:
    async def fail() -> None:
        raise ValueError("plain")

    async def nested() -> None:
        async with task_group() as outer:
            outer.create_task(asyncio.sleep(3600))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(fail())

    with pytest.raises(ValueError, match="plain"):
        await nested()


async def test_an_isolated_task_that_is_cancelled_at_once_leaves_nothing_unawaited() -> None:
    async def work() -> None:
        """Never begins."""

    never = work()
    async with asyncio.TaskGroup() as group:
        spawn_isolated(group, never, "never begins").cancel()
    assert inspect.getcoroutinestate(never) == inspect.CORO_CLOSED


async def test_what_runs_beside_a_block_runs_no_longer_than_it() -> None:
    ended = asyncio.Event()

    async def for_ever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async with beside(for_ever()):
        await asyncio.sleep(0)
        assert not ended.is_set()
    assert ended.is_set()
    with pytest.raises(ValueError, match="the block's own"):
        async with beside(for_ever()):
            raise ValueError("the block's own")


async def test_what_fails_beside_a_block_ends_it_and_is_its_failure() -> None:
    async def fail() -> None:
        raise ValueError("beside")

    with pytest.raises(ValueError, match="beside"):
        async with beside(fail()):
            await asyncio.sleep(60)
