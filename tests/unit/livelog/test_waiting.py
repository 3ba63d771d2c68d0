"""Waits for replicas: long, then short, and at times long enough for a replica that is far away."""

from collections.abc import Sequence

import pytest

from headrace.core.broadcast import RunId
from headrace.livelog.redis import waiting
from headrace.livelog.redis.waiting import PROBE_EVERY_S, PROBE_WAIT_MS, UNDURABLE_WAIT_MS, WAIT_MS, Waiting

FAR_MS = 5  # until a replica in another zone has answered


class Link:
    """A server with a replica that answers after `answers_ms`; each command takes `command_s`."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.command_s = 0.02
        self.answers_ms: float = FAR_MS
        self.limits_ms: list[int] = []

    async def ask(self, command: Sequence[bytes], *, deadline_s: float) -> list[int]:
        limit_ms = int(command[2])
        assert deadline_s > limit_ms / 1000
        self.limits_ms.append(limit_ms)
        self.now_s += self.command_s
        return [1 if self.answers_ms <= limit_ms else 0]


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Link:
    link = Link()
    monkeypatch.setattr(waiting, "monotonic_s", lambda: link.now_s)
    return link


async def test_a_replica_that_is_back_and_far_away_makes_the_run_durable_within_a_second(link: Link) -> None:
    waits = Waiting(RunId("run"), 1)
    link.answers_ms = float("inf")
    assert not await waits.wait(link)  # type: ignore[arg-type]
    assert not await waits.wait(link)  # type: ignore[arg-type]
    link.answers_ms = FAR_MS
    back_s = link.now_s
    while not await waits.wait(link):  # type: ignore[arg-type]
        assert link.now_s - back_s <= PROBE_EVERY_S + link.command_s
    assert UNDURABLE_WAIT_MS < FAR_MS  # it was not the short wait that found it
    waits.leave()


async def test_without_its_replica_a_run_waits_long_once_and_then_for_a_moment(link: Link) -> None:
    waits = Waiting(RunId("run"), 1)
    link.answers_ms = float("inf")
    for _ in range(100):
        assert not await waits.wait(link)  # type: ignore[arg-type]
    assert link.limits_ms[0] == WAIT_MS
    assert set(link.limits_ms[1:]) == {UNDURABLE_WAIT_MS, PROBE_WAIT_MS}
    assert link.limits_ms.count(PROBE_WAIT_MS) <= 100 * link.command_s / PROBE_EVERY_S + 1
    waits.leave()


async def test_where_there_are_no_replicas_nobody_waits(link: Link) -> None:
    assert await Waiting(RunId("run"), 0).wait(link)  # type: ignore[arg-type]
    assert not link.limits_ms
