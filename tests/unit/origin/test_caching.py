"""Segments joined from parts, and parts, once."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import RunId
from headrace.core.hls.listing import Segment
from headrace.core.hls.playlist import RunModel
from headrace.livelog.base import LiveLog, LogError
from headrace.origin import caching
from headrace.origin.caching import MediaCache
from tests.support.asgi import settle
from tests.support.runs import PlaybackLog, chained, part_bytes, parts_of, plan_of, start_of, whole_run

RUN = RunId("r1")


@pytest.fixture(scope="module")
def segments() -> list[Segment]:
    playlist = RunModel.read([], chained(whole_run(plan_of(), 4))).playlist("audio")
    assert playlist is not None
    return list(playlist.segments)


def cache_over(log: PlaybackLog, max_bytes: int = 10**6) -> MediaCache:
    return MediaCache(cast(LiveLog, log), max_bytes)


async def test_a_segment_is_its_parts_bytes_in_order(log: PlaybackLog, segments: list[Segment]) -> None:
    body = await cache_over(log).segment(RUN, "audio", segments[1])
    assert body == b"".join(part_bytes("audio", 1, part) for part in range(6))


async def test_a_listed_gap_that_its_neighbour_fills_adds_no_bytes(log: PlaybackLog) -> None:
    plan = plan_of("passthrough", audio=False)
    model = RunModel.read([], chained([*start_of(plan), *parts_of(plan, "source", 0, filled=(1, 5))]))
    segment = model.segment("source", 0)
    assert segment is not None
    body = await cache_over(log).segment(RUN, "source", segment)
    assert body == b"".join(part_bytes("source", 0, part) for part in (0, 2, 3, 4))


async def test_many_who_ask_at_once_cost_one_fetch(log: PlaybackLog, segments: list[Segment]) -> None:
    cache = cache_over(log)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(cache.segment(RUN, "audio", segments[0])) for _ in range(20)]
    assert len({task.result() for task in asked}) == 1
    assert log.calls["get"] == 6
    await cache.segment(RUN, "audio", segments[0])
    assert log.calls["get"] == 6


async def test_many_who_ask_for_an_expired_segment_cost_one_fetch(log: PlaybackLog, segments: list[Segment]) -> None:
    log.expired.add(("audio", 0))
    cache = cache_over(log)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(cache.segment(RUN, "audio", segments[0])) for _ in range(20)]
    assert {task.result() for task in asked} == {None}
    assert log.calls["get"] == 1


async def test_what_expired_is_never_remembered(log: PlaybackLog, segments: list[Segment]) -> None:
    log.expired.add(("audio", 0))
    cache = cache_over(log)
    assert await cache.segment(RUN, "audio", segments[0]) is None
    log.expired.clear()
    assert await cache.segment(RUN, "audio", segments[0]) is not None


async def test_the_longest_unused_leave_first_and_the_bound_holds(log: PlaybackLog, segments: list[Segment]) -> None:
    size = segments[0].size
    cache = cache_over(log, 2 * size)
    for wanted, fetched in ((0, 6), (1, 12), (0, 12), (2, 18), (0, 18), (1, 24)):
        await cache.segment(RUN, "audio", segments[wanted])
        assert log.calls["get"] == fetched, wanted


async def test_a_segment_larger_than_the_bound_is_served_but_not_kept(
    log: PlaybackLog, segments: list[Segment]
) -> None:
    cache = cache_over(log, segments[0].size - 1)
    assert await cache.segment(RUN, "audio", segments[0]) is not None
    assert await cache.segment(RUN, "audio", segments[0]) is not None
    assert log.calls["get"] == 12


async def test_a_fetch_that_fails_or_is_cancelled_leaves_the_next_to_try(
    log: PlaybackLog, segments: list[Segment]
) -> None:
    cache = cache_over(log)
    log.failures.append(LogError("down"))
    with pytest.raises(LogError):
        await cache.segment(RUN, "audio", segments[0])
    async with asyncio.TaskGroup() as group:
        first = group.create_task(cache.segment(RUN, "audio", segments[0]))
        await asyncio.sleep(0)
        second = group.create_task(cache.segment(RUN, "audio", segments[0]))
        await asyncio.sleep(0)
        first.cancel()
    assert second.result() is not None


async def test_bytes_of_another_size_than_published_are_not_served(log: PlaybackLog, segments: list[Segment]) -> None:
    first = segments[0].pieces[0]
    shorter = replace(segments[0], pieces=(replace(first, size=first.size - 1), *segments[0].pieces[1:]))
    assert await cache_over(log).segment(RUN, "audio", shorter) is None


async def test_a_part_is_its_own_bytes_and_serves_its_segment_too(log: PlaybackLog, segments: list[Segment]) -> None:
    cache, piece = cache_over(log), segments[1].pieces[2]
    for _ in range(2):
        assert await cache.part(RUN, "audio", 1, 2, piece) == part_bytes("audio", 1, 2)
    assert log.calls["get"] == 1
    body = await cache.segment(RUN, "audio", segments[1])
    assert body == b"".join(part_bytes("audio", 1, part) for part in range(6))
    assert log.calls["get"] == 6


async def test_who_waits_for_a_fetch_that_the_log_refused_is_refused_as_well(segments: list[Segment]) -> None:
    cache = cache_over(log := SlowLog())
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(refused(cache, segments[0], "down")) for _ in range(20)]
    assert all(task.result() for task in asked)
    assert log.calls["get"] == 1


async def refused(cache: MediaCache, segment: Segment, rung: str = "audio") -> bool:
    try:
        await cache.segment(RUN, rung, segment)
    except LogError:
        return True
    return False


class SlowLog(PlaybackLog):
    """It never answers for the rung `slow`, and refuses what is asked for of the rung `down`."""

    async def get(self, run: RunId, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        if rung == "slow":
            await asyncio.Event().wait()
        if rung == "down":
            await self.fail(LogError("down"))
            await asyncio.sleep(0)
        return await super().get(run, rung, msn, part, encoder)


async def test_a_fetch_that_hangs_ends_with_its_deadline_and_holds_no_other(
    segments: list[Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "FETCH_S", 0.05)
    cache = cache_over(SlowLog())
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        slow = [group.create_task(refused(cache, segments[0], "slow")) for _ in range(3)]
        await settle()
        assert await cache.segment(RUN, "audio", segments[0]) is not None
        assert not any(task.done() for task in slow)
    assert all(task.result() for task in slow)


async def test_parts_and_segments_share_one_bound(log: PlaybackLog, segments: list[Segment]) -> None:
    cache, piece = cache_over(log, segments[0].size), segments[1].pieces[0]
    await cache.part(RUN, "audio", 1, 0, piece)
    await cache.segment(RUN, "audio", segments[0])
    before = log.calls["get"]
    await cache.part(RUN, "audio", 1, 0, piece)
    assert log.calls["get"] == before + 1


async def test_parts_of_two_encoders_are_two_resources(log: PlaybackLog, segments: list[Segment]) -> None:
    cache, piece = cache_over(log), segments[1].pieces[0]
    assert await cache.part(RUN, "audio", 1, 0, piece) is not None
    assert await cache.part(RUN, "audio", 1, 0, replace(piece, encoder="e2")) is None


async def test_what_is_kept_of_a_run_goes_with_it_and_nothing_else(log: PlaybackLog, segments: list[Segment]) -> None:
    cache = cache_over(log)
    kept = [await cache.segment(RunId(run), "audio", segments[0]) for run in ("r1", "r2")]
    cache.forget(RUN)
    assert cache.kept(RUN, "audio", segments[0].name) is None
    assert cache.kept(RunId("r2"), "audio", segments[0].name) == kept[1]
    assert REGISTRY.get_sample_value("headrace_origin_media_cache_bytes") == len(kept[1] or b"")
