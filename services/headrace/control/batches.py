"""Questions of many who ask at the same moment, answered together.

Law: who asks while nobody else does is served at once; who comes while others are served, or `PACE_S` after the last
batch began, goes with the next. So batches are as large as the load makes them. The queue is bounded in length and in
seconds, and what it refuses is refused in words. What fails in the house's words fails for the whole batch; what nobody
foresaw fails for who asked it.
Neighbours: `opening` and `allocating` ask the database this way; `turns` is the queue of those who ask it alone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from headrace.control.turns import too_many
from headrace.core.errors import HeadraceError
from headrace.runtime.aio.clock import monotonic_s

PACE_S = 0.007  # a statement for eight costs little more than one for one
LARGEST = 64


Q = TypeVar("Q")
A = TypeVar("A")


class _Asked(Generic[Q, A]):
    __slots__ = ("answer", "question", "taken")

    def __init__(self, question: Q) -> None:
        self.question = question
        self.answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self.taken = False

    def give_up(self) -> None:
        """It has waited long enough for its turn."""
        if not self.taken and not self.answer.done():
            self.answer.set_exception(too_many())


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
        timer = asyncio.get_running_loop().call_later(self._wait_s, asked.give_up)
        try:
            return await asked.answer
        finally:
            timer.cancel()
            # Nobody listens any more.
            if not asked.answer.cancel() and not asked.answer.cancelled():
                asked.answer.exception()

    async def run(self) -> None:
        """Serve until cancelled."""
        next_s = 0.0
        while True:
            self._somebody.clear()
            if not self._waiting:
                await self._somebody.wait()
            await asyncio.sleep(next_s - monotonic_s())
            next_s = monotonic_s() + PACE_S
            batch = self._take()
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: Sequence[_Asked[Q, A]]) -> None:
        try:
            answers = await self._serve([asked.question for asked in batch])
        except Exception as error:
            if isinstance(error, HeadraceError) or len(batch) == 1:
                for asked in batch:
                    if not asked.answer.done():
                        asked.answer.set_exception(error)
            else:  # one of them is more than `serve` can bear, and the others are not to pay for it
                for asked in batch:
                    await self._answer([asked])
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
