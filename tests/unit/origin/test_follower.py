"""Following runs."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import End, RunId
from headrace.livelog.base import LiveLog, LogError, NoRun
from headrace.origin import follower as module
from headrace.origin.followed import FollowedRun
from headrace.origin.follower import Follower, Unavailable
from tests.support.asgi import settle
from tests.support.runs import PlaybackLog, parts_of, plan_of, start_of, whole_run

PLAN = plan_of(window_s=20)
RUN = RunId("r1")


@pytest.fixture
def quick_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.0)


@pytest.fixture
async def follower(log: PlaybackLog) -> AsyncIterator[Follower]:
    made = Follower(cast(LiveLog, log), idle_s=60)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.run())
        yield made
        task.cancel()


def last_msn(followed: FollowedRun) -> int:
    playlist = followed.model.playlist("audio")
    assert playlist is not None
    return playlist.segments[-1].msn


async def test_many_who_ask_at_once_cost_one_reading(log: PlaybackLog, follower: Follower) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(follower.get(RUN)) for _ in range(50)]
    assert len({id(task.result()) for task in asked}) == 1
    assert log.calls["follow"] == 1


async def test_a_followed_run_grows_with_the_log(log: PlaybackLog, follower: Follower) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    followed = await follower.get(RUN)
    before = followed.pages.media("audio", "")
    await log.append(RUN, *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 3)))
    assert await followed.until(lambda: last_msn(followed) == 3, 1)
    assert followed.pages.media("audio", "") != before


async def test_an_unknown_run_is_not_remembered(log: PlaybackLog, follower: Follower) -> None:
    with pytest.raises(NoRun):
        await follower.get(RUN)
    await log.append(RUN, *whole_run(PLAN, 1))
    assert (await follower.get(RUN)).read


async def test_a_run_is_forgotten_when_nobody_asked_for_a_while(
    log: PlaybackLog, quick_sweeps: None, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(module, "monotonic_s", lambda: now_s[0])
    await log.append(RUN, *whole_run(PLAN, 1))
    followed = await follower.get(RUN)
    now_s[0] += 59
    await settle()
    assert not followed.over
    assert await follower.get(RUN) is followed
    now_s[0] += 59
    await settle()
    assert not followed.over
    now_s[0] += 1
    await settle()
    assert followed.over
    readings = log.calls["read"]
    await log.append(RUN, *parts_of(PLAN, "audio", 1))
    await settle()
    assert log.calls["read"] == readings
    assert await follower.get(RUN) is not followed


async def test_a_log_that_fails_is_read_again_from_where_it_was(
    log: PlaybackLog, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    await log.append(RUN, *whole_run(PLAN, 3))
    followed = await follower.get(RUN)
    model = followed.model
    await log.fail(LogError("away"))
    await settle()
    assert last_msn(followed) == 2
    await log.append(RUN, *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 3)))
    assert await followed.until(lambda: last_msn(followed) == 3, 1)
    assert followed.model is model
    assert log.calls["follow"] == 2


async def test_a_bug_in_one_run_leaves_the_others_alone(log: PlaybackLog, follower: Follower) -> None:
    await log.append(RUN, *whole_run(PLAN, 1))
    await log.append("r2", *whole_run(PLAN, 1))
    good = await follower.get(RUN)
    log.failures.append(RuntimeError("a bug"))
    with pytest.raises(NoRun):
        await follower.get(RunId("r2"))
    assert not good.over
    assert (await follower.get(RunId("r2"))).read


async def test_an_ended_run_is_read_no_more_but_still_known(log: PlaybackLog, follower: Follower) -> None:
    await log.append(RUN, *whole_run(PLAN, 2), End(2 * PLAN.segment))
    followed = await follower.get(RUN)
    await settle()
    assert followed.model.ended
    assert await follower.get(RUN) is followed
    assert log.calls["follow"] == 1


async def test_whoever_keeps_something_of_a_run_hears_when_it_is_forgotten(log: PlaybackLog) -> None:
    await log.append(RUN, *whole_run(PLAN, 1))
    forgotten: list[RunId] = []
    follower = Follower(cast(LiveLog, log), 60, forgotten.append)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(follower.run())
        await follower.get(RUN)
        assert forgotten == []
        task.cancel()
    assert forgotten == [RUN]


async def test_nothing_is_followed_before_the_start_and_after_the_stop(
    log: PlaybackLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_READING_S", 0.01)
    await log.append(RUN, *whole_run(PLAN, 1))
    follower = Follower(cast(LiveLog, log), idle_s=60)
    with pytest.raises(Unavailable):
        await follower.get(RUN)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(follower.run())
        followed = await follower.get(RUN)
        task.cancel()
    assert followed.over
    with pytest.raises(Unavailable):
        await follower.get(RUN)


async def test_a_wait_ends_with_its_deadline(log: PlaybackLog, follower: Follower) -> None:
    await log.append(RUN, *whole_run(PLAN, 1))
    followed = await follower.get(RUN)
    assert not await followed.until(lambda: False, 0.01)


async def test_a_run_is_not_forgotten_while_somebody_waits_for_it(
    log: PlaybackLog, quick_sweeps: None, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(module, "monotonic_s", lambda: now_s[0])
    await log.append(RUN, *whole_run(PLAN, 1))
    followed = await follower.get(RUN)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = group.create_task(followed.until(lambda: last_msn(followed) == 1, 1, "audio"))
        await settle()
        now_s[0] += 600
        await settle()
        assert not followed.over
        await log.append(RUN, *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 1)))
        assert await waiting
    await settle()
    assert followed.over


@pytest.mark.parametrize("rung", ["", "audio"])
async def test_a_wait_that_is_given_up_is_forgotten_with_the_run(
    log: PlaybackLog, quick_sweeps: None, follower: Follower, monkeypatch: pytest.MonkeyPatch, rung: str
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(module, "monotonic_s", lambda: now_s[0])
    await log.append(RUN, *whole_run(PLAN, 1))
    followed = await follower.get(RUN)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = group.create_task(followed.until(lambda: False, 1, rung))
        await settle()
        waiting.cancel()
    now_s[0] += 600
    await settle()
    assert followed.over


async def test_a_run_that_the_log_lost_is_shown_until_it_is_there_again(
    log: PlaybackLog, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.001)
    await log.append(RUN, *whole_run(PLAN, 8))
    followed = await follower.get(RUN)
    del log.runs[RUN]
    await log.fail(NoRun("emptied"))
    await settle()
    assert last_msn(followed) == 7
    assert await follower.get(RUN) is followed
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = group.create_task(followed.until(lambda: bool(followed.model.segment("audio", 100)), 1, "audio"))
        opened = [*start_of(PLAN), *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 100, encoder="e2"))]
        await log.append(RUN, *opened)
        assert await waiting
    listing = followed.model.playlist("audio")
    assert listing is not None
    assert [segment.msn for segment in listing.segments] == [100]


async def test_a_run_that_the_log_does_not_find_again_is_forgotten(
    log: PlaybackLog, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(module, "LOST_RUN_S", 0.0)
    await log.append(RUN, *whole_run(PLAN, 8))
    followed = await follower.get(RUN)
    del log.runs[RUN]
    await log.fail(NoRun("emptied"))
    await settle()
    assert followed.over
    with pytest.raises(NoRun):
        await follower.get(RUN)


async def test_runs_that_cannot_be_read_are_bounded_and_leave_with_those_who_asked(
    log: PlaybackLog, quick_sweeps: None, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNREAD", 3)
    monkeypatch.setattr(module, "FIRST_READING_S", 0.05)
    await log.append(RUN, *whole_run(PLAN, 1))
    assert (await follower.get(RUN)).read
    log.failures = [LogError("away")] * 3
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = [group.create_task(unavailable(follower, f"other{n}")) for n in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        before = said("refused_requests_total", reason="too_many_unread")
        assert "too many" in await unavailable(follower, "other3")
        assert said("refused_requests_total", reason="too_many_unread") == before + 1
        assert (await follower.get(RUN)).read
    assert ["cannot be read now" in task.result() for task in waiting] == [True] * 3
    await settle()
    await log.append("other3", *whole_run(PLAN, 1))
    assert (await follower.get(RunId("other3"))).read


async def test_the_oldest_live_edge_and_all_of_them_are_told(
    log: PlaybackLog, quick_sweeps: None, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said("oldest_live_edge_seconds") == 0
    near, far, over = RunId("near"), RunId("far"), RunId("over")
    await log.append(near, *whole_run(PLAN, 4))
    await log.append(far, *whole_run(PLAN, 3))
    await log.append(over, *whole_run(PLAN, 1), End(PLAN.segment))
    runs = [await follower.get(run) for run in (near, far, over)]
    now_ms = runs[0].model.anchor_ms + 4 * 2000 + 500
    monkeypatch.setattr(module, "unix_ms", lambda: now_ms)
    assert said("oldest_live_edge_seconds") == pytest.approx(2.5, abs=1e-3)
    sampled = said("live_edge_age_seconds_bucket", le="0.5"), said("live_edge_age_seconds_bucket", le="3.0")
    await settle()
    near_more = said("live_edge_age_seconds_bucket", le="0.5") - sampled[0]
    assert near_more > 0
    assert said("live_edge_age_seconds_bucket", le="3.0") - sampled[1] == 2 * near_more


def said(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"headrace_origin_{name}", labels)
    assert value is not None
    return value


async def unavailable(follower: Follower, run: str) -> str:
    with pytest.raises(Unavailable) as refused:
        await follower.get(RunId(run))
    return str(refused.value)
