"""Threads of a worker and the bounded boxes between them.

Law: a box never holds more than its bound, so a slow stage stops the ones before it; an exception in any thread is the
worker's end. PyAV lets go of the interpreter while it decodes, scales and encodes, so threads are enough.
Neighbours: `main` starts the threads.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Box(Generic[T]):
    """A queue between threads, bounded in a unit that its sender names (bytes or pictures)."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._held = 0
        self._items: deque[tuple[T, int]] = deque()
        self._changed = threading.Condition()

    def put(self, item: T, size: int) -> None:
        """Wait for room, then hand `item` over. One larger than the bound passes alone; size 0 never waits."""
        with self._changed:
            while size and self._held and self._held + size > self._bound:
                self._changed.wait()
            self._items.append((item, size))
            self._held += size
            self._changed.notify_all()

    def get(self) -> T:
        """The oldest item, once there is one."""
        with self._changed:
            while not self._items:
                self._changed.wait()
            item, size = self._items.popleft()
            self._held -= size
            self._changed.notify_all()
            return item


class Crew:
    """The worker's threads. `on_failure` gets the first exception and must not return."""

    def __init__(self, on_failure: Callable[[BaseException], NoReturn]) -> None:
        self._on_failure = on_failure
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Run `work` in a thread that ends with the process."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self._on_failure(error)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def join(self) -> None:
        """Wait until every thread has done its work."""
        for thread in self._threads:
            thread.join()
