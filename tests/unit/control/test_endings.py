"""Control as the edge of runs that have none."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from unittest.mock import AsyncMock

import pytest

from headrace.control import cells, endings
from headrace.control.model import Active
from headrace.core.broadcast import Claim, End, Epoch, Hold, Refused, RunId, StreamId
from headrace.livelog.base import Fenced, LogError, RunEnded, Taken, Unreachable
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.aio.tasks import beside
from headrace.wire.control import Allocated, HeldSession, ReleaseReason
from tests.unit.control.support import SOURCE, Control, Place, control
from tests.unit.control.test_sessions import PEER, on_air, publish


def after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """For `endings` it is this many seconds later than it is."""
    then_ms = unix_ms() + round(seconds * 1000)
    monkeypatch.setattr(endings, "unix_ms", lambda: then_ms)


async def lost_run(parts: Control) -> tuple[StreamId, RunId]:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    await parts.sessions.release(opened.session_id, ReleaseReason.LOST, flushed=True)
    return stream, opened.run


async def test_a_lost_run_is_ended_when_the_window_is_over_and_not_before(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, run = await lost_run(parts)
    after(14, monkeypatch)
    await parts.endings.sweep()
    assert await parts.state(stream) == "ending"
    after(15.1, monkeypatch)
    await parts.endings.sweep()
    assert await parts.state(stream) == "idle"
    assert parts.log.end_of(run) == End(900)


async def test_a_run_that_is_published_is_never_swept(parts: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, key = await parts.stream()
    await on_air(parts, key, 900)
    after(100_000, monkeypatch)
    await parts.endings.sweep()
    assert await parts.state(stream) == "live"


async def test_a_session_that_never_describes_its_source_frees_the_stream(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, key = await parts.stream()
    await publish(parts, key)
    after(61, monkeypatch)
    await parts.endings.sweep()
    assert await parts.state(stream) == "idle"


async def pass_time(parts: Control, seconds: int, *reported: RunId) -> None:
    """Second by second a transcoder reports what it works on, and control sweeps."""
    for _ in range(seconds):
        parts.clock.now_s += 1
        parts.report(*reported)
        await parts.endings.sweep()


async def test_a_session_whose_edge_died_without_a_word_is_lost(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, key = await parts.stream()
    run = (await on_air(parts, key, 900)).run
    await pass_time(parts, 60, run)
    assert await parts.state(stream) == "live"
    await pass_time(parts, 15)
    assert await parts.state(stream) == "live"
    await pass_time(parts, 1)
    assert await parts.state(stream) == "ending"
    after(15.1, monkeypatch)
    await pass_time(parts, 1)
    assert await parts.state(stream) == "idle"
    assert parts.log.end_of(run) == End(900)


async def test_the_next_publisher_need_not_wait_for_the_end_of_a_lost_session(parts: Control) -> None:
    _, key = await parts.stream()
    first = await on_air(parts, key, 900)
    await pass_time(parts, 26)  # of which a transcoder has ten for its start
    assert (await publish(parts, key)).run != first.run


async def test_a_run_that_a_transcoder_is_still_starting_is_not_lost(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    for _ in range(20):
        parts.edge(opened.session_id)
        await pass_time(parts, 1)
    assert await parts.state(stream) == "live"


async def test_an_edge_that_control_cannot_hear_loses_nothing_while_its_media_flows(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    parts.edge(opened.session_id)
    await pass_time(parts, 60, opened.run)
    assert await parts.state(stream) == "live"


async def test_a_control_that_stood_still_blames_nobody(parts: Control) -> None:
    stream, key = await parts.stream()
    run = (await on_air(parts, key, 900)).run
    await pass_time(parts, 2, run)
    parts.clock.now_s += 100
    await parts.endings.sweep()
    assert await parts.state(stream) == "live"


async def test_a_control_that_hears_nobody_at_all_blames_nobody(parts: Control, place: Place) -> None:
    stream, key = await parts.stream()
    run = (await on_air(parts, key, 900)).run
    await pass_time(parts, 20, run)
    for _ in range(100):
        parts.clock.now_s += 1
        await parts.endings.sweep()
    assert place.execute("SELECT state, silent_ms FROM sessions") == [("active", None)]
    await pass_time(parts, 15)
    assert await parts.state(stream) == "live"
    await pass_time(parts, 2)
    assert await parts.state(stream) == "ending"


async def test_a_log_that_hangs_keeps_no_lease_and_no_other_cells_end_waiting(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [(await parts.stream(name))[1] for name in ("hangs", "over", "vanished")]
    monkeypatch.setattr(cells.CellChoice, "choose", AsyncMock(side_effect=["a", "b", "b"]))
    hangs, over, vanished = [await on_air(parts, key, 900) for key in keys]
    for opened in (hangs, over):
        await parts.sessions.release(opened.session_id, ReleaseReason.LOST, flushed=True)
    after(15.1, monkeypatch)
    takeover, sweep = parts.log.takeover, parts.leases.sweep

    async def hanging(run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        if run == hangs.run:
            await asyncio.get_running_loop().create_future()
        return await takeover(run, claim, floor, open_new=open_new)

    async def a_second_later(sessions: Sequence[Active]) -> None:
        parts.clock.now_s += 1
        parts.report()
        await sweep(sessions)
        if (await parts.state(vanished.stream), await parts.state(over.stream)) == ("ending", "idle"):
            done.set()

    done = asyncio.Event()
    monkeypatch.setattr(endings, "SWEEP_S", 0.001)
    monkeypatch.setattr(parts.log, "takeover", hanging)
    monkeypatch.setattr(parts.leases, "sweep", a_second_later)
    async with asyncio.timeout(10), beside(parts.endings.sweep_for_ever()):
        await done.wait()
    assert await parts.state(hangs.stream) == "ending"


async def test_a_session_that_is_back_while_control_is_about_to_end_its_run_goes_on(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    await pass_time(parts, 17)
    after(15.1, monkeypatch)
    sweep = parts.leases.sweep

    async def as_the_edge_calls(sessions: Sequence[Active]) -> None:
        await sweep(sessions)
        held = HeldSession(opened.session_id, stream, opened.run, opened.session, PEER)
        assert (await parts.sessions.renew("edge-1", [held]))[0].held

    monkeypatch.setattr(parts.leases, "sweep", as_the_edge_calls)
    await pass_time(parts, 1)
    assert await parts.state(stream) == "live"
    assert parts.log.end_of(opened.run) is None


async def test_after_a_restart_transcoders_have_the_same_time_to_report(place: Place) -> None:
    async with control(place) as parts:
        parts.report()
        stream, key = await parts.stream()
        await on_air(parts, key, 900)
    async with control(place) as parts:
        await pass_time(parts, 15)
        assert await parts.state(stream) == "live"
        await pass_time(parts, 2)
        assert await parts.state(stream) == "ending"


async def test_what_a_writer_left_staged_is_published_before_the_end(parts: Control) -> None:
    _, run = await lost_run(parts)
    parts.log.runs[run].staged.append(Hold(450))
    await parts.endings.end(run)
    assert parts.log.runs[run].publishes == [1, 2]
    assert parts.log.runs[run].staged == [Hold(450), End(900)]


async def test_an_end_that_one_who_died_left_staged_is_published_and_is_the_end(parts: Control) -> None:
    stream, run = await lost_run(parts)
    parts.log.runs[run].staged.append(End(450))
    await parts.endings.end(run)
    assert parts.log.end_of(run) == End(450)
    assert parts.log.runs[run].safe == 1
    assert await parts.state(stream) == "idle"


async def test_the_publishing_of_the_end_is_waited_for_as_well(parts: Control) -> None:
    _, run = await lost_run(parts)
    await parts.endings.end(run)
    assert parts.log.runs[run].safe == parts.log.runs[run].published == 1


async def test_an_end_that_the_log_refused_is_tried_again(parts: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, run = await lost_run(parts)
    after(16, monkeypatch)
    parts.log.broken = True
    await parts.endings.sweep()
    assert await parts.state(stream) == "ending"
    parts.log.broken = False
    await parts.endings.sweep()
    assert await parts.state(stream) == "idle"
    assert parts.log.end_of(run) == End(900)


async def test_a_stream_goes_on_without_a_log_that_is_away_and_the_old_run_ends_when_it_is_back(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, key = await parts.stream()
    old = await on_air(parts, key, 900, anchor_ms=1)
    await parts.sessions.release(old.session_id, ReleaseReason.LOST, flushed=True)
    parts.log.broken, parts.log.failure = True, Unreachable("away")
    with pytest.raises(Refused):
        await publish(parts, key)
    after(16, monkeypatch)
    await parts.endings.sweep()
    assert await parts.state(stream) == "idle"
    new = await publish(parts, key)
    assert (new.run != old.run, new.session) == (True, 1)
    await parts.endings.sweep()  # still away
    parts.log.broken = False
    await parts.endings.sweep()
    assert parts.log.end_of(old.run) == End(900)
    assert await parts.state(stream) == "live"
    ended = len(parts.log.runs[old.run].staged)
    await parts.endings.sweep()
    assert len(parts.log.runs[old.run].staged) == ended
    held = HeldSession(old.session_id, stream, old.run, 1, PEER)
    [verdict] = await parts.sessions.renew("edge-1", [held])
    assert not verdict.held


async def test_a_fence_above_the_databases_numbers_is_passed(parts: Control) -> None:
    _, run = await lost_run(parts)
    parts.log.open(run, Claim(Epoch(40, 3), "another", "w"), 900)
    await parts.endings.end(run)
    assert parts.log.end_of(run) == End(900)
    assert parts.log.runs[run].claim.epoch == (41, 1)


async def test_a_fence_that_rises_all_the_time_is_left_to_its_owner(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, run = await lost_run(parts)
    number = 40

    async def takeover(*_: object, **__: object) -> None:
        nonlocal number
        number += 10
        raise Fenced(Epoch(number, 1))

    monkeypatch.setattr(parts.log, "takeover", takeover)
    with pytest.raises(Fenced):
        await parts.endings.end(run)
    assert await parts.state(stream) == "ending"


async def test_ending_twice_ends_once(parts: Control) -> None:
    _, run = await lost_run(parts)
    await parts.endings.end(run)
    await parts.endings.end(run)
    assert parts.log.runs[run].staged == [End(900)]


async def test_a_deleted_streams_run_ends_even_when_the_log_was_away(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    parts.log.broken = True
    await parts.registry.delete(stream)
    parts.log.broken = False
    await parts.endings.sweep()
    assert parts.log.end_of(opened.run) == End(900)


async def test_a_run_that_ended_before_its_transcoder_came_does_not_come_alive(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await publish(parts, key)
    await parts.sessions.allocate(opened.session_id, SOURCE, 0)
    await parts.registry.delete(stream)
    late = Claim(Epoch(opened.session, 1), opened.session_id, "w")
    with pytest.raises((Fenced, RunEnded)):
        await parts.log.takeover(opened.run, late, 0, open_new=True)
    assert parts.log.end_of(opened.run) == End(0)


async def test_a_run_that_is_allocated_while_it_is_ended_does_not_come_alive(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await parts.stream()
    opened = await publish(parts, key)
    takeover = parts.log.takeover
    allocated: list[Allocated] = []

    async def meanwhile(run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        if not allocated:
            allocated.append(await parts.sessions.allocate(opened.session_id, SOURCE, 0))
        return await takeover(run, claim, floor, open_new=open_new)

    monkeypatch.setattr(parts.log, "takeover", meanwhile)
    await parts.endings.end(opened.run)
    assert allocated
    assert parts.log.end_of(opened.run) == End(0)


async def test_a_run_that_was_never_planned_leaves_nothing_in_the_log(parts: Control) -> None:
    _, key = await parts.stream()
    opened = await publish(parts, key)
    await parts.sessions.release(opened.session_id, ReleaseReason.FAILED, flushed=True)
    assert parts.log.runs == {}


async def test_replicas_that_end_the_same_run_end_it_once(place: Place) -> None:
    async with control(place) as one, control(place) as two:
        two.log.runs, two.log.newest = one.log.runs, one.log.newest
        one.report()
        for _ in range(5):
            stream, run = await lost_run(one)
            seen = place.execute(f"SELECT last_session FROM runs WHERE id = '{run}'")[0][0]
            async with asyncio.TaskGroup() as group:
                for parts in (one, two, one):
                    group.create_task(_ended(parts, run, seen))
            assert one.log.runs[run].staged == [End(900)]
            assert await one.state(stream) == "idle"


async def test_a_run_that_a_publisher_came_back_to_is_not_ended(place: Place) -> None:
    async with control(place) as one, control(place) as two:
        two.log.runs, two.log.newest = one.log.runs, one.log.newest
        one.report(capacity=10**11)
        two.report(capacity=10**11)
        for _ in range(5):
            stream, key = await one.stream()
            first = await on_air(one, key, 900, anchor_ms=unix_ms() - 10_000)
            await one.sessions.release(first.session_id, ReleaseReason.LOST, flushed=True)
            seen = place.execute(f"SELECT last_session FROM runs WHERE id = '{first.run}'")[0][0]
            async with asyncio.TaskGroup() as group:
                joining = group.create_task(publish(one, key))
                ending = group.create_task(_ended(two, first.run, seen))
            ending.result()
            joined = joining.result().run == first.run
            assert joined == (one.log.end_of(first.run) is None)
            assert await one.state(stream) == "live"


async def _ended(parts: Control, run: RunId, seen: int) -> None:
    with suppress(LogError):  # another one took the run after us
        await parts.endings.end(run, seen)


async def test_a_restart_of_one_machine_ends_every_run_whatever_it_was_doing(place: Place) -> None:
    async with control(place, in_process=True) as parts:
        parts.report()
        (live, live_key), (describing, describing_key) = await parts.stream("a"), await parts.stream("b")
        await on_air(parts, live_key, 900)
        await publish(parts, describing_key)
    async with control(place, in_process=True) as parts:
        parts.report()
        await parts.endings.forget_lost_runs()
        assert place.execute("SELECT held FROM pods") == [(0,)]
        for stream, key in ((live, live_key), (describing, describing_key)):
            assert await parts.state(stream) == "idle"
            await publish(parts, key)


async def test_a_restart_beside_a_log_that_lives_ends_nothing(place: Place) -> None:
    async with control(place) as parts:
        parts.report()
        (live, live_key), (describing, describing_key) = await parts.stream("a"), await parts.stream("b")
        await on_air(parts, live_key, 900)
        await publish(parts, describing_key)
        await parts.endings.forget_lost_runs()
        assert await parts.state(live) == await parts.state(describing) == "live"
