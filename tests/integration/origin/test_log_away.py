"""An origin whose Redis stands still, dies, or comes back empty: what it knows is served, and then it catches up."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from headrace.core.broadcast import Claim, Entry, Epoch, Part, RunId, StreamId
from headrace.livelog import connect
from headrace.livelog.base import Append, LiveLog, LogError
from headrace.livelog.settings import LogSettings
from headrace.origin import caching
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from headrace.runtime.aio.tasks import beside
from tests.support.asgi import Reply, ask
from tests.support.playlists import ReadPlaylist, read_playlist
from tests.support.redis import Server
from tests.support.runs import part_bytes, parts_of, plan_of, start_of

RUN = RunId("r1")
NEWEST = "/live/s1/index.m3u8"
BASE = f"/live/s1/{RUN}/source"
MULTIVARIANT = f"/live/s1/{RUN}/index.m3u8"
LIST = f"{BASE}/index.m3u8"
PLAN = plan_of("passthrough", audio=False, window_s=20)

pytestmark = pytest.mark.timeout(60)


@dataclass
class Writer:
    """It writes whole segments, and takes the run over again when it must."""

    log: LiveLog
    take: int = 0
    n: int = 0

    @property
    def claim(self) -> Claim:
        return Claim(Epoch(1, 1), "session", "writer", self.take)

    async def open(self) -> None:
        async with asyncio.timeout(10):
            while True:
                self.take += 1
                try:
                    self.n = (await self.log.takeover(RUN, self.claim, 0, open_new=True)).n
                    await self.log.set_current({StreamId("s1"): RUN})
                except LogError:
                    await asyncio.sleep(0.1)
                else:
                    return

    async def write(self, *entries: Entry) -> None:
        for entry in entries:
            self.n += 1
            data = part_bytes(entry.rung, entry.msn, entry.part) if isinstance(entry, Part) else None
            await self.log.stage(RUN, self.claim, self.n, Append(entry, data))
            await self.log.publish(RUN, self.claim, self.n)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture
async def writer(server: Server) -> AsyncIterator[Writer]:
    """Of a run with twelve segments."""
    log = connect(LogSettings(log_cells=SecretStr(server.url)))
    made = Writer(log)
    async with beside(log.run()):
        await made.open()
        await made.write(*start_of(PLAN), *(e for msn in range(12) for e in parts_of(PLAN, "source", msn)))
        yield made


@pytest.fixture
async def origin(server: Server, writer: Writer) -> AsyncIterator[Service]:
    """It knows the run, and has its newest part in its cache."""
    log = connect(LogSettings(log_cells=SecretStr(server.url)))
    service = build(OriginSettings(), log=log)
    async with beside(log.run()), asyncio.TaskGroup() as group:
        group.create_task(service.run())
        for url in (NEWEST, LIST, f"{BASE}/11.5-e1.m4s"):
            assert (await ask(service.http_app, url)).status == 200
        yield service
        service.stop()


async def listing(origin: Service, query: str = "") -> ReadPlaylist:
    reply = await ask(origin.http_app, LIST + query)
    assert reply.status == 200
    return read_playlist(reply.body.decode())


async def timed(origin: Service, url: str) -> tuple[Reply, float]:
    began_s = asyncio.get_running_loop().time()
    return await ask(origin.http_app, url), asyncio.get_running_loop().time() - began_s


async def test_a_log_that_stands_still_holds_up_only_what_is_in_it_alone(
    server: Server, writer: Writer, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "FETCH_S", 1.0)
    before = await listing(origin)
    server.pause()
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            slow = [group.create_task(timed(origin, f"{BASE}/11.{part}-e1.m4s")) for part in range(3)]
            ahead = group.create_task(timed(origin, f"{BASE}/15.0-e1.m4s"))
            await asyncio.sleep(0.1)
            for url in (
                LIST,
                f"{BASE}/11.5-e1.m4s",
                f"{BASE}/{before.segments[0].map}",
                NEWEST[:-10] + "r1/index.m3u8",
            ):
                reply, took_s = await timed(origin, url)
                assert (reply.status, took_s < 0.5) == (200, True), url
            await asyncio.sleep(1.0)  # the stream's newest run is to be looked up again
            reply, took_s = await timed(origin, NEWEST)
            assert (reply.status, took_s < 3) == (200, True)
        for task, longest_s in (*((each, 2) for each in slow), (ahead, 3)):
            reply, took_s = task.result()
            assert (reply.status, reply.headers["cache-control"]) == (503, "no-store")
            assert took_s < longest_s
        assert await listing(origin) == before
    finally:
        server.resume()
    await writer.open()
    await writer.write(*parts_of(PLAN, "source", 12))
    async with asyncio.timeout(10):
        assert (await listing(origin, "?_HLS_msn=12")).segments[-1].msn == 12
    for part in range(3):
        assert (await ask(origin.http_app, f"{BASE}/11.{part}-e1.m4s")).status == 200


async def test_a_log_that_came_back_empty_goes_on_above_and_all_that_is_listed_is_there(
    server: Server, writer: Writer, origin: Service
) -> None:
    before = await listing(origin)
    server.kill()
    assert await listing(origin) == before
    server.start()
    await asyncio.sleep(1.5)
    assert await listing(origin) == before  # the run is unknown to it now, and still it is only late
    assert (await ask(origin.http_app, f"{BASE}/11.5-e1.m4s")).status == 200
    await writer.open()
    assert writer.n == 0
    await writer.write(*start_of(PLAN))
    await asyncio.sleep(0.5)
    assert await listing(origin) == before
    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        waiting = group.create_task(listing(origin, "?_HLS_msn=12&_HLS_part=0"))
        await writer.write(*(e for msn in (100, 101) for e in parts_of(PLAN, "source", msn, encoder="e1")))
        after = await waiting
        cold = build(OriginSettings(), log=writer.log)
        running = group.create_task(cold.run())
        while (after := await listing(origin)) != await listing(cold) or after.segments[-1].msn < 101:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        running.cancel()
    assert [segment.msn for segment in after.segments] == [100, 101]
    for segment in after.segments:
        assert (await ask(origin.http_app, f"{BASE}/{segment.uri}")).status == 200
    for part in after.parts:
        assert (await ask(origin.http_app, f"{BASE}/{part.uri}")).status == 200
