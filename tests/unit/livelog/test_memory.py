"""The memory log keeps the contract, its byte bound, and ended runs for a while."""

import asyncio
from dataclasses import replace

import pytest

from headrace.core.broadcast import End, Part, RunId, StreamId
from headrace.livelog.base import Append, Cursor, LiveLog, LogFull, NoRun
from headrace.livelog.held import ENTRY_OVERHEAD_BYTES
from headrace.livelog.memory import ENDED_RUN_S, MemoryLog
from tests.support.broadcasts import PLAN
from tests.support.log_contract import (
    PARTS,
    RUN,
    START,
    LogContract,
    Writer,
    claim_of,
    entries_of,
    everything,
    next_of,
    part_at,
)


class Clock:
    """Virtual monotonic seconds."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def log() -> LiveLog:
    return MemoryLog()


class TestMemoryLog(LogContract):
    """All of the contract."""


async def msns(log: LiveLog, run: RunId, rung: str = "720p") -> list[int]:
    """The MSNs of a rung's parts that a new reader sees."""
    parts = [e for e in entries_of(await everything(log, run)) if isinstance(e, Part) and e.rung == rung]
    return sorted({e.msn for e in parts})


async def filled(log: MemoryLog, name: str, segments: int) -> Writer:
    """A run of this many segments."""
    writer = Writer(log, run=RunId(name))
    await writer.open()
    await writer.segments(0, segments - 1)
    return writer


async def bytes_of_segments(segments: int) -> int:
    """What such a run holds, where nothing presses."""
    log = MemoryLog()
    await filled(log, "run", segments)
    return log.held_bytes


async def test_every_byte_of_a_part_and_an_entry_counts_and_leaves_with_the_window() -> None:
    log = MemoryLog()
    writer = Writer(log)
    await writer.open()
    before = log.held_bytes
    data = bytes(10_000)
    await log.stage(RUN, writer.claim, writer.n + 1, Append(part_at("720p", 0, 0, data=data), data))
    assert 10_000 + ENTRY_OVERHEAD_BYTES < log.held_bytes - before < 10_200 + ENTRY_OVERHEAD_BYTES
    one_minute = await bytes_of_segments(60)
    assert await bytes_of_segments(120) == pytest.approx(one_minute, rel=0.05)


async def test_above_the_bound_the_longest_window_shrinks_and_the_others_stay() -> None:
    ten, thirty = await bytes_of_segments(10), await bytes_of_segments(30)
    log = MemoryLog(max_bytes=ten + thirty)
    await filled(log, "long", 30)
    short = await filled(log, "short", 10)
    await short.segments(10, 14)
    assert log.held_bytes <= log.max_bytes
    assert await msns(log, RunId("short")) == list(range(15))
    kept = await msns(log, RunId("long"))
    assert 6 <= len(kept) < 30
    assert kept[-1] == 29
    assert await log.get(RunId("long"), "720p", kept[0] - 1, 0, "e1") is None
    assert await log.get(RunId("long"), "720p", kept[0], 0, "e1") is not None


async def test_never_below_six_segments_and_then_no_run_is_opened() -> None:
    log = MemoryLog(max_bytes=await bytes_of_segments(5))
    writer = await filled(log, "one", 12)
    assert await msns(log, RunId("one")) == list(range(6, 12))
    with pytest.raises(LogFull):
        await log.takeover(RunId("two"), claim_of(), 0, open_new=True)
    with pytest.raises(NoRun):
        await log.read(RunId("two"), START)
    await writer.segments(12, 12)  # who has a run goes on
    assert set(range(7, 13)) <= set(await msns(log, RunId("one")))


async def test_a_reader_in_a_window_that_shrank_begins_anew() -> None:
    log = MemoryLog(max_bytes=await bytes_of_segments(8))
    writer = await filled(log, "run", 2)
    readings = log.follow(RunId("run"), START)
    await next_of(readings)
    await writer.segments(2, 11)
    reading = await next_of(readings)
    assert reading.whole
    assert reading == await everything(log, RunId("run"))
    at = reading.entries[0]
    assert (await log.read(RunId("run"), Cursor(at.n, at.id))).entries == reading.entries[1:]


