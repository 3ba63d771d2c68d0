"""The Ingest call over a real gRPC channel: an edge's view of a transcoder."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headrace.core.broadcast import Plan, RunId
from headrace.livelog.memory import MemoryLog
from headrace.runtime.telemetry.metrics import exposition
from headrace.transcoder.capacity import Capacity
from headrace.transcoder.grpc_server import Ingest
from headrace.transcoder.service import build
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.channel import listen, make_server, open_channel, serve
from headrace.wire.control import PodReport, add_fleet
from headrace.wire.media import (
    Accepted,
    End,
    Frames,
    Hold,
    IngestCall,
    IngestClient,
    IngestLost,
    IngestRefused,
    Progress,
    add_ingest,
)
from tests.integration.transcoder.harness import Clip, Recipe, decoded_video, made
from tests.integration.transcoder.test_supervisor import (
    LEAVES_EARLY,
    SMALL,
    entries,
    opening,
    published,
    supervising,
    wait_until_idle,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return made(Recipe(seconds=3), tmp_path_factory.mktemp("media") / "clip.mp4")


@pytest.fixture
def plan(clip: Clip) -> Plan:
    return clip.plan(SMALL)


class Edge:
    """One call to a supervisor over a Unix socket."""

    def __init__(self, supervisor: Supervisor, path: Path) -> None:
        self._supervisor = supervisor
        self._target = f"unix:{path}/ingest"

    async def __aenter__(self) -> IngestCall:
        server = make_server()
        add_ingest(server, Ingest(self._supervisor).serve)
        listen(server, self._target)
        self._serving = asyncio.ensure_future(serve(server))
        self._channel = open_channel(self._target)
        await self._channel.channel_ready()
        return IngestClient(self._channel).ingest()

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()
        self._serving.cancel()
        await asyncio.wait([self._serving])


async def progress_of(call: IngestCall) -> list[Progress]:
    seen = []
    while (step := await call.read()) is not None:
        assert isinstance(step, Progress)
        seen.append(step)
    return seen


@pytest.mark.parametrize("last", [End(), Hold(270_000)])
async def test_a_call_is_accepted_told_of_progress_and_ended_when_all_is_in_the_log(
    clip: Clip, plan: Plan, last: End | Hold, tmp_path: Path
) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor, Edge(supervisor, tmp_path) as call:
        await call.write(opening(clip, plan))
        assert await call.read() == Accepted(0)
        for start in range(0, len(clip.frames), 20):
            await call.write(Frames(clip.frames[start : start + 20]))
        await call.write(last)
        await call.done_writing()
        seen = await progress_of(call)
    assert [one.published_through for one in seen] == sorted(one.published_through for one in seen)
    assert seen[-1] == Progress(clip.end, clip.end)
    assert len(decoded_video(await published(log, "180p"))) == len(clip.shown)


async def test_a_refusal_says_why_and_by_whom(clip: Clip, plan: Plan, tmp_path: Path) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor:
        newer = await supervisor.take(opening(clip, plan, attempt=7))
        async with Edge(supervisor, tmp_path) as call:
            await call.write(opening(clip, plan, attempt=2))
            answer = await call.read()
            assert isinstance(answer, IngestRefused)
            assert (answer.code, answer.fence) == ("log_fenced", (1, 7))
            assert await call.read() is None
        newer.leave()


async def test_a_lost_worker_ends_the_call_with_that_code(clip: Clip, plan: Plan, tmp_path: Path) -> None:
    async with supervising(MemoryLog(), LEAVES_EARLY) as supervisor, Edge(supervisor, tmp_path) as call:
        await call.write(opening(clip, plan))
        assert isinstance(await call.read(), Accepted)
        with pytest.raises(IngestLost, match="exit status 3") as lost:
            await progress_of(call)
        assert lost.value.code == "worker_lost"


async def test_an_edge_that_vanishes_leaves_what_it_sent(clip: Clip, plan: Plan, tmp_path: Path) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor, Edge(supervisor, tmp_path) as call:
        await call.write(opening(clip, plan))
        assert isinstance(await call.read(), Accepted)
        await call.write(Frames(clip.frames))
        while not (progress := await call.read()) or progress == Progress(0, 0):
            pass
        call.cancel()
        await wait_until_idle(supervisor)
    assert isinstance((await entries(log))[-1], Hold)
    assert len(decoded_video(await published(log, "180p"))) == len(clip.shown)


async def test_the_service_reports_to_control_and_serves_ingest(clip: Clip, plan: Plan, tmp_path: Path) -> None:
    reports: asyncio.Queue[PodReport] = asyncio.Queue()

    async def fleet(incoming: AsyncIterator[PodReport]) -> None:
        async for report in incoming:
            reports.put_nowait(report)

    control = make_server()
    add_fleet(control, fleet)
    control_target = listen(control, f"unix:{tmp_path}/control")
    settings = TranscoderSettings(
        transcoder_target=f"unix:{tmp_path}/transcoder", control_target=control_target, capacity_pixels_s=123, pod="a"
    )
    service = build(settings, log=MemoryLog())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(serve(control)), group.create_task(service.run())]
        async with asyncio.timeout(10):
            report = await reports.get()
            assert (report.pod, report.target, report.ready) == ("a", settings.transcoder_target, True)
            assert (report.capacity, report.used, report.runs) == (123, 0, ())
            async with open_channel(report.target) as channel:
                call = IngestClient(channel).ingest()
                await call.write(opening(clip, plan, RunId("reported")))
                assert isinstance(await call.read(), Accepted)
                while not (report := await reports.get()).runs:
                    pass
                assert (report.runs, report.used > 0) == (("reported",), True)
                await call.write(End())
                await progress_of(call)
        for task in tasks:
            task.cancel()
    assert b"headrace_transcoder_runs" in exposition()[0]


async def test_capacity_is_measured_once_and_kept(tmp_path: Path) -> None:
    from headrace.transcoder.capacity import measured

    file = tmp_path / "capacity.json"
    first = await measured(file)
    assert first > 1_000_000
    assert await measured(file) == first
    assert Capacity(0).total == 1
