"""The books: what is held on transcoders, and who gives it back."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from headrace.control import accounts
from headrace.control.accounts import DESCRIBE_MS, DIAL_MS
from headrace.control.db import DatabaseError
from headrace.control.db.pods import Pods
from headrace.control.decisions.placement import cost_of
from headrace.control.fleet import FORGET_S
from headrace.control.keys import new_session_id
from headrace.control.model import Allocation, HoldState, Pod
from headrace.core.broadcast import Profile, Refused, RunId, make_plan
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.aio.tasks import beside
from headrace.wire.control import OpenedSession, PodReport, ReleaseReason
from tests.unit.control.support import SOURCE, Control, Place, control
from tests.unit.control.test_sessions import publish

COST = cost_of(make_plan(Profile.parse("auto"), SOURCE), SOURCE)


def later(monkeypatch: pytest.MonkeyPatch, ms: int) -> None:
    """For the books it is that much later than it is."""
    now_ms = unix_ms() + ms
    monkeypatch.setattr(accounts, "unix_ms", lambda: now_ms)


def held(place: Place) -> dict[str, int]:
    """By pod; the sum of the allocations is what its row says."""
    rows = dict(place.execute("SELECT id, held FROM pods"))
    sums = dict(place.execute("SELECT pod, sum(cost) FROM allocations GROUP BY pod"))
    assert {pod: cost for pod, cost in rows.items() if cost} == sums
    return rows


async def allocated(parts: Control) -> OpenedSession:
    _, key = await parts.stream()
    opened = await publish(parts, key)
    await parts.sessions.allocate(opened.session_id, SOURCE, unix_ms())
    return opened


async def test_a_publish_reserves_the_most_and_is_corrected_to_what_it_costs(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    opened = await publish(parts, key)
    assert held(place)["t1"] > COST
    for _ in range(2):
        await parts.sessions.allocate(opened.session_id, SOURCE, unix_ms())
        assert held(place) == {"t1": COST}


async def test_who_needs_a_new_transcoders_row_waits_until_it_is_written(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Pods.write
    writing, may_write = asyncio.Event(), asyncio.Event()

    async def slow(self: Pods, changed: Sequence[Pod]) -> None:
        writing.set()
        await may_write.wait()
        await written(self, changed)

    monkeypatch.setattr(Pods, "write", slow)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(parts.accounts.register())
        await writing.wait()
        second = group.create_task(parts.accounts.register())
        done, _ = await asyncio.wait({second}, timeout=0.1)
        assert not done
        may_write.set()


async def test_what_nobody_was_told_of_is_free_when_its_session_goes(parts: Control, place: Place) -> None:
    for reason in ReleaseReason:
        _, key = await parts.stream()
        opened = await publish(parts, key)
        await parts.sessions.release(opened.session_id, reason, flushed=False)
        assert held(place) == {"t1": 0}


async def test_what_a_transcoder_works_on_is_freed_by_its_word_alone(
    parts: Control, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await allocated(parts)
    later(monkeypatch, DIAL_MS)
    parts.report(opened.run, used=COST)
    await parts.sessions.release(opened.session_id, ReleaseReason.FAILED, flushed=True)
    await parts.accounts.compare(["t1"])
    assert held(place) == {"t1": COST}
    parts.report()
    await parts.accounts.release_dropped()
    assert held(place) == {"t1": 0}
    await parts.accounts.release_dropped()
    assert held(place) == {"t1": 0}


async def test_a_report_from_before_the_hold_frees_nothing(parts: Control, place: Place) -> None:
    opened = await allocated(parts)
    parts.report(opened.run, used=COST)
    parts.report()
    await parts.accounts.release_dropped()  # named less than two seconds after the hold: it may be the one before it
    assert held(place) == {"t1": COST}


async def test_what_was_never_dialled_is_free_after_ten_seconds(
    parts: Control, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await allocated(parts)
    later(monkeypatch, DIAL_MS - 1000)
    await parts.accounts.compare(["t1"])
    assert held(place) == {"t1": COST}
    later(monkeypatch, DIAL_MS + 1000)
    parts.clock.now_s += 10
    await parts.accounts.compare(["t1"])  # a suspect has said nothing
    assert held(place) == {"t1": COST}
    parts.report()
    await parts.accounts.compare(["t1"])
    assert held(place) == {"t1": 0}


async def test_a_reservation_whose_session_was_never_closed_is_free_in_the_end(
    parts: Control, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await parts.stream()
    await publish(parts, key)
    later(monkeypatch, DIAL_MS + 1000)
    await parts.accounts.compare(["t1"])
    assert held(place)["t1"] > COST
    later(monkeypatch, DESCRIBE_MS + 1000)
    await parts.accounts.compare(["t1"])
    assert held(place) == {"t1": 0}


async def test_a_run_that_its_edge_took_to_a_standby_is_held_there(
    parts: Control, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await allocated(parts)
    parts.report(opened.run, used=COST)
    later(monkeypatch, 5000)
    parts.report()
    parts.report(opened.run, RunId("nobody knows"), pod="t2", used=COST + 70)
    await parts.accounts.register()
    for _ in range(2):
        await parts.accounts.release_dropped()
        await parts.accounts.compare(["t1", "t2"])
    by_pod = held(place)
    assert by_pod["t1"] == 0
    assert COST < by_pod["t2"] <= 2 * COST


async def test_what_was_measured_corrects_what_was_planned(parts: Control, place: Place) -> None:
    one, two = await allocated(parts), await allocated(parts)
    for used, expected in ((2 * COST + COST // 20, 2 * COST), (COST, COST), (3 * COST, 3 * COST)):
        parts.report(one.run, two.run, used=used)
        await parts.accounts.compare(["t1"])
        assert abs(held(place)["t1"] - expected) <= 2


async def test_rows_say_what_transcoders_say(parts: Control, place: Place) -> None:
    query = "SELECT id, target, state, capacity FROM pods ORDER BY id"
    parts.report(pod="t2", capacity=5, ready=False)
    await parts.accounts.register()
    assert place.execute(query) == [("t1", "unix:/t1", "ready", 10**9), ("t2", "unix:/t2", "draining", 5)]
    place.execute("UPDATE pods SET capacity = 1, state = 'ready', held = 3")
    await parts.accounts.round()
    assert place.execute(query) == [("t1", "unix:/t1", "ready", 10**9), ("t2", "unix:/t2", "draining", 5)]
    assert place.execute("SELECT held FROM pods") == [(3,), (3,)]


async def test_a_report_writes_nothing_where_nothing_changed(parts: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    await parts.accounts.register()
    for used in range(50):
        parts.report(RunId("r"), used=used)
    await parts.database.close()  # who asks it now fails
    await parts.accounts.register()
    parts.report(capacity=7)
    with pytest.raises(DatabaseError):
        await parts.accounts.register()
    assert parts.fleet.unwritten == {"t1"}


async def rounds(parts: Control, seconds: int, *, heard: bool) -> None:
    for _ in range(seconds):
        parts.clock.now_s += 1
        if heard:
            parts.report()
        await parts.accounts.round()


async def test_a_transcoder_that_nobody_hears_for_a_minute_goes_with_all_that_is_held(
    parts: Control, place: Place
) -> None:
    await allocated(parts)
    await rounds(parts, round(FORGET_S), heard=True)
    assert held(place) == {"t1": COST}
    await rounds(parts, round(FORGET_S) - 1, heard=False)
    assert held(place) == {"t1": COST}
    await rounds(parts, 8, heard=False)
    assert held(place) == {}
    parts.report()
    await parts.accounts.register()
    assert held(place) == {"t1": 0}


async def test_a_transcoder_that_another_replica_hears_stays(parts: Control, place: Place) -> None:
    await allocated(parts)
    async with control(place) as other:
        for second in range(90):
            other.clock.now_s += 1
            other.report()
            await rounds(parts, 1, heard=False)
            if second % 5 == 4:  # it comes to object in its own time
                await other.accounts.round()
    assert held(place) == {"t1": COST}


async def test_room_that_another_replica_took_is_not_taken_again(place: Place) -> None:
    async with control(place, queue_wait_s=0.05) as one, control(place, queue_wait_s=0.05) as two:
        for parts in (one, two):
            parts.report(capacity=COST * 3 // 2)
        first = await allocated(one)
        assert held(place) == {"t1": COST}
        _, key = await two.stream()
        opened = await publish(two, key)  # it reserves the rest, and needs more
        with pytest.raises(Refused) as caught:
            await two.sessions.allocate(opened.session_id, SOURCE, unix_ms())
        assert caught.value.reason is Reason.NO_CAPACITY
        assert first.run != opened.run


def allocation(run: str, cost: int) -> Allocation:
    return Allocation(new_session_id(), RunId(run), "s", "t1", cost, HoldState.HELD, 1000)


async def test_the_row_alone_says_whether_there_is_room(parts: Control, place: Place) -> None:
    parts.report(capacity=100)
    await parts.accounts.register()
    taken = []
    for number, cost in enumerate((60, 41, 40, 1)):
        async with parts.database.write() as tx:
            taken.append(await tx.holds.hold(allocation(f"r{number}", cost)))
    assert taken == [True, False, True, False]
    assert held(place) == {"t1": 100}
    parts.report(capacity=100, ready=False, pod="t2")
    await parts.accounts.register()
    async with parts.database.write() as tx:
        assert not await tx.holds.hold(replace(allocation("r9", 1), pod="t2"))


async def test_what_was_confirmed_or_released_meanwhile_is_left_alone(parts: Control, place: Place) -> None:
    await parts.accounts.register()
    old = allocation("r", 60)
    new = replace(old, held_ms=2000)
    async with parts.database.write() as tx:
        await tx.holds.hold(old)
        assert await tx.holds.transfer(old, "another session", new.held_ms)
        assert not await tx.holds.transfer(old, "a third", 3000)
        assert await tx.holds.release([old]) == 0
    assert held(place) == {"t1": 60}
    async with parts.database.write() as tx:
        assert await tx.holds.release([new, old]) == 1
        assert await tx.holds.release([new]) == 0
    assert held(place) == {"t1": 0}


async def test_what_waits_longer_than_it_may_is_refused_in_words(place: Place) -> None:
    async with control(place, queue_length=2, queue_wait_s=0.3) as parts:
        keys = [(await parts.stream())[1] for _ in range(4)]
        reasons: list[Reason] = []

        async def attempt(number: int) -> None:
            with pytest.raises(Refused) as caught:
                await publish(parts, keys[number])
            reasons.append(caught.value.reason)

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(attempt(number))
        assert sorted(reasons) == [Reason.NO_CAPACITY] * 2 + [Reason.UNAVAILABLE] * 2


async def test_a_publisher_gets_a_transcoder_of_its_zone(parts: Control) -> None:
    for zone in "abc":
        parts.fleet.report(PodReport(zone, f"unix:/{zone}", "1", True, 10**9, 0, (), zone=zone))
    parts.edge(pod="edge-1", zone="b")
    _, key = await parts.stream()
    opened = await publish(parts, key)
    told = await parts.sessions.allocate(opened.session_id, SOURCE, unix_ms())
    assert told.transcoders[0] == "unix:/b"
    assert len(set(told.transcoders)) == 3


async def test_the_books_keep_themselves(parts: Control, place: Place) -> None:
    async def until(pods: int) -> None:
        while len(place.execute("SELECT id FROM pods")) < pods:  # noqa: ASYNC110  # a row sets no event
            await asyncio.sleep(0.02)

    async with asyncio.timeout(5), beside(parts.accounts.run()):
        await until(1)
        parts.report(pod="t2")
        await until(2)