async def test_who_follows_hears_what_was_forgotten_for_want_of_memory() -> None:
    log = MemoryLog(max_bytes=await bytes_of_segments(20))
    quiet = log.follow((await filled(log, "quiet", 16)).run, START)
    assert (await next_of(quiet)).oldest == 0
    await filled(log, "growing", 12)
    reading = await next_of(quiet)
    assert reading.entries == ()
    assert reading.oldest == (await msns(log, RunId("quiet")))[0] > 0


async def test_a_reader_at_the_edge_of_what_was_forgotten_goes_on() -> None:
    log, unforgotten = MemoryLog(), MemoryLog()
    await filled(log, "run", 41)
    await filled(unforgotten, "run", 20)  # the same entries, so the same ids
    first = (await everything(log, RunId("run"))).entries[0]
    edge = (await everything(unforgotten, RunId("run"))).entries[first.n - 2]
    reading = await log.read(RunId("run"), Cursor(edge.n, edge.id))
    assert not reading.whole
    assert reading.entries[0] == first


async def test_runs_that_hold_nothing_are_bounded_too() -> None:
    log = MemoryLog(max_bytes=1 << 20)

    async def open_many() -> None:
        for index in range(100):
            await log.takeover(RunId(f"run{index}"), claim_of(), 0, open_new=True)

    with pytest.raises(LogFull):
        await open_many()


async def test_an_ended_run_is_kept_for_its_viewers_and_then_forgotten() -> None:
    clock = Clock()
    log = MemoryLog(clock=clock)
    writer = Writer(log)
    await writer.open()
    await writer.append(*(part_at("720p", 0, part) for part in range(PARTS)))
    await log.set_current({StreamId("stream"): RUN})
    await log.set_current({StreamId("another"): RunId("newer")})
    clock.now_s += 10 * ENDED_RUN_S
    log.expire()  # it goes on, however quietly
    await writer.append(End(PLAN.segment))
    clock.now_s += ENDED_RUN_S - 1
    log.expire()
    assert await log.get(RUN, "720p", 0, 0, "e1") is not None
    assert await log.current(StreamId("stream")) == RUN
    clock.now_s += 1
    log.expire()
    with pytest.raises(NoRun):
        await log.read(RUN, START)
    assert await log.get(RUN, "720p", 0, 0, "e1") is None
    assert await log.current(StreamId("stream")) is None
    assert await log.current(StreamId("another")) == "newer"
    assert log.held_bytes == 0


async def test_room_that_ended_runs_took_is_there_for_new_ones() -> None:
    clock = Clock()
    log = MemoryLog(max_bytes=await bytes_of_segments(3), clock=clock)
    writer = await filled(log, "one", 3)
    await writer.append(End(0))
    with pytest.raises(LogFull):
        await log.takeover(RunId("two"), claim_of(), 0, open_new=True)
    clock.now_s += ENDED_RUN_S
    await log.takeover(RunId("two"), claim_of(), 0, open_new=True)


async def test_who_follows_a_run_that_is_forgotten_hears_of_it() -> None:
    clock = Clock()
    log = MemoryLog(clock=clock)
    writer = Writer(log)
    await writer.open()
    async with asyncio.TaskGroup() as group:
        sweeping = group.create_task(log.run())
        await writer.append(End(0))
        readings = log.follow(RUN, START)
        await next_of(readings)
        clock.now_s += ENDED_RUN_S
        log.expire()
        with pytest.raises(NoRun):
            await next_of(readings)
        sweeping.cancel()


async def test_a_part_without_its_bytes_is_a_mistake_of_ours() -> None:
    log = MemoryLog()
    writer = Writer(log)
    await writer.open()
    part = part_at("720p", 0, 0)
    for data in (None, b"", bytes(part.size + 1)):
        with pytest.raises(ValueError, match="bytes"):
            await log.stage(RUN, writer.claim, writer.n + 1, Append(part, data))
    await writer.append(replace(part, independent=True))
