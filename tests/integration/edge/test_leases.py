"""Sessions are lent by control: what becomes of them when it says no, when it is gone, and when it comes back."""

import asyncio
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from headrace.core import flv, rtmp
from headrace.core.broadcast import AudioRung, Epoch, Plan, Profile, Source, VideoSource, make_plan
from headrace.core.media import Kind
from headrace.edge.service import build
from headrace.edge.settings import EdgeSettings
from headrace.wire import media
from headrace.wire.control import PodKind, ReleaseReason, Verdict
from tests.integration.edge.harness import AAC, AVC, Encoder, Stack, edge_stack, until
from tests.support.asgi import ask

NO_MORE = Verdict("", held=False, reason="busy", description="Another publish has this stream now.")
FAR = 90_000 * 3600  # an hour into a run


async def publishing(stack: Stack, key: str = "a") -> Encoder:
    """An encoder whose first 30 frames have arrived."""
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish(key), rtmp.PublishStarted)
    encoder.describe()
    await send(stack, encoder, 0, 30, key)
    return encoder


async def send(stack: Stack, encoder: Encoder, first: int, last: int, key: str = "a") -> None:
    """Frames `first` to `last`, all of which arrive."""
    for i in range(first, last):
        encoder.frame(i)
    await encoder.flush()
    await until(lambda: len(stack.transcoder.frames.get(key, ())) == 2 * last)


async def refused(encoder: Encoder) -> rtmp.PublishRefused:
    event = await encoder.wait_for((rtmp.PublishRefused,))
    assert isinstance(event, rtmp.PublishRefused)
    return event


async def test_a_session_is_renewed_with_all_that_control_would_need_to_take_it_back(stack: Stack) -> None:
    await publishing(stack)
    await until(lambda: stack.control.renewed and stack.control.renewed[-1].transcoder)
    (opened,) = stack.transcoder.opens
    held = stack.control.renewed[-1]
    assert (held.session_id, held.run, held.session, held.stream) == (opened.session_id, "a", 1, "s")
    assert (held.plan, held.source, held.anchor_ms) == (opened.plan, opened.source, opened.anchor_ms)
    assert held.transcoder == stack.control.transcoder
    assert held.peer.startswith("127.0.0.1:")
    assert held.anchor_ms > 0


async def test_an_edge_that_loses_control_keeps_its_streams_and_tells_who_comes_back(stack: Stack) -> None:
    encoder = await publishing(stack)
    (opened,) = stack.transcoder.opens
    await until(lambda: stack.control.renewed and stack.control.reports)
    await stack.control_goes()
    for i in range(30, 60):
        await send(stack, encoder, i, i + 1)
        await asyncio.sleep(0.1)  # three seconds: several leases
    await stack.control_comes()
    await until(lambda: stack.control.renewed and stack.control.reports and stack.control.reports[-1].sessions)
    assert stack.control.renewed[-1].session_id == opened.session_id
    assert stack.control.reports[-1].sessions[0].session_id == opened.session_id
    await send(stack, encoder, 60, 90)
    encoder.rtmp.end()
    await encoder.flush()
    await until(lambda: (opened.session_id, ReleaseReason.ENDED, True) in stack.control.released)
    assert isinstance(stack.transcoder.ends["a"], media.End)


@pytest.mark.parametrize("how", ["ended", "lost", "stopped"])
async def test_without_control_a_publish_is_flushed_at_once_all_the_same(stack: Stack, how: str) -> None:
    encoder = await publishing(stack)
    await stack.control_goes()
    if how == "ended":
        encoder.rtmp.end()
        await encoder.flush()
    elif how == "lost":
        encoder.writer.close()
    else:
        stack.edge.stop()
    async with asyncio.timeout(2):
        await until(lambda: "a" in stack.transcoder.ends)
    assert isinstance(stack.transcoder.ends["a"], media.Hold if how == "lost" else media.End)


@pytest.mark.parametrize("how", ["ended", "lost"])
async def test_an_edge_stops_in_time_although_no_control_hears_how_its_publish_ended(tmp_path: Path, how: str) -> None:
    async with edge_stack(tmp_path) as stack:
        encoder = await publishing(stack)
        await stack.control_goes()
        if how == "ended":
            encoder.rtmp.end()
            await encoder.flush()
        else:
            encoder.writer.close()
        await asyncio.sleep(0.2)
        stopping_s = time.monotonic()
    assert time.monotonic() - stopping_s < 5.5


