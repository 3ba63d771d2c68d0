"""Publishers that were lost and are back, or whose place another one takes."""

import asyncio
from dataclasses import replace

import pytest

from headrace.control.keys import new_session_id
from headrace.core.broadcast import Claim, End, Epoch, Refused, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Fenced
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import HeldSession, OpenedSession, ReleaseReason, Verdict
from tests.unit.control.support import SOURCE, Control, Place, control
from tests.unit.control.test_sessions import PEER, on_air, publish, refusal

FAR = 10**9  # ticks that an hour does not reach


async def live(parts: Control, key: StreamKey, *starts: int) -> OpenedSession:
    """On air for ten seconds."""
    return await on_air(parts, key, *starts, anchor_ms=unix_ms() - 10_000)


async def lost(parts: Control, key: StreamKey, *starts: int) -> OpenedSession:
    opened = await live(parts, key, *starts)
    await parts.sessions.release(opened.session_id, ReleaseReason.LOST, flushed=True)
    return opened


async def verdict(parts: Control, of: OpenedSession) -> Verdict:
    held = HeldSession(of.session_id, of.stream, of.run, of.session, PEER)
    return (await parts.sessions.renew("edge-1", [held]))[0]


async def test_a_lost_publisher_goes_on_in_the_same_run(parts: Control) -> None:
    stream, key = await parts.stream()
    first = await lost(parts, key, 900, 1800)
    second = await publish(parts, key)
    assert (second.run, second.stream) == (first.run, stream)
    assert second.session > first.session
    assert second.plan is not None
    elapsed_ms = unix_ms() - second.anchor_ms
    assert 9_900 < elapsed_ms < 20_000
    assert elapsed_ms * 90 - 90_000 < second.starts_at <= elapsed_ms * 90 + second.plan.part
    assert second.starts_at % second.plan.segment % second.plan.part == 0
    assert await parts.state(stream) == "live"
    assert await parts.log.current(stream) == first.run
    assert parts.log.end_of(first.run) is None


async def test_who_wrote_before_writes_no_more_and_who_comes_after_is_above(parts: Control) -> None:
    _, key = await parts.stream()
    first = await lost(parts, key, 900)
    second = await publish(parts, key)
    with pytest.raises(Fenced):
        await parts.log.takeover(first.run, Claim(Epoch(first.session, 9), first.session_id, "w", 2), 0)
    await parts.log.takeover(first.run, Claim(Epoch(second.session, 1), second.session_id, "w"), 0)


async def test_a_return_goes_on_after_what_is_logged_where_that_is_ahead_of_the_clock(parts: Control) -> None:
    _, key = await parts.stream()
    await lost(parts, key, 900, FAR, 1800)
    second = await publish(parts, key)
    assert second.plan is not None
    assert FAR <= second.starts_at < FAR + second.plan.part


async def test_of_many_returns_exactly_one_goes_on(parts: Control) -> None:
    _, key = await parts.stream()
    first = await lost(parts, key, 900)
    accepted: list[OpenedSession] = []
    refused: list[Reason] = []

    async def attempt() -> None:
        try:
            accepted.append(await publish(parts, key))
        except Refused as error:
            refused.append(error.reason)

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(attempt())
    assert [one.run for one in accepted] == [first.run]
    assert refused == [Reason.BUSY] * 5
    await parts.log.takeover(first.run, Claim(Epoch(accepted[0].session, 1), accepted[0].session_id, "w"), 0)


async def test_a_return_holds_what_its_run_held(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    await lost(parts, key, 900)
    before = place.execute("SELECT pod, cost FROM allocations")
    second = await publish(parts, key)
    allocated = await parts.sessions.allocate(second.session_id, SOURCE, second.anchor_ms)
    assert allocated.plan == second.plan
    assert allocated.transcoders == ("unix:/t1",)
    assert place.execute("SELECT pod, cost FROM allocations") == before


async def test_a_full_transcoder_takes_its_own_run_back(place: Place) -> None:
    async with control(place, queue_wait_s=0.05) as parts:
        parts.report(capacity=1)
        _, key = await parts.stream()
        first = await lost(parts, key, 900)
        parts.report(first.run, capacity=1, used=100)
        second = await publish(parts, key)
        await parts.sessions.allocate(second.session_id, SOURCE, second.anchor_ms)
        assert second.run == first.run


async def test_a_return_moves_where_its_transcoder_is_leaving(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    first = await lost(parts, key, 900)
    parts.report(first.run, ready=False)
    parts.report(pod="t2")
    second = await publish(parts, key)
    allocated = await parts.sessions.allocate(second.session_id, SOURCE, second.anchor_ms)
    assert allocated.transcoders[0] == "unix:/t2"
    assert {pod for (pod,) in place.execute("SELECT pod FROM allocations")} == {"t1", "t2"}


async def test_a_return_with_another_configuration_ends_the_run_and_is_told_to_publish_again(parts: Control) -> None:
    _, key = await parts.stream()
    first = await lost(parts, key, 900)
    second = await publish(parts, key)
    other = replace(SOURCE, video=replace(SOURCE.video, config=b"\x02"))
    with pytest.raises(Refused, match="publish again") as caught:
        await parts.sessions.allocate(second.session_id, other, second.anchor_ms)
    assert caught.value.reason is Reason.BAD_SOURCE
    assert parts.log.end_of(first.run) == End(900)
    assert (await publish(parts, key)).run != first.run


async def test_a_return_at_the_very_beginning_of_its_run_is_a_return_all_the_same(parts: Control) -> None:
    _, key = await parts.stream()
    first = await on_air(parts, key, 0, anchor_ms=unix_ms() + 5_000)  # an edge whose clock is ahead of ours
    await parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=True)
    session = new_session_id()
    second = await parts.sessions.open_session("live", key, "edge-1", PEER, session)
    assert (second.run, second.starts_at) == (first.run, 0)
    assert await parts.sessions.open_session("live", key, "edge-1", PEER, session) == second
    other = replace(SOURCE, video=replace(SOURCE.video, config=b"\x02"))
    with pytest.raises(Refused, match="publish again"):
        await parts.sessions.allocate(session, other, second.anchor_ms)


async def test_who_ended_his_run_begins_a_new_one(parts: Control) -> None:
    _, key = await parts.stream()
    first = await live(parts, key, 900)
    await parts.sessions.release(first.session_id, ReleaseReason.ENDED, flushed=True)
    assert (await publish(parts, key)).run != first.run


async def test_a_return_whose_flush_never_came_goes_on_after_the_wait(place: Place) -> None:
    async with control(place, closing_wait_s=0.0) as parts:
        parts.report()
        _, key = await parts.stream()
        first = await live(parts, key, 900)
        await parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=False)
        second = await publish(parts, key)
        assert second.run == first.run
        await parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=True)
        assert (await verdict(parts, second)).held


