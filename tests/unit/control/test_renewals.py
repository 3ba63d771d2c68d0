"""Renew: what an edge holds, and what control takes back from it."""

from dataclasses import replace

import pytest

from headrace.core.broadcast import Claim, End, Epoch, Refused, RunId, StreamId, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import Allocated, HeldSession, OpenedSession, ReleaseReason, Verdict
from tests.unit.control.support import SOURCE, Control, Place
from tests.unit.control.test_endings import pass_time
from tests.unit.control.test_sessions import PEER, publish, refusal


async def on_air(parts: Control, key: StreamKey) -> tuple[OpenedSession, HeldSession]:
    opened = await publish(parts, key)
    anchor_ms = unix_ms() - 10_000
    allocated: Allocated = await parts.sessions.allocate(opened.session_id, SOURCE, anchor_ms)
    parts.log.open(opened.run, Claim(Epoch(opened.session, 1), opened.session_id, "w"), 900)
    held = HeldSession(
        opened.session_id,
        opened.stream,
        opened.run,
        opened.session,
        PEER,
        anchor_ms,
        allocated.plan,
        SOURCE,
        allocated.transcoders[0],
    )
    return opened, held


async def verdict(parts: Control, held: HeldSession) -> Verdict:
    return (await parts.sessions.renew("edge-1", [held]))[0]


def forget(place: Place) -> None:
    """The database is from before the first publish."""
    for table in ("allocations", "sessions", "runs"):
        place.execute(f"DELETE FROM {table}")


async def test_what_an_edge_holds_stays_its_own(parts: Control) -> None:
    (_, one), (_, two) = [await on_air(parts, (await parts.stream(name))[1]) for name in "ab"]
    told = await parts.sessions.renew("edge-1", [two, one])
    assert told == [Verdict(two.session_id, held=True), Verdict(one.session_id, held=True)]


async def test_an_edge_hears_that_its_transcoder_is_silent(parts: Control) -> None:
    _, held = await on_air(parts, (await parts.stream())[1])
    parts.clock.now_s += 3
    assert await verdict(parts, held) == Verdict(held.session_id, held=True, suspect=True)
    parts.report(held.run)
    assert await verdict(parts, held) == Verdict(held.session_id, held=True)


async def test_a_renewal_is_a_word_of_the_edge(parts: Control) -> None:
    stream, key = await parts.stream()
    _, held = await on_air(parts, key)
    for _ in range(6):
        await pass_time(parts, 5)
        await verdict(parts, held)
    assert await parts.state(stream) == "live"


async def test_without_a_database_nothing_is_known(parts: Control) -> None:
    _, held = await on_air(parts, (await parts.stream())[1])
    await parts.database.close()
    with pytest.raises(Refused) as caught:
        await verdict(parts, held)
    assert caught.value.reason is Reason.UNAVAILABLE


async def test_a_session_that_was_released_or_whose_stream_is_gone_is_held_no_more(parts: Control) -> None:
    _, key = await parts.stream()
    _, held = await on_air(parts, key)
    await parts.sessions.release(held.session_id, ReleaseReason.FAILED, flushed=True)
    assert (await verdict(parts, held)).reason == "unavailable"
    stream, key = await parts.stream()
    _, held = await on_air(parts, key)
    await parts.registry.delete(stream)
    told = await verdict(parts, held)
    assert (told.held, told.reason) == (False, "bad_key")


async def test_a_session_that_was_lost_in_silence_is_back_with_its_edge(parts: Control) -> None:
    stream, key = await parts.stream()
    _, held = await on_air(parts, key)
    await pass_time(parts, 17)
    assert await parts.state(stream) == "ending"
    assert (await verdict(parts, held)).held
    assert await parts.state(stream) == "live"
    await pass_time(parts, 5)
    assert await parts.state(stream) == "live"


async def test_a_session_whose_run_was_taken_is_not_back(parts: Control) -> None:
    _, key = await parts.stream()
    _, held = await on_air(parts, key)
    await pass_time(parts, 17)
    second = await publish(parts, key)
    assert second.run == held.run
    assert not (await verdict(parts, held)).held
    assert await refusal(parts, key) is Reason.BUSY


async def test_what_a_restored_database_does_not_know_is_taken_back(parts: Control, place: Place) -> None:
    stream, key = await parts.stream()
    _, held = await on_air(parts, key)
    held = replace(held, session=7)
    parts.log.open(held.run, Claim(Epoch(7, 2), held.session_id, "w"), 900)
    forget(place)
    assert await verdict(parts, held) == Verdict(held.session_id, held=True)
    assert await parts.state(stream) == "live"
    parts.edge(held.session_id)
    assert await refusal(parts, key) is Reason.BUSY
    await parts.sessions.release(held.session_id, ReleaseReason.LOST, flushed=True)
    second = await publish(parts, key)
    assert second.run == held.run
    assert second.session > 7
    assert second.plan == held.plan
    await parts.sessions.release(second.session_id, ReleaseReason.ENDED, flushed=True)
    assert parts.log.end_of(held.run) == End(900)


