"""Where a cell's primary is: looked for once for all who ask, and for no longer than anybody waits."""

import asyncio

import pytest

from headrace.livelog.base import Unreachable
from headrace.livelog.cell import Access, Address, Cell
from headrace.livelog.redis import topology
from headrace.livelog.redis.topology import Topology

HOSTS = tuple(Address("127.0.0.1", port) for port in (1, 2, 3))


class Away:
    """Servers that do not answer."""

    opened = 0
    after_s = 0.02

    @classmethod
    async def open(cls, address: Address, access: Access, deadline_s: float) -> None:
        cls.opened += 1
        await asyncio.sleep(cls.after_s)
        raise Unreachable(f"{address}: no answer")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> type[Away]:
    monkeypatch.setattr(topology, "Link", Away)
    monkeypatch.setattr(Away, "opened", 0)
    return Away


async def ask(asked: Topology, failures: list[str]) -> None:
    with pytest.raises(Unreachable) as failure:
        await asked.primary(0)
    failures.append(str(failure.value))


@pytest.mark.parametrize("cluster", [False, True])
async def test_a_primary_that_is_not_found_is_looked_for_once_for_all_who_ask(away: type[Away], cluster: bool) -> None:
    asked, failures = Topology(Cell("a", HOSTS, cluster=cluster)), list[str]()
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(ask(asked, failures))
    assert len(failures) == 50
    assert all("no answer" in failure for failure in failures)
    assert away.opened == 2 * len(HOSTS)  # once for the first, once for those who asked when that was under way
    await ask(asked, failures)
    assert away.opened == 3 * len(HOSTS)  # an old failure answers nobody


@pytest.mark.parametrize("cluster", [False, True])
async def test_nobody_waits_longer_for_a_primary_than_is_said(
    away: type[Away], monkeypatch: pytest.MonkeyPatch, cluster: bool
) -> None:
    monkeypatch.setattr(topology, "FIND_S", 0.05)
    monkeypatch.setattr(Away, "after_s", 60)
    asked, failures = Topology(Cell("a", HOSTS, cluster=cluster)), list[str]()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(ask(asked, failures))
    assert all("within 0.05 s" in failure for failure in failures)
