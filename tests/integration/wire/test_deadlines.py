"""Every call between services ends in time against a peer that is there and says nothing, and so does each long call's
every step. tests/architecture holds `CALLS` against what the .proto files offer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc.aio import Channel

from headrace.core.broadcast import Refused, RunId, StreamId, StreamKey
from headrace.wire import control, media, replicas
from headrace.wire.channel import Link, listen, make_server, open_channel
from headrace.wire.errors import CallLost
from headrace.wire.replicas import Replicas
from headrace.wire.v1 import control_pb2, media_pb2
from tests.integration.wire.conftest import Serving
from tests.support.broadcasts import PLAN, SOURCE

SOON_S = 0.3
SLACK_S = 3.0  # for a machine that has other things to do
PATIENT = Link(keepalive_s=60, silence_s=60, up_bytes=17 << 20, down_bytes=1 << 20)  # no ping ends anything here
OPEN = media.Open(RunId("r"), 1, "sid", 1, 0, PLAN, SOURCE, 0)
REPORT = control.PodReport("pod-0", "unix:/t.sock", "0.1.0", True, 10**9, 5, (RunId("r"),))


def methods() -> set[str]:
    """Every method of every service, as a path on the wire."""
    return {
        f"/{service.full_name}/{method.name}"
        for file in (control_pb2.DESCRIPTOR, media_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    }


async def reports(count: int) -> AsyncIterator[control.PodReport]:
    for _ in range(count):
        yield REPORT


async def one_report(_: control.SessionsClient, channel: Channel) -> None:
    await control.FleetClient(channel).report(reports(1))


async def ingest(_: control.SessionsClient, channel: Channel) -> None:
    await media.IngestClient(channel).ingest().open(OPEN)


HELD = control.HeldSession("sid", StreamId("s"), RunId("r"), 1, "192.0.2.1:5")

CALLS: dict[str, tuple[str, Callable[[control.SessionsClient, Channel], Awaitable[object]]]] = {
    "/headrace.wire.v1.Sessions/OpenSession": (
        "OPEN_DEADLINE_S",
        lambda sessions, _: sessions.open_session("live", StreamKey("k"), "edge", "peer", "sid"),
    ),
    "/headrace.wire.v1.Sessions/Allocate": (
        "ALLOCATE_DEADLINE_S",
        lambda sessions, _: sessions.allocate("sid", SOURCE, 0),
    ),
    "/headrace.wire.v1.Sessions/Renew": ("RENEW_DEADLINE_S", lambda sessions, _: sessions.renew("edge", [HELD])),
    "/headrace.wire.v1.Sessions/Release": (
        "RELEASE_DEADLINE_S",
        lambda sessions, _: sessions.release("sid", control.ReleaseReason.ENDED, flushed=True),
    ),
    "/headrace.wire.v1.Fleet/Report": ("REPORT_DEADLINE_S", one_report),
    "/headrace.wire.v1.Ingest/Ingest": ("ANSWER_S", ingest),
}


class Mute(grpc.GenericRpcHandler):
    """Takes every call and never says a word."""

    def service(self, _: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        async def silence(*_: object) -> None:
            await asyncio.get_running_loop().create_future()

        return grpc.stream_stream_rpc_method_handler(silence)


@asynccontextmanager
async def mute(tmp_path: Path) -> AsyncIterator[str]:
    """The target of a server that is one."""
    server = make_server(PATIENT)
    server.add_generic_rpc_handlers((Mute(),))
    target = listen(server, f"unix:{tmp_path}/mute")
    await server.start()
    try:
        yield target
    finally:
        await server.stop(0)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deadline is short."""
    for module in (control, media):
        for name in vars(module):
            if name.endswith("_S") and name.isupper():
                monkeypatch.setattr(module, name, SOON_S)


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """What happens here takes its deadline, and not much longer."""
    began_s = time.monotonic()
    async with asyncio.timeout(SOON_S + SLACK_S):
        yield
    assert time.monotonic() - began_s >= SOON_S * 0.7, "something else ended it"


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("method", CALLS)
async def test_a_call_to_somebody_who_says_nothing_ends_at_its_deadline(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "QUESTIONS", PATIENT)
    async with (
        mute(tmp_path) as target,
        Replicas(target) as asked,
        open_channel(target, PATIENT) as channel,
        in_time(),
    ):
        with pytest.raises((Refused, CallLost)):
            await CALLS[method][1](control.SessionsClient(asked), channel)


