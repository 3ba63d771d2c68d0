"""Requests that wait: how many may, and that those who want the same wait for one answer.

Law: every request that waits has a place, whether it asks itself or gets what another asked for, and gives it back when
it leaves; who comes last shares the first one's deadline. An answer that is shared comes even when the origin stops;
when all have left, nobody asks for it any more.
Neighbours: `http` asks.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial

from headrace.origin import answers
from headrace.origin.metrics import WAITING, WAITING_LIMIT
from headrace.runtime.direct import Answer, Later


class Places:
    """A bounded number of requests that wait."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        WAITING_LIMIT.set(most)

    def take(self) -> bool:
        """Whether there was a place."""
        if self._taken >= self._most:
            return False
        self._give(1)
        return True

    def give_back(self, places: int = 1) -> None:
        """Somebody else may wait."""
        self._give(-places)

    def _give(self, places: int) -> None:
        self._taken += places
        WAITING.set(self._taken)


class _Shared:
    """A task, which has a place while it waits, and those who wait for it, of whom each but one has a place as well."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Task[Answer]) -> None:
        self.task = task
        self.waiters: set[asyncio.Future[Answer]] = set()

    @property
    def more(self) -> int:
        """How many wait beside the task."""
        return max(0, len(self.waiters) - 1)


class Sharing:
    """What is being waited for, by what it is. It needs a group for its tasks; without one, everybody asks alone."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._shared: dict[Hashable, _Shared] = {}
        self._group: asyncio.TaskGroup | None = None

    @contextmanager
    def within(self, group: asyncio.TaskGroup) -> Iterator[None]:
        """Share while this lasts; `group` then waits for the answers that are still to come."""
        self._group = group
        try:
            yield
        finally:
            self._group = None

    def ask(
        self, key: Hashable, later: Later, on_shared: Callable[[Answer, int], object]
    ) -> asyncio.Future[Answer] | Later:
        """What brings the answer of `later`; itself where nobody more may wait: it may not have to.

        Who waits no longer cancels the future. At the end `on_shared` is told how many had the answer beside the first.
        """
        shared = self._shared.get(key)
        if shared is None:
            if self._group is None:
                return later
            shared = self._shared[key] = _Shared(self._group.create_task(_answered(later)))
            shared.task.add_done_callback(partial(self._end, key, shared, on_shared))
        elif not self._places.take():
            return later
        waiter: asyncio.Future[Answer] = shared.task.get_loop().create_future()
        shared.waiters.add(waiter)
        waiter.add_done_callback(partial(self._leave, key, shared))
        return waiter

    def _leave(self, key: Hashable, shared: _Shared, waiter: asyncio.Future[Answer]) -> None:
        if not waiter.cancelled() or waiter not in shared.waiters:
            return  # it has its answer
        if shared.more:
            self._places.give_back()
        shared.waiters.discard(waiter)
        if not shared.waiters:
            self._forget(key, shared)
            shared.task.cancel()

    def _end(
        self, key: Hashable, shared: _Shared, on_shared: Callable[[Answer, int], object], task: asyncio.Task[Answer]
    ) -> None:
        self._forget(key, shared)
        waiters, more = shared.waiters, shared.more
        self._places.give_back(more)
        shared.waiters = set()
        for waiter in waiters:
            if task.cancelled():
                waiter.cancel()
            elif not waiter.done():
                waiter.set_result(task.result())
        if not task.cancelled():
            on_shared(task.result(), more)

    def _forget(self, key: Hashable, shared: _Shared) -> None:
        if self._shared.get(key) is shared:  # another one may have begun since all had left this one
            del self._shared[key]


async def _answered(later: Later) -> Answer:
    try:
        return await later()
    except asyncio.CancelledError:  # with its group: those who wait are not in it
        return answers.unavailable("the origin stops")
