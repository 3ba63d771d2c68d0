"""Sessions: the stories of publishers that come, go, collide and return."""

import asyncio
from dataclasses import replace

import pytest

from headrace.control.db import Conflict
from headrace.control.db.holds_start import Starts
from headrace.control.keys import new_session_id
from headrace.core.broadcast import Claim, End, Epoch, Refused, RunId, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.wire.control import OpenedSession, ReleaseReason
from tests.unit.control.support import SOURCE, Control, Place, control

PEER = "192.0.2.1:5000"


async def publish(parts: Control, key: StreamKey) -> OpenedSession:
    return await parts.sessions.open_session("live", key, "edge-1", PEER, new_session_id())


async def on_air(parts: Control, key: StreamKey, *starts: int, anchor_ms: int = 0) -> OpenedSession:
    """A publish whose media is in the log: one rung for each start, ticks. Nobody can go on with it without anchor."""
    opened = await publish(parts, key)
    await parts.sessions.allocate(opened.session_id, SOURCE, anchor_ms)
    parts.log.open(opened.run, Claim(Epoch(opened.session, 1), opened.session_id, "w"), *starts)
    return opened


async def refusal(parts: Control, key: StreamKey, app: str = "live") -> Reason:
    with pytest.raises(Refused) as caught:
        await parts.sessions.open_session(app, key, "edge-1", PEER, new_session_id())
    return caught.value.reason


async def test_a_valid_key_opens_a_session_of_a_new_run(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await publish(parts, key)
    assert (opened.stream, opened.session, opened.profile.auto) == (stream, 1, True)
    assert await parts.state(stream) == "live"


async def test_an_unknown_application_and_an_unknown_key_are_told_apart(parts: Control) -> None:
    _, key = await parts.stream()
    assert await refusal(parts, key, app="vod") is Reason.UNKNOWN_APP
    assert await refusal(parts, StreamKey("sk_wrong")) is Reason.BAD_KEY


async def test_a_stream_key_in_the_applications_name_is_not_repeated(
    parts: Control, caplog: pytest.LogCaptureFixture
) -> None:
    _, key = await parts.stream()
    with pytest.raises(Refused) as caught:
        await parts.sessions.open_session(f"live/{key.reveal()}", key, "edge-1", PEER, new_session_id())
    assert key.reveal() not in str(caught.value)
    assert key.reveal() not in caplog.text
    with pytest.raises(Refused) as caught:
        await parts.sessions.open_session("a\n" * 30_000, key, "edge-1", PEER, new_session_id())
    assert len(str(caught.value)) < 100


async def test_a_second_publisher_is_refused_by_the_streams_name(parts: Control) -> None:
    _, key = await parts.stream("Main stage")
    await publish(parts, key)
    with pytest.raises(Refused, match=r"Main stage.* is already being published") as caught:
        await publish(parts, key)
    assert caught.value.reason is Reason.BUSY


async def test_of_many_publishers_at_once_exactly_one_is_accepted(parts: Control) -> None:
    _, key = await parts.stream()
    accepted: list[OpenedSession] = []
    refused: list[Reason] = []

    async def attempt() -> None:
        try:
            accepted.append(await publish(parts, key))
        except Refused as error:
            refused.append(error.reason)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(attempt())
    assert (len(accepted), refused) == (1, [Reason.BUSY] * 7)


async def test_of_many_returns_to_a_lost_run_exactly_one_is_accepted(parts: Control) -> None:
    _, key = await parts.stream()
    old = await on_air(parts, key, 900)
    await parts.sessions.release(old.session_id, ReleaseReason.LOST, flushed=True)
    accepted: list[OpenedSession] = []
    refused: list[Reason] = []

    async def attempt() -> None:
        try:
            accepted.append(await publish(parts, key))
        except Refused as error:
            refused.append(error.reason)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(attempt())
    assert len(accepted) == 1
    assert refused == [Reason.BUSY] * 3
    assert accepted[0].run != old.run
    assert len([e for e in parts.log.runs[old.run].staged if isinstance(e, End)]) == 1


async def test_a_database_that_always_finds_a_conflict_makes_a_publish_unavailable(
    parts: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def conflict(*_: object) -> None:
        raise Conflict("somebody else was faster")

    _, key = await parts.stream()
    monkeypatch.setattr(Starts, "start", conflict)
    async with asyncio.timeout(5):
        assert await refusal(parts, key) is Reason.UNAVAILABLE


async def test_a_publisher_that_ends_ends_the_run_and_the_next_starts_a_new_one(parts: Control) -> None:
    stream, key = await parts.stream()
    first = await on_air(parts, key, 900, 1800)
    await parts.sessions.release(first.session_id, ReleaseReason.ENDED, flushed=False)
    assert await parts.state(stream) == "ending"
    await parts.sessions.release(first.session_id, ReleaseReason.ENDED, flushed=True)
    assert await parts.state(stream) == "idle"
    second = await publish(parts, key)
    assert second.run != first.run


async def test_a_run_whose_transcoder_wrote_its_end_is_left_as_it_is(parts: Control) -> None:
    _, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    log = parts.log.runs[opened.run]
    log.staged.append(End(850))
    log.publishes.append(1)
    await parts.sessions.release(opened.session_id, ReleaseReason.ENDED, flushed=True)
    assert log.staged == [End(850)]


async def test_a_publish_waits_for_the_flush_of_the_one_before(parts: Control) -> None:
    _, key = await parts.stream()
    first = await on_air(parts, key, 900)
    await parts.sessions.release(first.session_id, ReleaseReason.ENDED, flushed=False)
    async with asyncio.TaskGroup() as group:
        second = group.create_task(publish(parts, key))
        await asyncio.sleep(0.05)
        assert not second.done()
        assert parts.log.end_of(first.run) is None
        await parts.sessions.release(first.session_id, ReleaseReason.ENDED, flushed=True)
    assert second.result().run != first.run
    assert parts.log.end_of(first.run) == End(900)


async def test_a_flush_that_never_comes_keeps_nobody_out(place: Place) -> None:
    async with control(place, closing_wait_s=0.0) as parts:
        parts.report()
        _, key = await parts.stream()
        first = await on_air(parts, key, 900)
        await parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=False)
        second = await publish(parts, key)
        assert second.run != first.run
        assert parts.log.end_of(first.run) == End(900)


async def test_a_return_within_the_window_ends_the_old_run_at_once(parts: Control) -> None:
    stream, key = await parts.stream()
    first = await on_air(parts, key, 900, 2700, 1800)
    await parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=True)
    assert await parts.state(stream) == "ending"
    second = await publish(parts, key)
    assert second.run != first.run
    assert parts.log.end_of(first.run) == End(2700)
    assert parts.log.runs[first.run].claim.epoch.session > first.session


