"""Which of the log's cells a new run lives in.

Law: one that answers, at random; fixed at the run's start, and part of its name from then on.
Neighbours: `livelog` routes by it, `sessions` starts runs.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

from headrace.core.broadcast import RunId
from headrace.core.errors import HeadraceError
from headrace.livelog.base import Cursor, Entries, LogError, NoRun

TRUST_S = 1.0  # how long an answer counts
ANSWER_S = 1.0  # a cell that takes longer is no place for a new run


class NoCell(HeadraceError):
    """No cell of the log answers."""

    code = "no_cell"


class CellChoice:
    """`names` as the log gives them; a log without cells has one, named ''. `clock` gives monotonic seconds."""

    def __init__(self, log: Entries, clock: Callable[[], float]) -> None:
        self._log = log
        self._names: Sequence[str] = getattr(log, "cells", ("",))
        self._clock = clock
        self._answered_s: dict[str, float] = {}

    async def choose(self) -> str:
        """A cell. The only one is chosen whether it answers or not: whoever uses it will see. Raises NoCell."""
        if len(self._names) == 1:
            return self._names[0]
        for name in random.sample(self._names, len(self._names)):
            if await self._answers(name):
                return name
        raise NoCell("no cell of the live log answers")

    async def _answers(self, name: str) -> bool:
        answered_s = self._answered_s.get(name)
        if answered_s is not None and self._clock() - answered_s < TRUST_S:
            return True
        nowhere = RunId(f"{name}-0" if name else "0")
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._log.read(nowhere, Cursor(0, ""))
        except NoRun:
            pass
        except (LogError, TimeoutError):
            self._answered_s.pop(name, None)
            return False
        self._answered_s[name] = self._clock()
        return True