@pytest.mark.parametrize("method", CALLS)
async def test_the_deadline_of_each_call_is_the_one_that_is_named_here(
    tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, call = CALLS[method]
    monkeypatch.setattr(control if hasattr(control, name) else media, name, SOON_S)
    monkeypatch.setattr(replicas, "QUESTIONS", PATIENT)
    async with (
        mute(tmp_path) as target,
        Replicas(target) as asked,
        open_channel(target, PATIENT) as channel,
        in_time(),
    ):
        with pytest.raises((Refused, CallLost)):
            await call(control.SessionsClient(asked), channel)


async def test_a_report_that_does_not_go_out_ends_the_call(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "REPORT_DEADLINE_S", SOON_S)
    held = asyncio.Event()

    async def handler(_: AsyncIterator[control.PodReport]) -> None:
        await held.wait()

    async def large() -> AsyncIterator[control.PodReport]:
        runs = tuple(RunId("r" * 60_000) for _ in range(10))
        while True:
            yield control.PodReport("pod-0", "unix:/t.sock", "0.1.0", True, 1, 1, runs)

    async with serving(lambda server: control.add_fleet(server, handler)) as channel:
        async with asyncio.timeout(SOON_S + SLACK_S):
            with pytest.raises(CallLost, match="neither reads nor answers"):
                await control.FleetClient(channel).report(large())
        held.set()


async def test_a_pod_that_stops_reporting_and_answers_pings_is_let_go(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "REPORT_WITHIN_S", SOON_S)
    heard: list[object] = []

    async def handler(reports: AsyncIterator[control.PodReport]) -> None:
        async for report in reports:
            heard.append(report)
        heard.append("goodbye")

    async def one_and_no_more() -> AsyncIterator[control.PodReport]:
        yield REPORT
        await asyncio.sleep(2 * SOON_S)
        yield REPORT
        await asyncio.sleep(60)
        yield REPORT

    async with serving(lambda server: control.add_fleet(server, handler)) as channel:
        with pytest.raises(CallLost) as caught:
            async with asyncio.timeout(SLACK_S):
                await control.FleetClient(channel).report(one_and_no_more())
    assert heard == [REPORT]
    assert caught.value.code == "call_lost"


async def test_an_edge_that_opens_a_call_and_says_nothing_is_let_go(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "OPEN_WITHIN_S", SOON_S)

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        raise AssertionError("nothing was opened")

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        async with in_time():
            with pytest.raises(media.IngestLost, match="said nothing for") as lost:
                await call.read()
    assert lost.value.code == "ingest_lost"


async def test_an_edge_that_sends_no_media_is_lost_though_it_answers_pings(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MEDIA_WITHIN_S", SOON_S)
    read: list[object] = []

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        while (step := await stream.read()) is not None:
            read.append(step)

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        assert await call.open(OPEN) == media.Accepted(0)
        await call.write(media.Frames([]))
        async with in_time():
            with pytest.raises(media.IngestLost, match="said nothing for"):
                await call.read()
    assert read == [media.Frames([])]


async def test_an_edge_that_does_not_read_what_it_is_told_is_lost(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "TAKEN_WITHIN_S", SOON_S)
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        try:
            while True:
                await stream.write(media.IngestRefused("at_length", "x" * 60_000))
        except media.IngestLost as lost:
            ended.set_result(str(lost))
            raise

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await call.write(OPEN)
        async with asyncio.timeout(SOON_S + 3 * SLACK_S):
            assert await ended == "the edge read nothing for 0.3 s"
        call.cancel()


async def test_a_transcoder_that_takes_its_time_over_media_is_not_an_edge_that_says_nothing(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MEDIA_WITHIN_S", SOON_S)
    taken: list[object] = []

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        while (step := await stream.read()) is not None:
            taken.append(step)
            await asyncio.sleep(2 * SOON_S)

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        assert await call.open(OPEN) == media.Accepted(0)
        for _ in range(3):
            await call.write(media.Frames([]))
        await call.write(media.End())
        await call.done_writing()
        assert await call.read() is None
    assert len(taken) == 4


async def test_an_answer_that_is_neither_yes_nor_no_is_none(serving: Serving) -> None:
    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Draining())

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        with pytest.raises(media.IngestLost, match="did not accept"):
            await media.IngestClient(channel).ingest().open(OPEN)
