"""Questions of many who ask at the same moment, answered together.

Law: who asks while nobody else does is served at once; who comes while others are served goes with the next batch. So
nobody waits for company, and batches are as large as the load makes them. The queue is bounded in length and in
seconds, and what it refuses is refused in words. What fails, fails for the whole batch.
Neighbours: `opening` and `allocating` ask the database this way; `turns` is the queue of those who ask it alone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from headrace.control.turns import too_many
from headrace.runtime.aio.tasks import task_group

AT_ONCE = 2  # batches under way: one waits for its commit while the next is made ready
LARGEST = 64

Q = TypeVar("Q")
A = TypeVar("A")


class _Asked(Generic[Q, A]):
    __slots__ = ("answer", "question", "taken")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self.taken = False


class Batches(Generic[Q, A]):
    """`serve` answers questions in their order; `length` questions may wait for it, each for `wait_s` seconds."""

    def __init__(self, serve: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], length: int, wait_s: float) -> None:
        self._serve = serve
        self._length = length
        self._wait_s = wait_s
        self._waiting: deque[_Asked[Q, A]] = deque()
        self._somebody = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Questions that no batch has taken yet."""
        return len(self._waiting)

    async def ask(self, question: Q) -> A:
        """The answer, once `run` gives it. Raises Refused (unavailable), and what `serve` raises."""
        if len(self._waiting) >= self._length:
            raise too_many()
        asked: _Asked[Q, A] = _Asked(question)
        self._waiting.append(asked)
        self._somebody.set()
        try:
            await asyncio.wait({asked.answer}, timeout=self._wait_s)
            if not asked.taken:
                raise too_many()
            return await asked.answer
        finally:
            # Nobody listens any more.
            if not asked.answer.cancel() and not asked.answer.cancelled():
                asked.answer.exception()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with task_group() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._serve_for_ever())

    async def _serve_for_ever(self) -> None:
        while True:
            batch = self._take()
            if not batch:
                self._somebody.clear()
                await self._somebody.wait()
                continue
            try:
                answers = await self._serve([asked.question for asked in batch])
            except Exception as error:
                for asked in batch:
                    if not asked.answer.done():
                        asked.answer.set_exception(error)
            else:
                for asked, answer in zip(batch, answers, strict=True):
                    if not asked.answer.done():
                        asked.answer.set_result(answer)
            finally:
                for asked in batch:
                    asked.answer.cancel()  # of a stop: nobody answers

    def _take(self) -> list[_Asked[Q, A]]:
        batch: list[_Asked[Q, A]] = []
        while self._waiting and len(batch) < LARGEST:
            asked = self._waiting.popleft()
            if not asked.answer.done():
                asked.taken = True
                batch.append(asked)
        return batch