async def test_a_session_before_its_first_picture_is_taken_back_too(parts: Control, place: Place) -> None:
    stream, key = await parts.stream()
    opened = await publish(parts, key)
    forget(place)
    held = HeldSession(opened.session_id, opened.stream, opened.run, opened.session, PEER)
    assert (await verdict(parts, held)).held
    assert (await parts.sessions.allocate(held.session_id, SOURCE, unix_ms())).transcoders == ("unix:/t1",)
    assert await parts.state(stream) == "live"


async def test_a_stream_that_nobody_knows_goes_on(
    parts: Control, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    _, key = await parts.stream()
    _, held = await on_air(parts, key)
    forget(place)
    place.execute("DELETE FROM streams")
    for _ in range(3):
        assert (await verdict(parts, held)).held
    assert sum("nobody knows" in record.getMessage() for record in caplog.records) == 1


async def test_a_run_of_yesterday_gives_way_to_the_one_that_is_live(parts: Control, place: Place) -> None:
    stream, key = await parts.stream()
    _, yesterdays = await on_air(parts, key)
    parts.log.runs[yesterdays.run].staged.append(End(900))
    today = replace(yesterdays, session_id="0" * 32, run=RunId("today"), session=3)
    parts.log.open(today.run, Claim(Epoch(3, 1), today.session_id, "w"), 900)
    place.execute("UPDATE sessions SET opened_ms = opened_ms - 100000")
    parts.clock.now_s += 10
    parts.report(today.run)
    assert (await verdict(parts, today)).held
    assert (await parts.registry.get(stream)).live is not None
    assert place.execute("SELECT id FROM runs WHERE state = 'live'") == [("today",)]
    assert await parts.log.current(stream) == yesterdays.run
    assert not (await verdict(parts, yesterdays)).held


async def test_a_session_of_yesterday_gives_way_to_the_later_one_of_its_run(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    _, yesterdays = await on_air(parts, key)
    today = replace(yesterdays, session_id="0" * 32, session=5)
    parts.log.open(today.run, Claim(Epoch(5, 1), today.session_id, "w"), 900)
    parts.clock.now_s += 3
    assert (await verdict(parts, today)).held
    assert not (await verdict(parts, yesterdays)).held
    assert place.execute("SELECT number FROM sessions WHERE state = 'active'") == [(5,)]


async def test_a_session_that_its_edge_names_gives_way_to_none_that_is_made_up(parts: Control, place: Place) -> None:
    _, key = await parts.stream()
    _, held = await on_air(parts, key)
    for _ in range(10):
        parts.clock.now_s += 1
        parts.edge(held.session_id)
        parts.report(held.run)
        await verdict(parts, replace(held, session_id="0" * 32, session=99))
        assert (await verdict(parts, held)).held
    assert place.execute("SELECT id FROM sessions") == [(held.session_id,)]


async def test_who_really_publishes_keeps_the_stream_from_one_that_comes_back(parts: Control) -> None:
    _, key = await parts.stream()
    opened, held = await on_air(parts, key)
    parts.clock.now_s += 10
    parts.edge(opened.session_id)
    other = replace(held, session_id="0" * 32, run=RunId("other"))
    told = await verdict(parts, other)
    assert (told.held, told.reason) == (False, "busy")
    assert (await verdict(parts, held)).held


async def test_a_control_that_has_just_started_decides_nothing_between_the_two(parts: Control) -> None:
    _, key = await parts.stream()
    _, held = await on_air(parts, key)
    with pytest.raises(Refused, match="just started"):
        await verdict(parts, replace(held, session_id="0" * 32, run=RunId("other")))


async def test_a_run_that_control_ended_is_not_taken_back(parts: Control) -> None:
    _, key = await parts.stream()
    opened, held = await on_air(parts, key)
    await parts.endings.end(opened.run)
    assert not (await verdict(parts, replace(held, session_id="0" * 32, session=9))).held


async def test_an_unknown_stream_that_is_deleted_meanwhile_is_nobodys_either(parts: Control) -> None:
    held = HeldSession("0" * 32, StreamId("never"), RunId("r"), 1, PEER)
    assert (await verdict(parts, held)).held
    assert (await verdict(parts, held)).held
