"""Whoever follows a run hears all of it, whatever pushes are lost, late or too many."""

import asyncio

import pytest

from headrace.core.broadcast import Hold, RunId
from headrace.livelog.base import Cursor, NoRun, Published, Unreachable
from headrace.livelog.redis import following as following_module
from headrace.livelog.redis import subscriptions
from headrace.livelog.redis.keys import keys_of
from tests.support.log_contract import RUN, START, Writer, claim_of, entries_of, everything, next_of, told
from tests.support.redis import Server
from tests.support.redis_logs import opened

KEYS = keys_of(RUN)


async def test_a_push_that_never_came_is_read_after_a_second_of_silence(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        readings = log.follow(RUN, START)
        await next_of(readings)
        await hidden(server, writer)
        assert await told(readings, 1) == [Hold(1)]


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is pushed, or noticed to be missing, makes a follower read."""
    monkeypatch.setattr(following_module, "QUIET_S", 60.0)


async def hidden(server: Server, writer: Writer) -> None:
    """Publish an entry, and push it to nobody."""
    await writer.stage(Hold(1))
    [[staged, fields]] = server.ask("XRANGE", KEYS.g, f"{writer.n}-0", f"{writer.n}-0")
    server.ask("XADD", KEYS.s, staged, "id", fields[b"id"], "entry", fields[b"entry"], "part", "", "init", "")
    server.ask("HSET", KEYS.h, "pub", writer.n, "pid", fields[b"id"])


@pytest.mark.usefixtures("no_polling")
async def test_a_missing_number_is_read_at_once(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        readings = log.follow(RUN, START)
        await next_of(readings)
        await writer.append(Hold(1))
        assert await told(readings, 1) == [Hold(1)]
        async with asyncio.timeout(5):
            await hidden(server, writer)
            await writer.append(Hold(2))
            assert await told(readings, 2) == [Hold(1), Hold(2)]
        async with asyncio.timeout(5):  # a push that is ahead of what was heard, and one that lies
            for n in (writer.n + 5, writer.n + 1):
                server.ask("SPUBLISH", KEYS.channel, b"%d %s %s" % (n, b"0" * 40, b""))
            await writer.append(Hold(2))
            assert await told(readings, 1) == [Hold(2)]
            await writer.append(Hold(3))
            assert await told(readings, 1) == [Hold(3)]


@pytest.mark.usefixtures("no_polling")
async def test_what_was_published_while_the_connection_was_lost_is_read_at_once(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        readings = log.follow(RUN, START)
        await next_of(readings)
        await writer.stage(Hold(1))
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await log.publish(RUN, writer.claim, writer.n)
        async with asyncio.timeout(5):
            assert await told(readings, 1) == [Hold(1)]


@pytest.mark.usefixtures("no_polling")
async def test_a_slow_follower_is_bounded_and_reads_what_was_dropped(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_BYTES", 10)
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        readings = log.follow(RUN, START)
        first = await next_of(readings)
        holds = [Hold(at) for at in range(50)]
        await writer.append(*holds)
        await writer.append(Hold(50))
        async with asyncio.timeout(5):
            assert await told(readings, 51) == [*holds, Hold(50)]
        assert first.entries[-1].entry != Hold(50)


async def test_many_follow_many_runs_over_one_connection(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writers = [Writer(log, run=RunId(f"run{index}")) for index in range(20)]
        for writer in writers:
            await writer.open()
        followings = [log.follow(writer.run, START) for writer in writers for _ in range(3)]
        for following in followings:
            await next_of(following)
        assert len(server.ask("CLIENT", "LIST", "TYPE", "pubsub").splitlines()) == 1
        for writer in writers:
            await writer.append(Hold(7))
        for following in followings:
            assert await told(following, 1) == [Hold(7)]


async def test_who_follows_no_more_costs_the_server_nothing(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        await Writer(log).open()
        for _ in range(3):
            following = log.follow(RUN, START)
            await anext(following)
            assert len(server.ask("PUBSUB", "SHARDCHANNELS")) == 1
            await following.aclose()  # type: ignore[attr-defined]
            async with asyncio.timeout(5):
                while True:
                    if not server.ask("PUBSUB", "SHARDCHANNELS"):
                        break
                    await asyncio.sleep(0.01)


async def test_who_leaves_may_listen_again_at_once(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        await Writer(log).open()
        for pause_ms in range(100):
            following = log.follow(RUN, START)
            await next_of(following)
            await following.aclose()  # type: ignore[attr-defined]
            await asyncio.sleep(pause_ms % 7 * 0.0005)  # the server may not have said yet that it sends no more


async def test_a_connection_that_nobody_listens_to_is_closed_and_never_under_somebody_new(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.empty()
    monkeypatch.setattr(subscriptions, "IDLE_S", 0.05)
    monkeypatch.setattr(subscriptions, "PING_S", 0.1)
    async with opened(server.url) as log:
        await Writer(log).open()
        for late_s in (0.02, 0.07, 0.09, 0.11, 0.3):
            following = log.follow(RUN, START)
            await next_of(following)
            await following.aclose()  # type: ignore[attr-defined]
            await asyncio.sleep(late_s)
        assert server.ask("CLIENT", "LIST", "TYPE", "pubsub") == b""


async def test_a_log_that_is_shorter_and_equal_changes_nothing_for_a_follower(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.append(Hold(1), Hold(2))
        readings = log.follow(RUN, START)
        before = await next_of(readings)
        await taken_back(server, before.entries[-3])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await anext(readings)


async def taken_back(server: Server, last: Published) -> None:
    """The log is as it was before what followed this entry was published, as a failover may leave it."""
    server.ask("XDEL", KEYS.s, *(f"{n}-0" for n in (last.n + 1, last.n + 2)))
    server.ask("HSET", KEYS.h, "pub", last.n, "pid", last.id, "n", last.n, "id", last.id)


async def test_a_log_that_differs_is_told_whole(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.append(Hold(1), Hold(2))
        readings = log.follow(RUN, START)
        before = await next_of(readings)
        server.empty()
        again = Writer(log, claim_of(2))
        await again.open()
        await again.append(Hold(3))
        reading = await next_of(readings)
        while entries_of(reading)[-1:] != [Hold(3)]:
            reading = await next_of(readings)
        assert reading.cursor.n < before.cursor.n
        assert (await everything(log)).cursor == reading.cursor


async def test_a_first_reading_says_when_there_is_no_run_or_no_server(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        with pytest.raises(NoRun):
            await next_of(log.follow(RUN, Cursor(7, "id")))
    async with opened("redis://127.0.0.1:1") as log:
        with pytest.raises(Unreachable):
            await next_of(log.follow(RUN, START))
        with pytest.raises(Unreachable):
            await log.get(RUN, "720p", 0, 0, "e1")


async def test_an_entry_of_another_version_is_handed_on_as_unknown(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.append(Hold(1))
        last = (await everything(log)).entries[-1]
        server.ask("XDEL", KEYS.s, f"{last.n}-0")
        server.ask("HSET", KEYS.h, "pub", last.n - 1)
        unknown = b"\xfa\x01\x02hi"
        server.ask("XADD", KEYS.s, f"{last.n + 1}-0", "id", "x" * 40, "entry", unknown, "part", "", "init", "")
        server.ask("HSET", KEYS.h, "pub", last.n + 1, "pid", "x" * 40)
        assert (await everything(log)).entries[-1] == Published(last.n + 1, "x" * 40, None)