async def test_a_run_that_the_log_has_ended_or_forgotten_is_not_gone_on_with(parts: Control) -> None:
    for forgotten in (False, True):
        _, key = await parts.stream()
        first = await lost(parts, key, 900)
        if forgotten:
            del parts.log.runs[first.run]
        else:
            parts.log.runs[first.run].staged.append(End(900))
        assert (await publish(parts, key)).run != first.run


async def test_a_fence_above_the_databases_numbers_is_gone_above(parts: Control) -> None:
    _, key = await parts.stream()
    first = await lost(parts, key, 900)
    parts.log.open(first.run, Claim(Epoch(40, 3), "another", "w"), 900)
    second = await publish(parts, key)
    assert (second.run, second.session) == (first.run, 42)


async def test_the_same_question_has_the_same_answer(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    one = new_session_id()
    first = await parts.sessions.open_session("live", key, "edge-1", PEER, one)
    assert await parts.sessions.open_session("live", key, "edge-1", PEER, one) == first
    await parts.sessions.allocate(one, SOURCE, unix_ms() - 10_000)
    parts.log.open(first.run, Claim(Epoch(1, 1), one, "w"), 900)
    await parts.sessions.release(one, ReleaseReason.LOST, flushed=True)
    with pytest.raises(Refused, match="over"):
        await parts.sessions.open_session("live", key, "edge-1", PEER, one)
    two = new_session_id()
    second = await parts.sessions.open_session("live", key, "edge-1", PEER, two)
    assert await parts.sessions.open_session("live", key, "edge-1", PEER, two) == second
    assert second.starts_at > 0
    assert place.execute("SELECT count(*) FROM sessions") == [(2,)]


async def test_a_publisher_without_media_gives_way(parts: Control, place: Place) -> None:
    stream, key = await parts.stream()
    first = await live(parts, key, 900)
    place.execute("UPDATE sessions SET opened_ms = opened_ms - 5000")
    parts.edge(first.session_id, idle_ms=2500)
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(publish(parts, key))
        await asyncio.sleep(0.05)
        assert not taking.done()  # that report is older than the question
        parts.clock.now_s += 1
        parts.edge(first.session_id, idle_ms=3500)
    second = taking.result()
    assert second.run == first.run
    told = await verdict(parts, first)
    assert (told.held, told.reason) == (False, "busy")
    assert (await verdict(parts, second)).held
    await parts.sessions.release(first.session_id, ReleaseReason.ENDED, flushed=True)
    assert await parts.state(stream) == "live"


async def test_a_publisher_whose_media_came_back_keeps_its_place(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    first = await live(parts, key, 900)
    place.execute("UPDATE sessions SET opened_ms = opened_ms - 5000")
    parts.edge(first.session_id, idle_ms=2500)
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(refusal(parts, key))
        await asyncio.sleep(0.05)
        parts.clock.now_s += 1
        parts.edge(first.session_id, idle_ms=100)
    assert taking.result() is Reason.BUSY


async def test_a_publisher_with_media_refuses_the_second_at_once(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    first = await live(parts, key, 900)
    place.execute("UPDATE sessions SET opened_ms = opened_ms - 5000")
    parts.edge(first.session_id, idle_ms=100)
    async with asyncio.timeout(0.5):
        assert await refusal(parts, key) is Reason.BUSY


async def test_a_publisher_whose_edge_and_transcoder_are_silent_gives_way(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    first = await live(parts, key, 900)
    place.execute("UPDATE sessions SET opened_ms = opened_ms - 5000")
    parts.clock.now_s += 4
    parts.report(first.run)
    assert await refusal(parts, key) is Reason.BUSY
    parts.clock.now_s += 4
    parts.report()
    assert (await publish(parts, key)).run == first.run
