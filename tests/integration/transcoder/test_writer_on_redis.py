"""The writer on real servers that lose connections, stand still, fail over, or start again empty."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import Claim, Epoch, Gap, Init, Part, RunId, RunStart
from headrace.livelog.base import Append, Cursor, LiveLog
from headrace.transcoder.writer import Writer
from tests.support.broadcasts import PLAN
from tests.support.log_contract import PARTS, SEGMENT, bytes_of, init_of, part_at
from tests.support.redis import Pair, Server
from tests.support.redis_logs import opened

RUN = RunId("run")
START = RunStart(PLAN, 0)
INITS = [Append(init_of(rung)) for rung in PLAN.rung_names]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with Server() as server:
        yield server


def segment(msn: int) -> list[Append]:
    parts = [part_at(rung, msn, part) for part in range(PARTS) for rung in PLAN.rung_names]
    return [Append(part, bytes_of(part)) for part in parts]


async def writing(log: LiveLog) -> Writer:
    writer = Writer(log, RUN, Claim(Epoch(1, 1), "session", "writer"), START)
    await writer.take(0)
    await writer.append(INITS)
    return writer


async def shown(log: LiveLog) -> list[object]:
    return [one.entry for one in (await log.read(RUN, Cursor(0, ""))).entries]


async def test_a_full_server_makes_a_run_wait_and_does_not_end_it(server: Server) -> None:
    async with opened(server.url) as log:
        writer = await writing(log)
        await writer.append(segment(0))
        server.ask("CONFIG", "SET", "maxmemory", "1")
        async with asyncio.TaskGroup() as group:
            late = group.create_task(writer.append(segment(1)))
            await asyncio.sleep(1)
            assert not late.done()
            server.ask("CONFIG", "SET", "maxmemory", server.settings["maxmemory"])
        expected = [*INITS, *segment(0), *segment(1)]
        assert await shown(log) == [START, *(append.entry for append in expected)]


async def test_cut_connections_and_a_server_that_stands_still_lose_nothing(server: Server) -> None:
    async with opened(server.url) as log:
        writer = await writing(log)
        appends = segment(0)
        for number, append in enumerate(appends):
            if number % 5 == 0:
                server.cut()
            await writer.append([append])
        server.pause()
        async with asyncio.TaskGroup() as group:
            late = group.create_task(writer.append(segment(1)))
            await asyncio.sleep(2.5)
            assert not late.done()
            server.resume()
        assert writer.progress.durable == 2 * SEGMENT
        expected = [*INITS, *appends, *segment(1)]
        assert await shown(log) == [START, *(append.entry for append in expected)]


@pytest.mark.parametrize("restarts", [False, True], ids=["emptied", "restarted"])
async def test_a_server_that_lost_everything_gets_the_run_again_above_all_numbers(
    server: Server, restarts: bool
) -> None:
    async with opened(server.url) as log:
        writer = await writing(log)
        for msn in range(4):
            for append in segment(msn):
                await writer.append([append])
        await writer.append(segment(4)[:4])
        if restarts:
            server.kill()
            server.start()
        else:
            server.empty()
        for append in [*segment(4)[4:], *segment(5)]:
            await writer.append([append])
        entries = await shown(log)
        msn = 4 * 5 * SEGMENT // PLAN.segment
        assert entries[0] == START
        assert {entry.rung for entry in entries if isinstance(entry, Init)} == set(PLAN.rung_names)
        assert {entry.msn for entry in entries if isinstance(entry, Gap)} == {msn}
        parts = [entry for entry in entries if isinstance(entry, Part)]
        assert {(part.msn, part.segment_start) for part in parts} == {(msn + 1, 5 * SEGMENT)}
        assert len(parts) == len(PLAN.rung_names) * PARTS
        assert writer.progress.durable == 6 * SEGMENT
        assert await log.get(RUN, "720p", msn + 1, 0, "e1") == bytes_of(part_at("720p", 5, 0))


async def test_a_failover_to_a_replica_that_was_cut_off_costs_nothing() -> None:
    with Pair() as pair:
        async with opened(pair.url, replicas=1) as log:
            writer = await writing(log)
            await writer.append(segment(0))
            assert writer.progress.durable == SEGMENT
            pair.replica.ask("REPLICAOF", pair.primary.host.address, 1)
            parts = len(PLAN.rung_names)
            await writer.append(segment(1)[:parts])
            assert (writer.progress.published, writer.progress.durable) == (SEGMENT + PLAN.part, SEGMENT)
            before = counted("restaged_entries_total")
            pair.fail_over()
            await writer.append(segment(1)[parts : 2 * parts])
            assert counted("restaged_entries_total") - before >= parts
            entries = [*INITS, *segment(0), *segment(1)[: 2 * parts]]
            assert await shown(log) == [START, *(append.entry for append in entries)]
            assert await log.get(RUN, "720p", 1, 0, "e1") == bytes_of(part_at("720p", 1, 0))


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_transcoder_{name}") or 0.0
