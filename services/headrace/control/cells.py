"""Which of the log's cells a new run lives in.

Law: one that answers, at random; fixed at the run's start, and part of its name from then on.
Neighbours: `livelog` routes by it, `sessions` starts runs.
"""

import random
from collections.abc import Callable

from headrace.core.errors import HeadraceError
from headrace.livelog.answering import answers, cells_of
from headrace.livelog.base import Entries

TRUST_S = 1.0  # how long an answer counts


class NoCell(HeadraceError):
    """No cell of the log answers."""

    code = "no_cell"


class CellChoice:
    """Chooses among the log's cells. `clock` gives monotonic seconds."""

    def __init__(self, log: Entries, clock: Callable[[], float]) -> None:
        self._log = log
        self._names = cells_of(log)
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
        if not await answers(self._log, name):
            self._answered_s.pop(name, None)
            return False
        self._answered_s[name] = self._clock()
        return True
