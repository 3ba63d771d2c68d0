"""Connections to the log are lost for seconds: nothing that was durable is, and everything goes on by itself."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from headrace.core.broadcast import Hold
from headrace.livelog.base import Append, LiveLog, NoRun, Unreachable
from tests.support.log_contract import RUN, START, Writer, claim_of, entries_of, next_of, part_at
from tests.support.log_writers import busy
from tests.support.proxy import Proxy, proxy_to
from tests.support.redis import Server
from tests.support.redis_logs import opened

AWAY_S = 5.0


async def test_a_server_that_stands_still_for_five_seconds(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log, busy(log) as now:
        server.pause()
        try:
            await asyncio.sleep(AWAY_S)
        finally:
            server.resume()
        await now.more()
        assert all(writer.takeovers > 1 for writer in now.writers)


async def test_connections_that_are_cut_again_and_again(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log, busy(log) as now:
        for _ in range(3):
            server.cut()
            await now.more(0.1)
        assert all(writer.takeovers >= 3 for writer in now.writers)


async def test_a_network_that_is_away_for_a_while(server: Server) -> None:
    server.empty()
    async with proxy_to(server.port) as proxy, opened(f"redis://127.0.0.1:{proxy.port}") as log, busy(log) as now:
        proxy.cut()
        await asyncio.sleep(0.8)
        proxy.mend()
        await now.more()


async def test_a_lost_connection_is_told_until_the_next_takeover(server: Server) -> None:
    server.empty()
    async with proxy_to(server.port) as proxy, opened(f"redis://127.0.0.1:{proxy.port}") as log:
        writer = Writer(log)
        await writer.open()
        proxy.cut()
        await asyncio.sleep(0.05)
        for call in calls_of(log, writer):
            with pytest.raises(Unreachable):
                await call()
        with pytest.raises(Unreachable):
            await log.takeover(RUN, claim_of(take=2), 0)
        proxy.mend()
        for call in calls_of(log, writer):
            with pytest.raises(Unreachable):
                await call()
        again = Writer(log, claim_of(take=2))
        await again.take()
        await again.append(part_at("720p", 0, 0))


def calls_of(log: LiveLog, writer: Writer) -> list[Callable[[], Awaitable[object]]]:
    """All that a writer does after it took a run over."""
    return [
        lambda: log.stage(RUN, writer.claim, writer.n + 1, Append(Hold(1))),
        lambda: log.wait(RUN),
        lambda: log.publish(RUN, writer.claim, writer.n),
    ]


async def test_nothing_is_written_before_a_takeover(server: Server) -> None:
    async with opened(server.url) as log:
        for call in calls_of(log, Writer(log)):
            with pytest.raises(RuntimeError, match="taken over"):
                await call()


async def test_a_cancelled_call_leaves_no_answer_for_the_next_one(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        server.pause()
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await log.stage(RUN, writer.claim, writer.n + 1, Append(Hold(1)))
        finally:
            server.resume()
        with pytest.raises(Unreachable):
            await log.publish(RUN, writer.claim, writer.n)
        again = Writer(log, claim_of(take=2))
        await again.take()
        await again.append(Hold(2))


async def test_an_emptied_server_knows_no_run_and_the_run_is_opened_again(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        await writer.segments(0, 1)
        readings = log.follow(RUN, START)
        first = await next_of(readings)
        following = asyncio.get_running_loop().create_task(next_of(readings))
        server.kill()
        server.start()  # without data, and without functions
        await asyncio.sleep(0.5)
        assert not following.done()
        with pytest.raises(NoRun):
            await log.read(RUN, START)
        with pytest.raises(Unreachable):
            await writer.append(Hold(1))
        with pytest.raises(NoRun):
            await log.takeover(RUN, claim_of(take=2), 0)
        again = Writer(log, claim_of(take=2))
        await again.take()
        await again.append(part_at("720p", 40, 0, "e2"))
        async with asyncio.timeout(5):
            reading = await following  # the same follower goes on, with what the log has now
        assert reading.whole
        assert reading.entries != first.entries
        assert entries_of(reading) == [part_at("720p", 40, 0, "e2")]


async def test_a_server_that_forgot_its_functions_gets_them_at_the_next_takeover(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        server.ask("FUNCTION", "FLUSH")
        with pytest.raises(Unreachable):
            await writer.stage(Hold(1))
        again = Writer(log, claim_of(take=2))
        await again.take()
        await again.append(Hold(1))


async def test_a_cut_network_drops_what_a_proxy_was_given(server: Server) -> None:
    """The proxy does what the tests above believe of it."""
    async with proxy_to(server.port) as proxy:
        assert isinstance(proxy, Proxy)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"PING\r\n")
        assert await reader.readline() == b"+PONG\r\n"
        proxy.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.transport.abort()


async def test_two_sessions_writers_that_come_at_once_leave_one_connection(server: Server) -> None:
    server.empty()
    async with opened(server.url) as log:
        writer = Writer(log)
        await writer.open()
        server.cut()
        with pytest.raises(Unreachable):
            await log.publish(RUN, writer.claim, writer.n)
        before = {each.split()[0] for each in server.ask("CLIENT", "LIST").splitlines()}
        async with asyncio.TaskGroup() as group:
            for attempt in range(2, 6):
                group.create_task(log.takeover(RUN, claim_of(attempt), 0))
        after = {each.split()[0] for each in server.ask("CLIENT", "LIST").splitlines()}
        assert len(after - before) == 2  # the run's, and the one that asks here
