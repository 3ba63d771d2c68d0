"""Publishes that come at the same moment and are answered together: one that fails costs no other one anything."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from headrace.control.db import DatabaseError
from headrace.control.db.holds_start import Start, Starts
from headrace.control.db.pods import Pods
from headrace.control.decisions.placement import most_of
from headrace.control.keys import new_session_id
from headrace.core.broadcast import Profile, Refused, RunId, StreamId, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import LogError
from headrace.wire.control import Allocated, OpenedSession, ReleaseReason
from tests.unit.control.support import SOURCE, Control, Place, control

PEER = "192.0.2.1:5000"
MOST = most_of(Profile.parse("auto"))


async def publish(parts: Control, key: StreamKey, session_id: str = "") -> OpenedSession | Reason:
    try:
        return await parts.sessions.open_session(
            "live", key, "edge-1", "192.0.2.1:5000", session_id or new_session_id()
        )
    except Refused as refused:
        return refused.reason


async def allocate(parts: Control, session_id: str) -> Allocated | Reason:
    try:
        return await parts.sessions.allocate(session_id, SOURCE, 0)
    except Refused as refused:
        return refused.reason


async def publish_together(
    parts: Control, keys: Sequence[StreamKey], sessions: Mapping[int, str] | None = None
) -> list[OpenedSession | Reason]:
    """`sessions`: the ids of some of them."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(publish(parts, key, (sessions or {}).get(i, ""))) for i, key in enumerate(keys)]
    return [task.result() for task in tasks]


async def on_air(parts: Control, count: int) -> list[OpenedSession]:
    """So many streams, each with a publisher whose source is not described yet."""
    opened = await publish_together(parts, [(await parts.stream())[1] for _ in range(count)])
    return [one for one in opened if isinstance(one, OpenedSession)]


async def allocate_together(parts: Control, sessions: Sequence[OpenedSession]) -> list[Allocated | Reason]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(allocate(parts, one.session_id)) for one in sessions]
    return [task.result() for task in tasks]


