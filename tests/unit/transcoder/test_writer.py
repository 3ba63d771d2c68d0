"""The writer's protocol, seen from the log: takeover, stage, wait, publish."""

import asyncio
from typing import Any

import pytest

from headrace.core.broadcast import Claim, End, Epoch, Gap, Part, RunId, RunStart
from headrace.livelog.base import Append, Cursor, Fenced, Reading, RungPosition, Staged, StaleLog, Taken
from headrace.livelog.memory import MemoryLog
from headrace.transcoder.writer import Progress, Writer
from tests.support.broadcasts import PLAN

RUN = RunId("run")
CLAIM = Claim(Epoch(1, 1), "session", "writer")
START = RunStart(PLAN, 0)


class Recorder(MemoryLog):
    """A log that notes every call, says what a takeover finds, and may be without its replica."""

    def __init__(self, taken: Taken = Taken(0, 0, ""), durable: bool = True) -> None:  # noqa: B008
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.durable = durable
        self._taken = taken

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        self.calls.append(("takeover", floor, open_new))
        return self._taken

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        return Reading((), cursor)

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        last = n + len(appends) - 1
        self.calls.append(("stage", n, last))
        return Staged(last, "")

    async def wait(self, run: RunId) -> bool:
        self.calls.append(("wait",))
        return self.durable

    async def publish(self, run: RunId, claim: Claim, n: int) -> None:
        self.calls.append(("publish", n))


def gaps(part: int) -> list[Append]:
    """One gap in every rung."""
    start = part * 30_000
    return [Append(Gap(rung, 0, part, start, start + 30_000, 0, True)) for rung in PLAN.rung_names]


def rungs(start: int) -> dict[str, RungPosition]:
    """All rungs at the start of segment 1, which is at `start`."""
    return {rung: RungPosition(1, 0, start, start, True, "") for rung in PLAN.rung_names}


async def test_takeover_comes_first_and_what_was_staged_is_published_after_a_wait() -> None:
    log = Recorder(Taken(9, 7, "id", rungs(180_000) | {"720p": RungPosition(0, 3, 90_000, 0, True, "")}))
    writer = Writer(log, RUN, CLAIM, START)
    await writer.take(90_000)
    assert log.calls == [("takeover", 90_000, False), ("wait",), ("publish", 9)]
    assert (writer.published, writer.furthest) == (90_000, 180_000)


async def test_a_log_that_knows_nothing_of_a_rendition_is_as_stale_as_one_that_is_behind_in_it() -> None:
    positions = rungs(180_000)
    del positions["720p"]
    log = Recorder(Taken(9, 9, "id", positions))
    now_s = iter(range(100))
    writer = Writer(log, RUN, CLAIM, START, lambda: next(now_s), lambda seconds: asyncio.sleep(0))
    with pytest.raises(StaleLog):
        await writer.take(90_000)


async def test_an_end_is_waited_for_once_more_after_it_is_published() -> None:
    log = Recorder(Taken(4, 4, "id"))
    writer = Writer(log, RUN, CLAIM, START)
    await writer.take(0)
    log.calls.clear()
    await writer.append([Append(End(0))])
    assert log.calls == [("stage", 5, 5), ("wait",), ("publish", 5), ("wait",)]


async def test_a_floor_of_zero_opens_an_unknown_run_and_an_empty_log_has_nothing_to_publish() -> None:
    log = Recorder()
    await Writer(log, RUN, CLAIM, START).take(0)
    assert log.calls == [("takeover", 0, True), ("wait",)]


async def test_a_batch_is_staged_in_order_and_costs_one_wait_and_one_publish() -> None:
    log = Recorder(Taken(4, 4, "id"))
    writer = Writer(log, RUN, CLAIM, START)
    await writer.take(0)
    log.calls.clear()
    assert await writer.append(gaps(0)) == Progress(30_000, 30_000)
    assert log.calls == [("stage", 5, 7), ("wait",), ("publish", 7)]


async def test_progress_is_that_of_the_rendition_that_is_furthest_behind() -> None:
    writer = Writer(Recorder(), RUN, CLAIM, START)
    await writer.take(0)
    await writer.append(gaps(0))
    assert (await writer.append(gaps(1)[:2])).published == 30_000
    assert (await writer.append(gaps(1)[2:])).published == 60_000


async def test_what_no_replica_has_is_published_but_not_durable() -> None:
    log = Recorder(durable=False)
    writer = Writer(log, RUN, CLAIM, START)
    await writer.take(0)
    assert await writer.append(gaps(0)) == Progress(30_000, 0)
    log.durable = True
    assert await writer.append(gaps(1)) == Progress(60_000, 60_000)


async def test_a_refusal_by_the_log_is_the_writers_end() -> None:
    log = MemoryLog()
    writer = Writer(log, RUN, CLAIM, START)
    await writer.take(0)
    await log.takeover(RUN, Claim(Epoch(1, 2), "session", "other"), 0)
    part = Part("720p", 0, 0, 0, 30_000, 0, True, True, 1, "", "e")
    with pytest.raises(Fenced):
        await writer.append([Append(part, b"x")])
