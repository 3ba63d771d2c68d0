"""Control as a running service: edges and transcoders reach it over gRPC on a Unix socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from headrace.control.service import ControlSettings, Service, build, migrate
from headrace.core.broadcast import Claim, End, Epoch, Refused, RunStart, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Append, Cursor
from headrace.livelog.memory import MemoryLog
from headrace.wire.channel import open_channel
from headrace.wire.control import FleetClient, PodReport, ReleaseReason, SessionsClient
from headrace.wire.health import CONTROL_SERVICES
from headrace.wire.replicas import Replicas
from tests.support.health import healthy
from tests.unit.control.support import API_KEY, SOURCE, exists

TRANSCODER = PodReport("t1", "unix:/t1", "1", True, 10**9, 0, ())


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Service, str, MemoryLog]]:
    """The service, its gRPC target, and the log that it shares."""
    url, target = f"sqlite+aiosqlite:///{folder}/control.sqlite3", f"unix:{folder}/control.sock"
    await migrate(url)
    settings = ControlSettings(database_url=url, api_key=SecretStr(API_KEY), control_target=target)
    log = MemoryLog()
    service = build(settings, log=log)
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run())
        async with asyncio.timeout(5):
            while not exists(folder / "control.sock"):  # noqa: ASYNC110  # a file sets no event
                await asyncio.sleep(0.01)
        yield service, target, log
        service.stop()


@asynccontextmanager
async def transcoder(target: str) -> AsyncIterator[asyncio.Event]:
    """A transcoder that reports until the event is set."""
    goodbye = asyncio.Event()

    async def reports() -> AsyncIterator[PodReport]:
        while not goodbye.is_set():
            yield TRANSCODER
            await asyncio.sleep(0.02)

    channel = open_channel(target)
    async with asyncio.TaskGroup() as group:
        group.create_task(FleetClient(channel).report(reports()))
        yield goodbye
        goodbye.set()
    await channel.close()


def client(service: Service) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(service.http_app)
    return httpx.AsyncClient(
        transport=transport, base_url="http://control", headers={"Authorization": f"Bearer {API_KEY}"}
    )


async def until_ready(service: Service, ready: bool) -> str:
    """The words of `/readyz` once it says so."""
    async with client(service) as http, asyncio.timeout(5):
        while True:
            answer = await http.get("/readyz")
            if (answer.status_code == 200) is ready:
                return answer.text
            await asyncio.sleep(0.02)


async def test_a_publisher_comes_and_goes_over_grpc(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as (service, target, _),
        transcoder(target),
        client(service) as http,
        Replicas(target) as replicas,
    ):
        await until_ready(service, ready=True)
        made = (await http.post("/v1/streams", json={"name": "x"})).json()
        path, key = f"/v1/streams/{made['id']}", StreamKey(made["stream_key"])
        sessions = SessionsClient(replicas)
        opened = await sessions.open_session("live", key, "edge-1", "192.0.2.1:5000", "sid")
        assert opened.stream == made["id"]
        assert (await sessions.allocate(opened.session_id, SOURCE, 0)).transcoders == ("unix:/t1",)
        assert (await http.get(path)).json()["state"] == "live"
        with pytest.raises(Refused, match="already being published") as caught:
            await sessions.open_session("live", key, "edge-1", "192.0.2.1:5001", "sid-2")
        assert caught.value.reason is Reason.BUSY
        await sessions.release(opened.session_id, ReleaseReason.ENDED, flushed=True)
        assert (await http.get(path)).json()["state"] == "idle"


async def test_its_grpc_health_is_what_readyz_says(tmp_path: Path) -> None:
    async with running(tmp_path) as (service, target, _), transcoder(target), open_channel(target) as channel:
        for ready in (False, True):
            await until_ready(service, ready)
            for name in ("", *CONTROL_SERVICES):
                assert await healthy(channel, name) is ready


async def test_a_failed_run_is_ended_in_the_log_for_its_viewers(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as (service, target, log),
        transcoder(target),
        client(service) as http,
        Replicas(target) as replicas,
    ):
        await until_ready(service, ready=True)
        made = (await http.post("/v1/streams", json={"name": "x"})).json()
        sessions = SessionsClient(replicas)
        opened = await sessions.open_session("live", StreamKey(made["stream_key"]), "edge-1", "192.0.2.1:5000", "sid")
        allocated = await sessions.allocate(opened.session_id, SOURCE, 0)
        claim = Claim(Epoch(opened.session, 1), opened.session_id, "writer")
        await log.takeover(opened.run, claim, 0, open_new=True)
        await log.stage(opened.run, claim, 1, Append(RunStart(allocated.plan, 0)))
        await sessions.release(opened.session_id, ReleaseReason.FAILED, flushed=False)
        entries = [published.entry for published in (await log.read(opened.run, Cursor(0, ""))).entries]
        assert entries == [RunStart(allocated.plan, 0), End(0)]
        assert await log.current(opened.stream) == opened.run


async def test_control_is_ready_once_a_transcoder_has_reported(tmp_path: Path) -> None:
    async with running(tmp_path) as (service, target, _):
        assert await until_ready(service, ready=False) in (
            "the database does not answer\n",
            "transcoders have not reported yet\n",
        )
        async with transcoder(target):
            assert await until_ready(service, ready=True) == "ready\n"


async def test_a_login_token_of_the_service_opens_the_console(tmp_path: Path) -> None:
    async with running(tmp_path) as (service, _, _):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(service.http_app), base_url="http://control")
        async with http:
            await http.get("/", params={"login": service.login_url_token()})
            assert (await http.get("/v1/streams")).status_code == 200


async def test_a_stopped_service_leaves_its_database_whole(tmp_path: Path) -> None:
    async with running(tmp_path) as (service, _, _), client(service) as http:
        await http.post("/v1/streams", json={"name": "x"})
    async with running(tmp_path) as (service, _, _), client(service) as http:
        assert [one["name"] for one in (await http.get("/v1/streams")).json()["streams"]] == ["x"]
