"""What a peer may send is bounded to what it needs: the largest that is needed passes, what is larger ends its call."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc.aio import AioRpcError, Server, StreamStreamMultiCallable

from headrace.core.broadcast import MAX_CONFIG_BYTES, RunId, Source, StreamId
from headrace.core.broadcast.profile import MAX_RUNGS
from headrace.core.media import Frame, Kind
from headrace.core.rtmp.limits import MAX_MESSAGE_BYTES
from headrace.edge.leases import AT_ONCE
from headrace.wire import calls, control, media
from headrace.wire.channel import MEDIA, QUESTIONS, REPORTS, Link, listen, make_server, open_channel
from headrace.wire.errors import CallLost
from headrace.wire.replicas import Replicas
from tests.integration.wire.test_control import Control
from tests.integration.wire.test_media import OPEN
from tests.support.broadcasts import PLAN, SOURCE

assert SOURCE.audio is not None
LARGEST_SOURCE = Source(
    replace(SOURCE.video, config=bytes(MAX_CONFIG_BYTES), intervals=(2**40,) * 30),
    replace(SOURCE.audio, config=bytes(MAX_CONFIG_BYTES)),
)
LARGEST_PLAN = replace(PLAN, video=tuple(replace(PLAN.video[0], name=f"rung-{i}") for i in range(MAX_RUNGS)))
WITHOUT_BOUND = Link(keepalive_s=60, silence_s=60, up_bytes=1 << 30, down_bytes=1 << 30)


@asynccontextmanager
async def served(tmp_path: Path, link: Link, add: Callable[[Server], None]) -> AsyncIterator[str]:
    server = make_server(link)
    add(server)
    target = listen(server, f"unix:{tmp_path}/sizes")
    await server.start()
    try:
        yield target
    finally:
        await server.stop(0)


async def carry(opened: media.Open, stream: media.IngestStream) -> None:
    """Say how many bytes came."""
    await stream.write(media.Accepted(0))
    while (step := await stream.read()) is not None:
        if isinstance(step, media.Frames):
            await stream.write(media.Progress(sum(len(frame.data) for frame in step.frames), 0))


def told(error: BaseException | None) -> tuple[grpc.StatusCode, bool]:
    """The status, and whether it says what is wrong."""
    assert isinstance(error, AioRpcError)
    return error.code(), "larger than max" in (error.details() or "")


async def test_the_largest_access_unit_of_an_encoder_passes(tmp_path: Path) -> None:
    async with (
        served(tmp_path, MEDIA, lambda server: media.add_ingest(server, carry)) as target,
        open_channel(target, MEDIA) as channel,
    ):
        call = media.IngestClient(channel).ingest()
        assert await call.open(replace(OPEN, plan=LARGEST_PLAN, source=LARGEST_SOURCE)) == media.Accepted(0)
        await call.write(media.Frames([Frame(Kind.VIDEO, True, 0, 0, bytes(MAX_MESSAGE_BYTES))]))
        assert await call.read() == media.Progress(MAX_MESSAGE_BYTES, 0)
        await call.write(media.Frames([Frame(Kind.VIDEO, True, 0, 0, bytes(MEDIA.up_bytes))]))
        with pytest.raises(media.IngestLost, match="larger than max"):
            await call.read()


async def test_the_largest_renewal_of_an_edge_passes(tmp_path: Path) -> None:
    one = control.HeldSession(
        "f" * 32, StreamId("s" * 12), RunId("r" * 40), 2**60, "[2001:db8::1]:50000", 2**42, LARGEST_PLAN,
        LARGEST_SOURCE, "transcoder.example:7071", 2**42,
    )  # fmt: skip
    sessions = [replace(one, session_id=f"{i:032x}") for i in range(AT_ONCE)]
    async with (
        served(tmp_path, REPORTS, lambda server: control.add_sessions(server, Control())) as target,
        Replicas(target) as replicas,
    ):
        verdicts = await control.SessionsClient(replicas).renew("edge-0", sessions)
    assert [verdict.held for verdict in verdicts] == [True] * AT_ONCE


async def test_the_report_of_an_edge_with_ten_thousand_sessions_passes(tmp_path: Path) -> None:
    sessions = tuple(control.SessionReport(f"{i:032x}", 2**31) for i in range(10_000))
    large = control.PodReport("edge-0", "", "1.2.3", True, 0, 0, (), control.PodKind.EDGE, "zone", sessions)
    heard: list[control.PodReport] = []

    async def handler(reports: AsyncIterator[control.PodReport]) -> None:
        heard.extend([report async for report in reports])

    async def reports() -> AsyncIterator[control.PodReport]:
        yield large

    async with (
        served(tmp_path, REPORTS, lambda server: control.add_fleet(server, handler)) as target,
        open_channel(target, REPORTS) as channel,
    ):
        await control.FleetClient(channel).report(reports())
    assert heard == [large]


@pytest.mark.parametrize("method", ["Sessions/OpenSession", "Sessions/Allocate", "Sessions/Renew", "Sessions/Release"])
async def test_control_takes_no_more_than_its_largest_question(tmp_path: Path, method: str) -> None:
    handler = Control()
    async with (
        served(tmp_path, REPORTS, lambda server: control.add_sessions(server, handler)) as target,
        open_channel(target, WITHOUT_BOUND) as channel,
    ):
        with pytest.raises(CallLost) as refused:
            await calls.unary_call(channel, f"/headrace.wire.v1.{method}", bytes(QUESTIONS.up_bytes + 1), 10)
    assert told(refused.value.__cause__) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
    assert handler.heard == []


async def test_a_transcoder_takes_no_more_than_its_largest_message(tmp_path: Path) -> None:
    async with (
        served(tmp_path, MEDIA, lambda server: media.add_ingest(server, carry)) as target,
        open_channel(target, WITHOUT_BOUND) as channel,
    ):
        method: StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/headrace.wire.v1.Ingest/Ingest")
        call = method(timeout=10)
        await call.write(bytes(MEDIA.up_bytes + 1))
        with pytest.raises(AioRpcError) as refused:
            await call.read()
    assert told(refused.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


@pytest.mark.parametrize("link", [QUESTIONS, MEDIA])
async def test_an_edge_takes_no_more_than_the_largest_answer(tmp_path: Path, link: Link) -> None:
    async def answer(_: bytes) -> bytes:
        return bytes(link.down_bytes + 1)

    def add(server: Server) -> None:
        calls.add_service(server, {"/s/m": calls.unary_handler(answer)})

    async with served(tmp_path, WITHOUT_BOUND, add) as target, open_channel(target, link) as channel:
        with pytest.raises(CallLost) as refused:
            await calls.unary_call(channel, "/s/m", b"", 10)
    assert told(refused.value.__cause__) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


def test_who_reports_may_say_as_much_as_who_asks() -> None:
    assert (REPORTS.up_bytes, REPORTS.down_bytes) == (QUESTIONS.up_bytes, QUESTIONS.down_bytes)