async def test_a_failed_session_ends_its_run_at_once(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    await parts.sessions.release(opened.session_id, ReleaseReason.FAILED, flushed=False)
    assert await parts.state(stream) == "idle"
    assert parts.log.end_of(opened.run) == End(900)


async def test_releases_that_come_twice_or_late_change_nothing(parts: Control) -> None:
    stream, key = await parts.stream()
    first = await on_air(parts, key, 900)
    for _ in range(2):
        await parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=True)
    await publish(parts, key)
    await parts.sessions.release(first.session_id, ReleaseReason.FAILED, flushed=True)
    await parts.sessions.release("no such session", ReleaseReason.ENDED, flushed=True)
    assert await parts.state(stream) == "live"


async def test_a_late_first_release_does_not_undo_the_second(parts: Control) -> None:
    stream, key = await parts.stream()
    opened = await on_air(parts, key, 900)
    await parts.sessions.release(opened.session_id, ReleaseReason.LOST, flushed=True)
    await parts.sessions.release(opened.session_id, ReleaseReason.LOST, flushed=False)
    second = await publish(parts, key)
    assert second.run != opened.run
    assert await parts.state(stream) == "live"


async def test_the_plan_is_made_once_and_kept_exactly(parts: Control) -> None:
    _, key = await parts.stream()
    opened = await publish(parts, key)
    first = await parts.sessions.allocate(opened.session_id, SOURCE, 0)
    other = replace(SOURCE, video=replace(SOURCE.video, width=640, height=360))
    second = await parts.sessions.allocate(opened.session_id, other, 0)
    assert second == first
    assert first.transcoders == ("unix:/t1",)
    assert first.plan.encoded[0].name == "720p"


