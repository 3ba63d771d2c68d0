"""The Ingest stream over a real socket: order, ends, and what is under way when nobody reads."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from headrace.core.broadcast import Epoch, RunId
from headrace.core.errors import HeadraceError
from headrace.core.media import Frame, Kind
from headrace.wire import media
from headrace.wire.channel import MEDIA, open_channel
from headrace.wire.errors import WireError
from tests.integration.wire.conftest import Serving
from tests.support.broadcasts import PLAN, SOURCE
from tests.support.frozen import Freezer
from tests.support.stack import Process

KIB = 1024
BUSY_S = 2.0 * (MEDIA.keepalive_s + MEDIA.silence_s)
OPEN = media.Open(RunId("r"), 3, "sid", 2, 90_000, PLAN, SOURCE, 1_700_000_000_000)
FRAME = Frame(Kind.VIDEO, True, 0, 3750, bytes(16 * KIB))


async def opened(call: media.IngestCall) -> None:
    await call.write(OPEN)
    assert await call.read() == media.Accepted(0)


async def test_a_call_carries_media_up_and_progress_down_and_ends_in_order(serving: Serving) -> None:
    seen: list[object] = []

    async def handler(open_: media.Open, stream: media.IngestStream) -> None:
        seen.append(open_)
        await stream.write(media.Accepted(45_000))
        while (step := await stream.read()) is not None:
            seen.append(step)
        await stream.write(media.Progress(7, 5))
        await stream.write(media.Draining())

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await call.write(OPEN)
        assert await call.read() == media.Accepted(45_000)
        await call.write(media.Frames([FRAME, FRAME]))
        await call.write(media.Hold(90))
        await call.done_writing()
        assert await call.read() == media.Progress(7, 5)
        assert await call.read() == media.Draining()
        assert await call.read() is None
    assert seen == [OPEN, media.Frames([FRAME, FRAME]), media.Hold(90)]


async def test_a_refusal_names_the_fence(serving: Serving) -> None:
    refusal = media.IngestRefused("log_fenced", "the run is held by session 4, attempt 1", Epoch(4, 1))

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(refusal)

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await call.write(OPEN)
        assert await call.read() == refusal
        assert await call.read() is None
        with pytest.raises(media.IngestLost):
            await call.write(media.Frames([FRAME]))


async def test_a_writer_is_stopped_within_512_kib_when_nobody_reads(serving: Serving) -> None:
    async def handler(open_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        if open_.run == "stalled":
            await asyncio.get_running_loop().create_future()
        while (step := await stream.read()) is not None:
            if isinstance(step, media.Frames):
                await stream.write(media.Progress(len(step.frames), 0))

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        stalled = media.IngestClient(channel).ingest()
        await stalled.write(media.Open(RunId("stalled"), 1, "s", 1, 0, PLAN, SOURCE, 0))
        assert await stalled.read() == media.Accepted(0)
        taken_bytes = 0

        async def fill() -> None:
            nonlocal taken_bytes
            while taken_bytes <= 512 * KIB:
                async with asyncio.timeout(1.0):
                    await stalled.write(media.Frames([FRAME]))
                taken_bytes += len(FRAME.data)

        with pytest.raises(TimeoutError):  # or gRPC hides media from the edge's byte bound
            await fill()
        # A bound below this would be a round trip for every few frames.
        assert taken_bytes >= 128 * KIB


async def test_a_receiver_that_reads_nothing_for_long_is_alive_and_gets_everything(serving: Serving) -> None:
    arrived = 0

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        nonlocal arrived
        await stream.write(media.Accepted(0))
        await asyncio.sleep(MEDIA.keepalive_s + MEDIA.silence_s + 2)
        while (step := await stream.read()) is not None:
            if isinstance(step, media.Frames):
                arrived += len(step.frames)

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await opened(call)
        for _ in range(100):
            await call.write(media.Frames([FRAME]))
        await call.write(media.Hold(90))
        await call.done_writing()
        assert await call.read() is None
    assert arrived == 100


async def test_a_transcoder_that_falls_silent_is_found_out(serving: Serving, tmp_path: Path) -> None:
    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        while await stream.read() is not None:
            pass

    freezer = Freezer()
    async with (
        serving(lambda server: media.add_ingest(server, handler)),
        freezer.between(tmp_path / "near", tmp_path / "wire.sock"),
        open_channel(f"unix:{tmp_path}/near") as channel,
    ):
        call = media.IngestClient(channel).ingest()
        await opened(call)
        freezer.freeze()
        async with asyncio.timeout(MEDIA.keepalive_s + MEDIA.silence_s + 1):
            with pytest.raises(media.IngestLost):
                await call.read()


async def test_a_call_on_which_nothing_is_said_is_pinged_and_goes_on(serving: Serving) -> None:
    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        await asyncio.sleep(6 * MEDIA.keepalive_s)  # with gRPC's defaults: too many pings, at the third
        await stream.write(media.Progress(1, 1))

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await opened(call)
        assert await call.read() == media.Progress(1, 1)


async def test_a_transcoder_whose_interpreter_is_busy_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    target = f"unix:{tmp_path}/busy"
    with Process([sys.executable, "-m", "tests.support.busy_transcoder", target, str(BUSY_S)]) as process:
        async with open_channel(target, MEDIA) as channel:
            async with asyncio.timeout(60):
                await channel.channel_ready()
            call = media.IngestClient(channel).ingest()
            await opened(call)
            await call.write(media.Frames([FRAME]))
            began_s = time.monotonic()
            assert isinstance(await call.read(), media.Progress), process.output
            assert time.monotonic() - began_s >= BUSY_S, "nothing was held up"


async def test_a_stalled_call_does_not_slow_another_on_the_same_channel(serving: Serving) -> None:
    async def handler(open_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        if open_.run == "stalled":
            await asyncio.get_running_loop().create_future()
        while (step := await stream.read()) is not None:
            if isinstance(step, media.Frames):
                await stream.write(media.Progress(len(step.frames), 0))

    async def fill(call: media.IngestCall) -> None:
        while True:
            await call.write(media.Frames([FRAME]))

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        client = media.IngestClient(channel)
        fillers = []
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                stalled = client.ingest()
                await stalled.write(media.Open(RunId("stalled"), 1, "s", 1, 0, PLAN, SOURCE, 0))
                assert await stalled.read() == media.Accepted(0)
                fillers.append(group.create_task(fill(stalled)))
            await asyncio.sleep(0.3)
            flowing = client.ingest()
            await opened(flowing)
            async with asyncio.timeout(10):
                for _ in range(64):  # 4 MiB in all, many windows
                    await flowing.write(media.Frames([FRAME] * 4))
                    assert await flowing.read() == media.Progress(4, 0)
            for filler in fillers:
                filler.cancel()


@pytest.mark.parametrize(
    "steps",
    [
        [media.Frames([FRAME])],
        [OPEN, OPEN],
        [OPEN, media.End(), media.Frames([FRAME])],
        [OPEN, media.Frames([FRAME._replace(kind=0)])],  # type: ignore[arg-type]
    ],
    ids=["frames first", "open twice", "frames after the end", "an unknown kind"],
)
async def test_a_message_that_breaks_the_order_ends_the_call_with_its_code(
    serving: Serving, steps: list[media.Up]
) -> None:
    errors: list[Exception] = []

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        try:
            while await stream.read() is not None:
                pass
            await stream.read()
        except WireError as error:
            errors.append(error)
            raise

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        for step in steps:
            await call.write(step)
        with pytest.raises(media.IngestLost) as lost:
            await call.read()
    assert lost.value.code == "bad_message"
    assert len(errors) == (1 if steps[0] is OPEN else 0)


async def test_a_handlers_error_reaches_the_edge_with_its_code(serving: Serving) -> None:
    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        raise HeadraceError("the worker died", code="worker_lost")

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await call.write(OPEN)
        with pytest.raises(media.IngestLost, match="the worker died") as lost:
            await call.read()
    assert lost.value.code == "worker_lost"


async def test_a_bug_in_a_handler_is_logged_and_tells_the_peer_nothing(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        raise ZeroDivisionError("a secret")

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await call.write(OPEN)
        with pytest.raises(media.IngestLost, match=r"^internal error$") as lost:
            await call.read()
    assert lost.value.code == "ingest_lost"
    assert "ZeroDivisionError" in caplog.text


async def test_a_handler_is_cancelled_when_the_edge_gives_up(serving: Serving) -> None:
    over = asyncio.Event()

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        try:
            await stream.write(media.Accepted(0))
            await asyncio.get_running_loop().create_future()
        finally:
            over.set()

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await opened(call)
        call.cancel()
        async with asyncio.timeout(5):
            await over.wait()
        with pytest.raises(media.IngestLost):
            await call.write(media.Frames([FRAME]))
        with pytest.raises(media.IngestLost):
            await call.read()


async def test_an_edge_that_goes_without_hold_or_end_is_lost_not_finished(serving: Serving) -> None:
    outcome: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        try:
            assert await stream.read() is None
            outcome.set_result(None)
        except BaseException as error:
            outcome.set_result(error)
            raise

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await opened(call)
        await call.done_writing()
        with pytest.raises(media.IngestLost):
            await call.read()
        assert isinstance(await outcome, media.IngestLost)


async def test_a_read_that_is_cancelled_stays_cancelled(serving: Serving) -> None:
    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        await asyncio.get_running_loop().create_future()

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await opened(call)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await call.read()
