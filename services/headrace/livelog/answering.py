"""Whether a cell of a log answers: asked by a reading that finds nothing and costs nothing.

Law: who waits longer than `ANSWER_S` was not answered. Neighbours: `opened` asks for a service's readiness, control
before it gives a new run a cell.
"""

import asyncio
from collections.abc import Sequence

from headrace.core.broadcast import RunId
from headrace.livelog.base import Cursor, Entries, LogError, NoRun

ANSWER_S = 1.0


def cells_of(log: Entries) -> Sequence[str]:
    """Its cells' names; a log without cells has one, named ''."""
    names: Sequence[str] = getattr(log, "cells", ("",))
    return names


async def answers(log: Entries, cell: str) -> bool:
    """Whether this cell answers now."""
    nowhere = RunId(f"{cell}-0" if cell else "0")
    try:
        async with asyncio.timeout(ANSWER_S):
            await log.read(nowhere, Cursor(0, ""))
    except NoRun:
        return True
    except (LogError, TimeoutError):
        return False
    return True
