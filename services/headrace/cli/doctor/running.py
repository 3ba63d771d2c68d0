"""Running checks: all at once, each within its time.

Law: a check that takes too long or breaks is a failure of its own, said like any other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from headrace.cli.doctor.results import Result, failure
from headrace.core.errors import HeadraceError
from headrace.runtime.telemetry.logs import logger

Check = Callable[[], Awaitable[Sequence[Result]]]

_log = logger(__name__)


async def run_all(checks: Mapping[str, Check], within_s: float) -> list[Result]:
    """Every check's results, in the checks' order; each has `within_s`."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run(name, check, within_s)) for name, check in checks.items()]
    return [result for task in tasks for result in task.result()]


async def _run(name: str, check: Check, within_s: float) -> Sequence[Result]:
    try:
        async with asyncio.timeout(within_s):
            return await check()
    except TimeoutError:
        seen = f"nothing within {within_s:g} s"
        return [failure(name, "", seen, "it did not come to an end", "give it more time with --timeout")]
    except (HeadraceError, OSError) as error:
        return [failure(name, "", str(error), "it could not be looked at", "see what it says")]
    except Exception as error:
        _log.exception("a check of the doctor's failed", extra={"check": name})
        return [failure(name, "", repr(error), "this is a bug of the doctor's", "report it")]
