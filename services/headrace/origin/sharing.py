"""Requests that wait: how many may, and that those who want the same wait for one answer.

Law: every request that waits has a place, whether it asks itself or gets what another asked for; who comes last shares
the first one's deadline. An answer that is shared comes even when the origin stops. Neighbours: `http` asks.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial

from headrace.origin import answers
from headrace.origin.metrics import WAITING
from headrace.runtime.direct import Answer, Later


class Places:
    """A bounded number of requests that wait."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

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
    """A task, and how many wait for it beside the one who asked first."""

    __slots__ = ("more", "task")

    def __init__(self, task: asyncio.Task[Answer]) -> None:
        self.task = task
        self.more = 0


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

        At its end `on_shared` is told how many had it beside the first.
        """
        shared = self._shared.get(key)
        if shared is None:
            if self._group is None:
                return later
            shared = self._shared[key] = _Shared(self._group.create_task(_answered(later)))
            shared.task.add_done_callback(partial(self._end, key, on_shared))
        elif self._places.take():
            shared.more += 1
        else:
            return later
        return shared.task

    def _end(self, key: Hashable, on_shared: Callable[[Answer, int], object], task: asyncio.Task[Answer]) -> None:
        more = self._shared.pop(key).more
        self._places.give_back(more)
        if not task.cancelled():
            on_shared(task.result(), more)


async def _answered(later: Later) -> Answer:
    try:
        return await later()
    except asyncio.CancelledError:  # with its group: those who wait are not in it
        return answers.error(503, "the origin stops", {"retry-after": "1"})