async def test_a_publish_that_is_the_edges_no_more_ends_in_controls_words_and_is_not_released(stack: Stack) -> None:
    encoder, other = await publishing(stack), await publishing(stack, "other")
    stack.control.verdicts["a"] = NO_MORE
    answer = await refused(encoder)
    assert (answer.code, answer.description) == ("NetStream.Publish.BadName", NO_MORE.description)
    assert await encoder.reader.read() == b""
    await send(stack, other, 30, 60, "other")
    assert stack.control.released == []
    assert "a" not in stack.transcoder.ends
    stack.control.renewed.clear()
    await until(lambda: len(stack.control.renewed) > 2)
    assert {held.run for held in stack.control.renewed} == {"other"}


async def test_a_reason_of_a_later_version_still_ends_the_publish(stack: Stack) -> None:
    encoder = await publishing(stack)
    stack.control.verdicts["a"] = Verdict("", held=False, reason="moved_to_the_moon")
    answer = await refused(encoder)
    assert answer.code == "NetStream.Failed"
    assert "publish again" in answer.description


async def test_a_silent_transcoder_is_no_end(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    encoder = await publishing(stack)
    stack.control.verdicts["a"] = Verdict("", held=True, suspect=True)
    await until(lambda: "a session's transcoder has gone silent" in caplog.text)
    await send(stack, encoder, 30, 60)


@pytest.mark.parametrize("fence", [Epoch(1, 1), Epoch(2, 1)])
async def test_a_session_that_is_outranked_in_the_log_asks_control_at_once(stack: Stack, fence: Epoch) -> None:
    stack.control.state["lease_s"] = 60.0
    stack.control.verdicts["a"] = NO_MORE
    stack.transcoder.fences["a"] = fence
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    answer = await refused(encoder)
    assert (answer.code, answer.description) == ("NetStream.Publish.BadName", NO_MORE.description)
    assert len(stack.control.renewed) == len(stack.transcoder.opens) == 1  # asked once, dialled once
    await asyncio.sleep(0.1)
    assert stack.control.released == []


async def test_a_session_outranked_in_the_middle_asks_control_at_once(stack: Stack) -> None:
    stack.control.state["lease_s"] = 60.0
    stack.control.verdicts["taken"] = NO_MORE
    encoder = await Encoder.dial(stack)
    await encoder.publish("taken")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    answer = await refused(encoder)
    assert (answer.code, answer.description) == ("NetStream.Publish.BadName", NO_MORE.description)
    assert len(stack.control.renewed) == 1


async def test_an_outranked_session_that_control_still_lends_ends_without_ending_the_run(stack: Stack) -> None:
    stack.transcoder.fences["a"] = Epoch(7, 1)
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    answer = await refused(encoder)
    assert answer.code == "NetStream.Publish.BadName"
    await until(lambda: stack.control.released)
    assert stack.control.released == [(stack.control.asked[0], ReleaseReason.LOST, True)]


async def test_a_fence_below_the_session_is_no_news_of_another_publish(stack: Stack) -> None:
    stack.control.state["session"] = 5
    stack.transcoder.fences["a"] = Epoch(4, 9)
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    assert (await refused(encoder)).code == "NetStream.Publish.Rejected"


async def test_a_session_that_may_have_been_opened_is_given_back(stack: Stack) -> None:
    encoder = await Encoder.dial(stack)
    answer = await encoder.publish("at a loss")
    assert isinstance(answer, rtmp.PublishRefused)
    assert answer.code == "NetStream.Failed"
    await until(lambda: stack.control.released)
    assert stack.control.released == [(stack.control.asked[0], ReleaseReason.LOST, True)]


async def test_reports_name_each_session_and_how_long_it_has_had_no_media(stack: Stack) -> None:
    encoder = await publishing(stack)
    (opened,) = stack.transcoder.opens

    def idle_ms() -> int:
        (session,) = stack.control.reports[-1].sessions
        assert session.session_id == opened.session_id
        return session.idle_ms

    await until(lambda: stack.control.reports and stack.control.reports[-1].sessions)
    report = stack.control.reports[-1]
    assert (report.pod, report.kind, report.zone, report.ready) == ("edge-0", PodKind.EDGE, "z1", True)
    await until(lambda: idle_ms() > 2000)
    for i in range(30, 60):  # a GOP's pictures again, for longer than the time between two reports
        await send(stack, encoder, i, i + 1)
        await asyncio.sleep(0.05)
    reported = len(stack.control.reports)
    await send(stack, encoder, 60, 61)
    await until(lambda: len(stack.control.reports) > reported)
    assert idle_ms() < 1500
    encoder.rtmp.end()
    await encoder.flush()
    await until(lambda: not stack.control.reports[-1].sessions)


async def test_a_session_whose_socket_rests_for_want_of_room_is_not_idle(stack: Stack) -> None:
    stack.transcoder.held_up.add("slow")
    encoder = await Encoder.dial(stack)
    await encoder.publish("slow")
    encoder.describe()
    for i in range(150):  # more than the buffer takes
        encoder.frame(i, 10_000)
    await encoder.flush()
    await asyncio.sleep(3)
    reported = len(stack.control.reports)
    await until(lambda: len(stack.control.reports) > reported)
    assert stack.control.reports[-1].sessions[0].idle_ms < 100


async def test_an_edge_is_ready_once_control_has_heard_it_and_stays_so_without_control(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: stack.control.reports)
    assert await stack.ready() == "ready"
    await stack.control_goes()
    await asyncio.sleep(3)
    assert await stack.ready() == "ready"
    monkeypatch.setattr("headrace.wire.control.OPEN_DEADLINE_S", 1.0)
    monkeypatch.setattr("headrace.wire.control.RELEASE_DEADLINE_S", 0.1)
    encoder = await Encoder.dial(stack)
    begun = time.monotonic()
    answer = await encoder.publish("a")
    assert isinstance(answer, rtmp.PublishRefused)
    assert answer.code == "NetStream.Failed"
    assert "try again" in answer.description
    assert 0.5 < time.monotonic() - begun < 5


async def test_an_edge_that_control_has_never_heard_is_not_ready(tmp_path: Path) -> None:
    settings = EdgeSettings(rtmp_host="127.0.0.1", rtmp_port=0, control_target=f"unix:{tmp_path}/nobody")
    edge = build(settings)
    async with asyncio.TaskGroup() as group:
        group.create_task(edge.run())
        await asyncio.sleep(1.5)
        assert (await ask(edge.http_app, "/readyz")).body == b"control has not been heard yet\n"
        edge.stop()


async def test_control_that_comes_within_seconds_is_waited_for(stack: Stack) -> None:
    await stack.control_goes()
    encoder = await Encoder.dial(stack)
    async with asyncio.TaskGroup() as group:
        publish = group.create_task(encoder.publish("a"))
        await asyncio.sleep(1)
        await stack.control_comes()
        assert isinstance(await publish, rtmp.PublishStarted)


def going_on(profile: str, rate: int, grid: int) -> Plan:
    """A run's plan, whose sound lies on a grid of its own."""
    video = VideoSource("avc1", AVC, 1280, 720, Fraction(1), Fraction(25), 3000, 0, 180_000)
    plan = make_plan(Profile.parse(profile), Source(video))
    return replace(plan, audio=AudioRung("audio", rate, 2, 1024, grid, 0))


async def test_a_session_that_goes_on_with_a_run_starts_on_its_timeline_and_its_grid(stack: Stack) -> None:
    plan = stack.control.plan = going_on("passthrough", 48_000, 37)
    stack.control.state = {
        "session": 3,
        "starts_at": FAR,
        "anchor_ms": 1_700_000_000_000,
        "plan": plan,
        "profile": Profile.parse("passthrough"),
    }
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    # Neither the rate nor a whole segment is known: the plan has decided what they are for.
    encoder.rtmp.send_video(0, flv.encode_video(flv.VideoConfig(AVC)))
    encoder.rtmp.send_audio(0, flv.encode_audio(flv.AudioConfig(AAC)))
    async with asyncio.timeout(5):
        await send(stack, encoder, 0, 10)
    (opened,) = stack.transcoder.opens
    assert (opened.session, opened.starts_at, opened.anchor_ms, opened.attempt) == (3, FAR, 1_700_000_000_000, 1)
    assert (opened.floor, opened.plan) == (0, plan)
    frames = stack.transcoder.frames["a"]
    assert [f.pts for f in frames if f.kind is Kind.VIDEO] == [FAR + 3600 * i for i in range(10)]
    counts = [f.sample for f in frames if f.kind is Kind.AUDIO]
    assert opened.source.audio is not None
    assert opened.source.audio.grid == counts[0]
    assert (counts[0] - 37) % 1024 == 0
    assert 0 <= counts[0] - 3600 * 48_000 < 2048
    encoder.writer.transport.abort()
    await until(lambda: "a" in stack.transcoder.ends)
    assert stack.transcoder.ends["a"] == media.Hold(FAR + 9 * 3600)