async def test_the_newest_run_is_the_one_that_was_allocated_last(parts: Control) -> None:
    stream, key = await parts.stream()
    first = await on_air(parts, key, 900)
    await parts.sessions.release(first.session_id, ReleaseReason.ENDED, flushed=True)
    second = await publish(parts, key)
    assert await parts.log.current(stream) == first.run
    await parts.sessions.allocate(second.session_id, SOURCE, 0)
    assert await parts.log.current(stream) == second.run


async def test_without_room_a_run_is_refused_and_its_release_frees_the_stream(place: Place) -> None:
    async with control(place, queue_wait_s=0.05) as parts:
        parts.report(RunId("another"), capacity=1000, used=1)
        await parts.accounts.round()
        await parts.accounts.compare(["t1"])
        stream, key = await parts.stream()
        opened = await publish(parts, key)
        with pytest.raises(Refused) as caught:
            await parts.sessions.allocate(opened.session_id, SOURCE, 0)
        assert caught.value.reason is Reason.NO_CAPACITY
        await parts.sessions.release(opened.session_id, ReleaseReason.FAILED, flushed=True)
        assert await parts.state(stream) == "idle"
        assert place.execute("SELECT held FROM pods") == [(1,)]


async def test_at_the_start_a_publish_waits_for_the_first_transcoder(place: Place) -> None:
    async with control(place) as parts:
        _, key = await parts.stream()
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(publish(parts, key))
            await asyncio.sleep(0.05)
            assert not opening.done()
            parts.report()
        allocated = await parts.sessions.allocate(opening.result().session_id, SOURCE, 0)
        assert allocated.transcoders == ("unix:/t1",)


async def test_without_any_transcoder_a_publish_is_refused_in_time(place: Place) -> None:
    async with control(place, queue_wait_s=0.05) as parts:
        stream, key = await parts.stream()
        assert await refusal(parts, key) is Reason.NO_CAPACITY
        assert await parts.state(stream) == "idle"


async def test_a_session_that_is_over_is_allocated_nothing(parts: Control) -> None:
    _, key = await parts.stream()
    opened = await publish(parts, key)
    await parts.sessions.release(opened.session_id, ReleaseReason.LOST, flushed=False)
    for session_id in (opened.session_id, "no such session"):
        with pytest.raises(Refused, match="over"):
            await parts.sessions.allocate(session_id, SOURCE, 0)


async def test_a_source_without_a_frame_rate_is_refused(parts: Control) -> None:
    _, key = await parts.stream()
    opened = await publish(parts, key)
    unknown = replace(SOURCE, video=replace(SOURCE.video, frame_rate=SOURCE.video.frame_rate * 0))
    with pytest.raises(Refused) as caught:
        await parts.sessions.allocate(opened.session_id, unknown, 0)
    assert caught.value.reason is Reason.BAD_SOURCE


async def test_a_log_that_does_not_answer_makes_a_publish_unavailable_not_lost(parts: Control) -> None:
    stream, key = await parts.stream()
    first = await on_air(parts, key, 900)
    await parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=True)
    parts.log.broken = True
    assert await refusal(parts, key) is Reason.UNAVAILABLE
    assert await parts.state(stream) == "ending"
    parts.log.broken = False
    assert (await publish(parts, key)).run != first.run


async def test_a_reset_key_lets_the_publisher_go_on_and_nobody_new_in(parts: Control) -> None:
    stream, old = await parts.stream()
    opened = await on_air(parts, old, 900)
    _, new = await parts.registry.reset_key(stream, None)
    assert await parts.state(stream) == "live"
    assert await refusal(parts, old) is Reason.BAD_KEY
    assert await refusal(parts, new) is Reason.BUSY
    await parts.sessions.release(opened.session_id, ReleaseReason.ENDED, flushed=True)
    await publish(parts, new)