def batches(parts: Control, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were looked at together from here on, each time."""
    sizes: list[int] = []

    def counted(serve: Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]) -> object:
        async def serving(questions: Sequence[Any]) -> Sequence[Any]:
            sizes.append(len(questions))
            return await serve(questions)

        return serving

    for asked in (parts.sessions._opening._looks, parts.sessions._allocating._plans):
        monkeypatch.setattr(asked, "_serve", counted(asked._serve))
    return sizes


def books(place: Place) -> dict[str, tuple[int, int]]:
    """Of each transcoder what its row says is held there, and what its allocations add up to."""
    rows = place.execute(
        "SELECT pods.id, held, coalesce(sum(cost), 0) FROM pods LEFT JOIN allocations ON pod = pods.id "
        "GROUP BY pods.id, held"
    )
    return {name: (held, int(total)) for name, held, total in rows}


async def test_of_several_on_one_transcoder_as_many_begin_as_its_row_has_room_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with control(place) as parts:
        parts.report(pod="t1", capacity=5 * MOST)
        parts.report(pod="t2", capacity=9 * MOST)
        await parts.accounts.round()
        # Another replica, which this one has not heard of since, has taken most of its room.
        place.execute(
            "INSERT INTO allocations (id, run_id, session_id, pod, cost, state, held_ms) "
            f"VALUES ('a', 'r', 's', 't1', {3 * MOST}, 'held', 1)"
        )
        place.execute(f"UPDATE pods SET held = {3 * MOST} WHERE id = 't1'")
        parts.sessions._opening._placing._filling[""] = "t1"
        sizes = batches(parts, monkeypatch)
        opened = await publish_together(parts, [(await parts.stream())[1] for _ in range(5)])
        assert all(isinstance(one, OpenedSession) for one in opened)
        assert sizes == [5, 3]  # those that found no room looked once more, together
        assert books(place) == {"t1": (5 * MOST, 5 * MOST), "t2": (3 * MOST, 3 * MOST)}
        assert {pod: parts.fleet.held(pod) for pod in ("t1", "t2")} == {"t1": 5 * MOST, "t2": 3 * MOST}


async def test_a_sessions_id_that_was_used_keeps_nobody_else_out(
    parts: Control, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.report(capacity=9 * MOST)
    await parts.accounts.round()
    [before] = await on_air(parts, 1)
    await parts.sessions.release(before.session_id, ReleaseReason.ENDED, flushed=True)
    sizes = batches(parts, monkeypatch)
    keys = [(await parts.stream())[1] for _ in range(4)]
    opened = await publish_together(parts, keys, {2: before.session_id})
    assert sizes == [4]
    assert [isinstance(one, OpenedSession) for one in opened] == [True, True, False, True]
    assert opened[2] is Reason.UNAVAILABLE
    held, total = books(place)["t1"]
    assert held == total == 3 * MOST  # of what did not begin nothing is held


async def test_room_that_a_row_does_not_give_is_given_back_in_memory(place: Place) -> None:
    async with control(place) as parts:
        for pod in ("t1", "t2"):
            parts.report(pod=pod, capacity=MOST)
        await parts.accounts.round()
        place.execute("UPDATE pods SET state = 'draining' WHERE id = 't1'")
        parts.sessions._opening._placing._filling[""] = "t1"
        opened = await publish_together(parts, [(await parts.stream())[1] for _ in range(2)])
        assert sum(isinstance(one, OpenedSession) for one in opened) == 1
        assert (parts.fleet.held("t1"), parts.fleet.held("t2")) == (0, MOST)


async def test_a_transcoder_whose_row_does_not_answer_is_filled_no_further(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []  # somebody keeps the row of the first that is chosen
    start = Starts.start

    async def started(self: Starts, starts: Sequence[Start]) -> tuple[set[RunId], dict[str, int]]:
        pod = starts[0].allocation.pod
        if not kept:
            kept.append(pod)
        if pod in kept:
            raise DatabaseError("canceling statement due to lock timeout")
        return await start(self, starts)

    monkeypatch.setattr(Starts, "start", started)
    async with control(place) as parts:
        for number in range(8):
            parts.report(pod=f"t{number}")
        await parts.accounts.round()
        outcomes = [await publish(parts, (await parts.stream())[1]) for _ in range(12)]
        assert outcomes[0] is Reason.UNAVAILABLE
        assert any(isinstance(one, OpenedSession) for one in outcomes)


async def test_a_stream_that_was_deleted_before_its_source_was_described_is_refused_alone(
    parts: Control, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.accounts.round()
    opened = await on_air(parts, 3)
    place.execute(f"UPDATE streams SET deleted_ms = 1 WHERE id = '{opened[1].stream}'")  # on another replica
    sizes = batches(parts, monkeypatch)
    allocated = await allocate_together(parts, opened)
    assert sizes[0] == 3
    assert [isinstance(one, Allocated) for one in allocated] == [True, False, True]
    assert allocated[1] is Reason.BAD_KEY
    assert place.execute(f"SELECT plan FROM runs WHERE id = '{opened[1].run}'") == [(None,)]
    assert set(parts.log.newest) == {opened[0].stream, opened[2].stream}


async def test_a_session_that_another_publisher_took_the_place_of_is_described_in_vain(
    parts: Control, place: Place
) -> None:
    await parts.accounts.round()
    opened = await on_air(parts, 2)
    place.execute(f"UPDATE sessions SET state = 'lost', gone = 'taken' WHERE id = '{opened[0].session_id}'")
    allocated = await allocate_together(parts, opened)
    assert [isinstance(one, Allocated) for one in allocated] == [False, True]
    assert place.execute(f"SELECT plan FROM runs WHERE id = '{opened[0].run}'") == [(None,)]
    assert books(place)["t1"][0] == books(place)["t1"][1]


async def test_a_cell_of_the_log_that_is_away_keeps_no_other_runs_off_air(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.accounts.round()
    opened = await on_air(parts, 3)
    set_current = parts.log.set_current

    async def without_one(newest: Mapping[StreamId, RunId]) -> None:
        if opened[1].stream in newest:
            raise LogError("its cell is away")
        await set_current(newest)

    monkeypatch.setattr(parts.log, "set_current", without_one)
    sizes = batches(parts, monkeypatch)
    allocated = await allocate_together(parts, opened)
    assert sizes == [3]
    assert [isinstance(one, Allocated) for one in allocated] == [True, False, True]
    assert allocated[1] is Reason.UNAVAILABLE
    assert set(parts.log.newest) == {opened[0].stream, opened[2].stream}


async def test_a_transcoder_whose_row_cannot_be_written_keeps_no_publish_off_the_others(
    parts: Control, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.accounts.register()

    async def refused(*_: object) -> None:
        raise DatabaseError("no row is as long as that")

    monkeypatch.setattr(Pods, "write", refused)
    parts.report(pod="t2")
    _, key = await parts.stream()
    assert isinstance(await publish(parts, key), OpenedSession)
    assert place.execute("SELECT pod FROM allocations") == [("t1",)]
