"""What a server keeps, and for how long."""

import asyncio
from dataclasses import replace

import pytest

from headrace.core.broadcast import End, Hold, RunId, StreamId
from headrace.livelog.base import Append, LiveLog, LogFull, NoRun, RunEnded
from headrace.livelog.redis.keys import keys_of
from headrace.livelog.redis.writing import ENDED_RUN_S, LIVE_RUN_S
from tests.support.broadcasts import PLAN
from tests.support.log_contract import RUN, RUN_START, START, Writer, body, bytes_of, claim_of, everything, part_at
from tests.support.redis import Server
from tests.support.redis_logs import opened

KEYS = keys_of(RUN)
PART = b"720p:0:0:e1"


async def a_run(log: LiveLog) -> Writer:
    """A run with a part."""
    writer = Writer(log)
    await writer.open()
    await writer.append(part_at("720p", 0, 0))
    return writer


def left_s(server: Server, key: bytes) -> int:
    """How long a key is kept; -2 when it is not there, -1 for ever."""
    return int(server.ask("TTL", key))


async def test_bytes_are_there_for_as_long_as_players_may_ask(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        await a_run(log)
        listed_s = PLAN.window_s + PLAN.target_duration_s + 3 * PLAN.target_duration_s
        assert listed_s < left_s(server, KEYS.published + PART) <= listed_s + 32


async def test_bytes_live_for_as_long_from_when_they_were_first_listed(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.stage(part_at("720p", 0, 0))
        kept_s = left_s(server, KEYS.staged + PART)
        server.ask("EXPIRE", KEYS.staged + PART, 5)  # as after a while
        await log.publish(RUN, writer.claim, writer.n)
        assert left_s(server, KEYS.published + PART) == pytest.approx(kept_s, abs=1)
        assert left_s(server, KEYS.staged + PART) == -2


async def test_what_was_staged_is_not_got_before_it_is_published(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.stage(part_at("720p", 0, 0))
        assert await log.get(RUN, "720p", 0, 0, "e1") is None
        await log.publish(RUN, writer.claim, writer.n)
        assert await log.get(RUN, "720p", 0, 0, "e1") == body("720p", 0, 0, "e1")


async def test_staging_again_what_is_published_leaves_its_bytes_once(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = await a_run(log)
        part = part_at("720p", 0, 0)
        await log.stage(RUN, writer.claim, writer.n, Append(part, bytes_of(part)))
        assert left_s(server, KEYS.staged + PART) == -2
        assert await log.get(RUN, "720p", 0, 0, "e1") is not None


async def test_an_entry_that_was_long_staged_is_published_though_its_bytes_are_gone(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.stage(part_at("720p", 0, 0))
        server.ask("DEL", KEYS.staged + PART)
        await log.publish(RUN, writer.claim, writer.n)
        assert (await everything(log)).entries[-1].entry == part_at("720p", 0, 0)
        assert await log.get(RUN, "720p", 0, 0, "e1") is None


async def test_an_entry_without_its_bytes_is_not_staged(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        part = part_at("720p", 0, 0)
        for data in (None, b"", bytes(part.size + 1)):
            with pytest.raises(ValueError, match="bytes"):
                await log.stage(RUN, writer.claim, writer.n + 1, Append(part, data))
        await writer.append(part)


async def test_an_ended_run_is_kept_for_those_who_still_watch_it(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = await a_run(log)
        assert all(left_s(server, key) > LIVE_RUN_S - 5 for key in (*KEYS.log[:2], KEYS.p, KEYS.s))
        await writer.stage(End(0))
        assert left_s(server, KEYS.h) > ENDED_RUN_S
        await log.publish(RUN, writer.claim, writer.n)
        for key in (KEYS.h, KEYS.c, KEYS.p, KEYS.s, KEYS.published + PART):
            assert ENDED_RUN_S - 2 <= left_s(server, key) <= ENDED_RUN_S
        with pytest.raises(RunEnded):
            await log.takeover(RUN, claim_of(2), 0)
        assert left_s(server, KEYS.h) <= ENDED_RUN_S


async def test_the_writer_of_a_run_that_has_ended_gives_its_connection_back_soon(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.livelog.redis.log.SWEEP_S", 0.05)
    monkeypatch.setattr("headrace.livelog.redis.log.UNUSED_ENDED_RUN_S", 0.1)
    server.empty()

    def takers() -> int:
        return sum(line.count("cmd=fcall") for line in server.ask("CLIENT", "LIST").decode().splitlines())

    async with opened(server.url) as log:
        ended, going_on = await a_run(log), Writer(log, run=RunId("another"))
        await going_on.open()
        await ended.append(End(0))
        before = takers()
        await asyncio.sleep(1.0)  # several times as long as it should take
        assert takers() == before - 1
        await going_on.append(part_at("720p", 0, 0))


async def test_nothing_of_a_run_is_kept_for_ever(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = await a_run(log)
        await writer.stage(part_at("720p", 0, 1), Hold(0))
        keys = server.ask("KEYS", "*")
        assert len(keys) > 5
        assert all(left_s(server, key) > 0 for key in keys)


async def test_a_run_that_is_opened_anew_has_nothing_of_the_old_one(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = await a_run(log)
        await writer.stage(part_at("720p", 0, 1))
        server.ask("DEL", KEYS.h)
        taken = await log.takeover(RUN, claim_of(2), 0, open_new=True)
        assert (taken.n, taken.rungs) == (0, {})
        assert (await everything(log)).entries == ()


async def test_a_full_server_refuses_and_what_was_staged_is_still_published(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = await a_run(log)
        await writer.stage(part_at("720p", 0, 1))
        server.ask("CONFIG", "SET", "maxmemory", "1")
        try:
            with pytest.raises(LogFull):
                await log.takeover(RunId("another"), claim_of(), 0, open_new=True)
            with pytest.raises(LogFull):
                await writer.stage(part_at("720p", 0, 2))
            with pytest.raises(LogFull):
                await log.set_current({StreamId("stream"): RUN})
            await log.publish(RUN, writer.claim, writer.n)
            assert await log.get(RUN, "720p", 0, 1, "e1") is not None
        finally:
            server.ask("CONFIG", "SET", "maxmemory", server.settings["maxmemory"])
        await writer.append(part_at("720p", 0, 2))


async def test_readers_of_a_server_without_functions_are_told_that_there_is_no_run(server: Server) -> None:
    server.empty()
    server.ask("FUNCTION", "FLUSH")
    async with opened(server.url) as log:
        with pytest.raises(NoRun):
            await log.read(RUN, START)
        assert server.ask("FUNCTION", "LIST") == []  # and load none


async def test_two_writers_that_both_miss_the_functions_load_them_once(server: Server) -> None:
    server.empty()
    server.ask("FUNCTION", "FLUSH")
    async with opened(server.url) as log, asyncio.TaskGroup() as group:
        for index in range(8):
            run = RunId(f"run{index}")
            group.create_task(Writer(log, run=run).take())
    assert len(server.ask("FUNCTION", "LIST")) == 1


async def test_the_window_is_known_to_a_writer_that_takes_over(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.segments(0, 39)
    async with opened(server.url) as log:
        other = Writer(log, claim_of(2, writer="w2"))
        await other.take()
        await other.segments(40, 60)
        reading = await everything(log)
        assert reading.oldest > 20
        assert reading.head[0] == RUN_START
        kept_s = left_s(server, KEYS.published + b"720p:39:0:e1")  # it knows the plan, too
        assert left_s(server, KEYS.published + b"720p:60:0:e1") == pytest.approx(kept_s, abs=3)
        assert int(server.ask("XLEN", KEYS.g)) == 0


async def test_a_cursor_at_the_edge_of_what_was_forgotten_is_known(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        other, writer = Writer(log, run=RunId("other")), Writer(log)
        for each in (other, writer):  # the same entries, so the same ids
            await each.open()
        await other.segments(0, 25)
        await writer.segments(0, 45)
        first = (await everything(log)).entries[0]
        edge = (await everything(log, RunId("other"))).entries[first.n - 2]
        reading = await log.read(RUN, replace(START, n=edge.n, id=edge.id))
        assert not reading.whole
        assert reading.entries[0] == first


async def test_of_two_runs_the_one_set_last_is_current_whatever_clocks_say(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        stream = StreamId("stream")
        server.ask("SET", "current:stream", "99999999999999 old")
        assert await log.current(stream) == "old"
        await log.set_current({stream: RUN})
        assert await log.current(stream) == RUN
