"""A primary dies while its replica is in sync: nothing that was acknowledged is lost, and no follower misses any."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from headrace.core.broadcast import Hold, RunId
from headrace.livelog import metrics
from headrace.livelog.base import Append, StaleLog, Unreachable
from headrace.livelog.redis.keys import keys_of
from tests.support.log_contract import RUN, START, Writer, bytes_of, claim_of, everything, next_of, part_at
from tests.support.log_writers import SteadyWriter, busy, until
from tests.support.redis import FAILOVER_S, Cluster, Pair, Server
from tests.support.redis_logs import opened
from tests.support.stack import eventually

TIMES = 3
DEATH = Server.kill, Server.start
STANDSTILL = Server.pause, Server.resume


async def test_a_replica_takes_its_primarys_place_again_and_again(pair: Pair) -> None:
    pair.primary.empty()
    async with opened(pair.url, replicas=1) as log, busy(log) as now:
        for _ in range(TIMES):
            await asyncio.to_thread(pair.fail_over)
            await asyncio.to_thread(pair.restore)
            await now.more()
        assert all(writer.takeovers > TIMES for writer in now.writers)


def has_taken_over(writer: SteadyWriter, before: int) -> bool:
    return writer.takeovers > before


async def test_a_cluster_loses_one_primary_after_another(cluster: Cluster) -> None:
    cluster.empty()
    async with opened(cluster.url, replicas=1) as log, busy(log, runs=6) as now:
        for writer, (fail, return_) in zip(now.writers, (DEATH, STANDSTILL), strict=False):
            victim = await asyncio.to_thread(cluster.primary_of, keys_of(writer.run).h.decode())
            await asyncio.to_thread(fail, victim)
            await until(partial(has_taken_over, writer, writer.takeovers), FAILOVER_S)
            await asyncio.to_thread(return_, victim)
            await asyncio.to_thread(eventually, "a whole cluster", cluster.whole, FAILOVER_S)
            await now.more()
    assert len(cluster.primaries()) == 3


async def test_a_slot_that_moves_takes_no_staged_bytes_away(cluster: Cluster) -> None:
    cluster.empty()
    async with opened(cluster.url, replicas=1) as log:
        writer, keys = Writer(log), keys_of(RUN)
        await writer.open()
        await writer.stage(part_at("720p", 0, 0))
        moving = cluster.move(keys.h.decode(), keys.staged + b"720p:0:0:e1")
        next(moving)
        with pytest.raises(Unreachable):
            await log.publish(RUN, writer.claim, writer.n)
        next(moving, None)
        await until_taken(writer)
        assert await log.get(RUN, "720p", 0, 0, "e1") == bytes_of(part_at("720p", 0, 0))


async def until_taken(writer: Writer) -> None:
    async with asyncio.timeout(FAILOVER_S):
        while True:
            writer.claim = replace(writer.claim, take=writer.claim.take + 1)
            with suppress(Unreachable):
                await writer.take()
                return
            await asyncio.sleep(0.1)


async def test_a_replica_that_stands_still_makes_the_run_undurable_until_it_goes_on(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    pair.primary.empty()
    async with opened(pair.url, replicas=1) as log:
        writer = Writer(log)
        await writer.open()
        clock = asyncio.get_running_loop().time
        pair.replica.pause()
        try:
            await writer.stage(Hold(1))
            began_s = clock()
            assert not await log.wait(RUN)
            assert clock() - began_s == pytest.approx(3, abs=0.5)
            assert "the run is undurable" in caplog.text
            assert undurable() == 1
            await log.publish(RUN, writer.claim, writer.n)  # it goes on, not waiting any more
            began_s = clock()
            await writer.stage(Hold(2))
            assert not await log.wait(RUN)
            assert clock() - began_s < 0.5
        finally:
            pair.replica.resume()
        async with asyncio.timeout(5):
            while True:
                if await log.wait(RUN):
                    break
                await asyncio.sleep(0.02)
        assert "the run is durable again" in caplog.text
        assert undurable() == 0
        await writer.append(Hold(3))


def undurable() -> float:
    [metric] = metrics.UNDURABLE_RUNS.collect()
    return metric.samples[0].value


async def test_a_log_that_came_back_without_what_was_durable_is_stale(pair: Pair) -> None:
    pair.primary.empty()
    async with opened(pair.url, replicas=1) as log:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0), part_at("360p", 0, 0), part_at("audio", 0, 0))
        pair.replica.ask("REPLICAOF", "NO", "ONE")  # both believe to be primaries now
        await writer.stage(part_at("720p", 0, 1), part_at("360p", 0, 1), part_at("audio", 0, 1))
        end = part_at("audio", 0, 1).end
        pair.primary.pause()
        try:
            for take in (2, 3):
                with pytest.raises((StaleLog, Unreachable)):
                    await log.takeover(RUN, claim_of(take=take), end)
        finally:
            pair.primary.resume()
        await log.takeover(RUN, claim_of(take=4), end)  # the one that has written more is found again
        pair.join()


async def test_a_server_that_is_a_replica_now_is_neither_written_nor_believed(pair: Pair) -> None:
    pair.primary.empty()
    async with opened(pair.url, replicas=1) as log:
        writer = Writer(log)
        await writer.open()
        readings = log.follow(RUN, START)
        await next_of(readings)
        pair.replica.ask("REPLICAOF", "NO", "ONE")
        pair.primary.ask("REPLICAOF", "127.0.0.1", pair.replica.port)
        pair.primary, pair.replica = pair.replica, pair.primary
        pair.join()
        with pytest.raises(Unreachable):
            await log.stage(RUN, writer.claim, writer.n + 1, Append(Hold(1)))
        again = Writer(log, claim_of(take=2))
        await again.take()
        await again.append(Hold(1))
        assert (await everything(log)).entries[-1].entry == Hold(1)
        assert [each.entry for each in (await next_of(readings)).entries] == [Hold(1)]


async def test_a_replica_that_lags_is_not_believed(pair: Pair) -> None:
    pair.primary.empty()
    async with opened(pair.url, replicas=1) as log:
        writer = Writer(log)
        await writer.open()
        await everything(log)  # so it has a connection to the primary
        pair.replica.ask("REPLICAOF", "NO", "ONE")
        pair.primary.ask("REPLICAOF", "127.0.0.1", 1)  # a replica of nobody
        pair.primary, pair.replica = pair.replica, pair.primary
        async with opened(pair.primary.url) as another:
            newer = Writer(another, claim_of(2))
            await newer.take()
            await newer.append(Hold(1))
        assert (await everything(log)).entries[-1].entry == Hold(1)
        pair.join()


async def test_a_cell_whose_hosts_are_all_replicas_has_no_primary(pair: Pair) -> None:
    async with opened(pair.replica.url) as log:
        with pytest.raises(Unreachable, match="no primary"):
            await log.takeover(RunId("another"), claim_of(), 0, open_new=True)
