"""Tasks that may fail without taking their siblings along.

Law: every task has an owner TaskGroup. `spawn_isolated` is the only way to keep one task's failure from the others, and
it always says what failed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, logger
from headrace.runtime.telemetry.metrics import Counter

FAILED = Counter(
    "headrace_process_failed_tasks_total",
    "Tasks that ended with an error that nobody expected, each of them one run's or one connection's: see the log.",
)

_failed = RateLimited(logger(__name__), "task failed", at_most=FOR_EACH)


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup whose first failure passes through as itself, since its siblings were cancelled on its account."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        raise _first(failed) from failed


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the block runs, and cancel it at its end; a failure of it ends the block and passes through."""
    async with task_group() as group:
        task = group.create_task(work)
        yield
        task.cancel()


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    error = failed.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def spawn_isolated(
    group: asyncio.TaskGroup,
    work: Coroutine[Any, Any, None],
    name: str,
    on_failure: Callable[[Exception], None] | None = None,
) -> asyncio.Task[None]:
    """Run `work` in `group`; an exception is logged, given to `on_failure`, and ends this task only."""

    async def isolated() -> None:
        try:
            await work
        except Exception as error:
            FAILED.inc()
            _failed({"task": name}, error=error, level=logging.ERROR)
            if on_failure is not None:
                on_failure(error)

    task = group.create_task(isolated(), name=name)
    task.add_done_callback(lambda _: work.close())  # cancelled before its first step, it never awaited it
    return task
