"""Verdicts on the live log's servers: `cluster.md` §1's settings, replicas, functions, and what our user may do.

Law: `livelog.redis` asks and knows the rules; here they become results.
"""

import asyncio
from collections.abc import Sequence

from headrace.cli.doctor.results import Result, failure, ok, warning
from headrace.livelog.base import LogError
from headrace.livelog.cell import Address, Cell
from headrace.livelog.redis.inspecting import Inspected, inspect, primaries_of
from headrace.livelog.redis.permissions import User, user_of

FULL = 0.9
FATAL = ("maxmemory-policy", "version")


async def cell(cell: Cell, r: int) -> Sequence[Result]:
    """One cell: every primary of it."""
    name = f"cell {cell.name}" if cell.name else "log"
    try:
        addresses = await primaries_of(cell)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_inspect(cell, address, r)) for address in addresses]
        inspected = [task.result() for task in tasks]
    except LogError as error:
        wrong = "runs of this cell stand still, and none begins in it"
        return [failure("log", name, str(error), wrong, "see what it says, and docs/how-to/redis.md")]
    found: list[Result] = []
    for each in inspected:
        found += [each] if isinstance(each, Result) else verdicts(f"{name} {each.address}", each, r)
    return found


async def _inspect(cell: Cell, address: Address, r: int) -> Inspected | Result:
    try:
        return await inspect(cell, address, r)
    except LogError as error:
        wrong = "its runs stand still"
        return failure("log", str(address), str(error), wrong, "see what it says, and docs/how-to/redis.md")


def verdicts(subject: str, seen: Inspected, r: int) -> list[Result]:
    """What is to be said of one primary."""
    found = [_setting(subject, sentence) for sentence in seen.complaints]
    if not seen.complaints:
        told = "" if seen.settings_told else ", as far as INFO tells"
        replicas = "" if seen.replicas is None else f", {seen.replicas} replicas in sync"
        found.append(ok("log", subject, f"version {seen.version or 'unknown'}{replicas}, settings are good{told}"))
    if seen.memory_ratio is not None and seen.memory_ratio >= FULL:
        wrong = "it soon refuses new runs, and then parts"
        found.append(
            warning("log", subject, f"{seen.memory_ratio:.0%} of maxmemory used", wrong, "give it more memory")
        )
    if not seen.has_library:
        found.append(ok("log", subject, "has no functions of this version yet: the first writer loads them"))
    return [*found, _user(subject, seen)]


def _setting(subject: str, sentence: str) -> Result:
    judge = failure if sentence.startswith(FATAL) else warning
    seen, _, todo = sentence.partition(": ")
    return judge("log", subject, seen, sentence, todo or "see docs/how-to/redis.md")


def _user(subject: str, seen: Inspected) -> Result:
    user, missing = user_of(seen.refused)
    if user is User.WRITER:
        return ok("log-user", subject, "may write: control's and transcoders' user")
    if user is User.READER:
        return ok("log-user", subject, "may read and not write: origins' user; control and transcoders need another")
    wrong = "neither a transcoder nor an origin can work as this user"
    todo = "give it the writer's or the reader's rules of docs/how-to/redis.md"
    return failure("log-user", subject, f"may not {', '.join(missing) or 'serve'}", wrong, todo)
