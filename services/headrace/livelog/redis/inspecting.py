"""A cell's primaries as they are now: what is wrong with them, and what our user may do there.

Law: nothing is changed. Neighbours: `headrace doctor` says it to people; `checks` and `permissions` have the rules.
"""

from dataclasses import dataclass

from headrace.livelog.cell import Address, Cell
from headrace.livelog.redis import library, permissions
from headrace.livelog.redis.checks import CHECK_S, asked, of_answers
from headrace.livelog.redis.connection import Link, ServerError
from headrace.livelog.redis.topology import Topology


@dataclass(frozen=True, slots=True)
class Inspected:
    """One primary. `version` is '' where it does not tell; `replicas` are those in sync, None likewise.

    `refused` names what our user may not do. `has_library`: the log's functions of this version are there.
    """

    address: Address
    version: str
    complaints: tuple[str, ...]
    settings_told: bool
    replicas: int | None
    refused: frozenset[str]
    has_library: bool
    memory_ratio: float | None


async def primaries_of(cell: Cell) -> list[Address]:
    """Where they are. Raises Unreachable."""
    return await Topology(cell).primaries()


async def inspect(cell: Cell, address: Address, r: int) -> Inspected:
    """This primary, where `r` replicas are counted on. Raises Unreachable."""
    link = await Link.open(address, cell.access, CHECK_S)
    try:
        info, settings = await asked(link)
        tries = {**permissions.READS, **permissions.WRITES, **permissions.SERVES}
        replies = await link.ask(*tries.values(), deadline_s=CHECK_S, keep_errors=True)
    finally:
        link.close()
    answers = dict(zip(tries, replies, strict=True))
    refused = {name for name, answer in answers.items() if _is_refused(answer)}
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    return Inspected(
        address,
        info.get("valkey_version") or info.get("redis_version", ""),
        tuple(of_answers(info, settings, r)),
        "client-output-buffer-limit" in settings,
        _in_sync(info),
        frozenset(refused),
        not library.is_missing(answers["FCALL_RO"]),
        used / limit if limit else None,
    )


def _is_refused(answer: object) -> bool:
    return isinstance(answer, ServerError) and answer.text.startswith("NOPERM")


def _in_sync(info: dict[str, str]) -> int | None:
    if "connected_slaves" not in info:
        return None
    return sum("state=online" in value for name, value in info.items() if name.startswith("slave"))
