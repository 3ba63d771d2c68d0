"""Three origins over one log, restarted as it comes: after every entry all say the same, and have what they list.

On Redis each has connections of its own, which are cut now and then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

import httpx
import pytest
from pydantic import SecretStr

from headrace.core.broadcast import Claim, End, Entry, Epoch, Gap, Part, Profile, RungSpec, RunId, StreamId
from headrace.core.hls.playlist import RunModel
from headrace.livelog import connect
from headrace.livelog.base import Append, LiveLog, Unreachable
from headrace.livelog.memory import MemoryLog
from headrace.livelog.settings import LogSettings
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from headrace.runtime.aio.tasks import beside
from headrace.runtime.http import serve_http
from headrace.runtime.lifecycle import listen_tcp
from tests.support.folded import text
from tests.support.playlists import read_playlist
from tests.support.redis import Server
from tests.support.runs import chained, init_of, part_bytes, parts_of, plan_of, start_of

RUN = RunId("r1")
BASE = f"/live/s1/{RUN}"
PLAN = plan_of(Profile(source=True, auto=False, rungs=(RungSpec(360),), window_s=20))
SEGMENTS = 22  # eight more than the log holds
PARTS = 2

pytestmark = pytest.mark.timeout(60)


@dataclass
class Place:
    """Where the log is: `opened` gives each who uses it a log of his own, `cut` closes all connections."""

    opened: Callable[[], LiveLog]
    cut: Callable[[], None]


@pytest.fixture(params=["memory", "redis"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        log = MemoryLog()
        yield Place(lambda: log, lambda: None)
        return
    with Server() as server:
        yield Place(lambda: connect(LogSettings(log_cells=SecretStr(server.url))), server.cut)


class Origin:
    """An origin on a port of its own, until it is stopped."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        log = self._place.opened()
        service = build(OriginSettings(), log=log)
        sock = listen_tcp("127.0.0.1", 0, "HTTP")
        await self._stack.enter_async_context(beside(log.run()))
        await self._stack.enter_async_context(running(service))
        await self._stack.enter_async_context(beside(serve_http(service.http_app, sock)))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self._client = await self._stack.enter_async_context(
            httpx.AsyncClient(base_url=url, timeout=10, trust_env=False)
        )

    async def stop(self) -> None:
        await self._stack.aclose()

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run())
        yield
        service.stop()


def history(rng: Random) -> list[Entry]:
    """A run with missing parts, new encoders, and two other builds, the last within the window."""
    entries = start_of(PLAN)
    build = encoder = 0
    for msn in range(SEGMENTS):
        if msn in (4, SEGMENTS - 8):
            build += 1
            encoder += 1
            entries += (init_of(PLAN, rung, f"build {build}") for rung in PLAN.rung_names)
        queues = []
        for rung in PLAN.rung_names:
            encoder += rng.random() < 0.2
            gaps = (0,) if rng.random() < 0.15 else ()
            told = parts_of(
                PLAN, rung, msn, of=PARTS, count=PARTS, gaps=gaps, independent=(1,), discontinuity=build,
                encoder=f"e{encoder}",
            )  # fmt: skip
            queues.append(told)
        while queues:
            queue = rng.choice(queues)
            entries.append(queue.pop(0))
            queues = [queue for queue in queues if queue]
    return [*entries, End(SEGMENTS * PLAN.segment)]


async def taken_again(log: LiveLog, claim: Claim) -> Claim:
    """The claim of a writer that lost its connection, and may find that out only now."""
    while True:
        claim = replace(claim, take=claim.take + 1)
        try:
            await log.takeover(RUN, claim, 0)
        except Unreachable:
            continue
        return claim


async def same(origins: list[Origin], path: str) -> str:
    """What all of them answer."""
    replies = [await origin.get(path) for origin in origins]
    assert {reply.status_code for reply in replies} == {200}, path
    assert len({reply.content for reply in replies}) == 1, path
    assert len({(reply.headers["etag"], reply.headers["last-modified"]) for reply in replies}) == 1, path
    return replies[0].text


async def everything_listed_is_there(origins: list[Origin]) -> None:
    """Every segment, part and init section, with the same bytes everywhere."""
    for rung in PLAN.rung_names:
        listing = read_playlist(await same(origins, f"{BASE}/{rung}/index.m3u8"))
        for segment in listing.segments:
            await same(origins, f"{BASE}/{rung}/{segment.map}")
            if not segment.gap:
                body = await same(origins, f"{BASE}/{rung}/{segment.uri}")
                assert body.encode() == b"".join(part_bytes(rung, segment.msn, part) for part in range(PARTS))
        for part in listing.parts:
            if not part.gap:
                assert (await same(origins, f"{BASE}/{rung}/{part.uri}")).encode() == part_bytes(
                    rung, part.msn, part.part
                )


async def test_after_every_entry_all_origins_say_the_same_whenever_they_began(place: Place) -> None:
    rng = Random(20)
    log = place.opened()
    model, claim, compared = RunModel(), Claim(Epoch(1, 1), "session", "writer"), 0
    origins = [Origin(place) for _ in range(3)]
    async with asyncio.timeout(45), beside(log.run()), AsyncExitStack() as stack:
        await log.takeover(RUN, claim, 0, open_new=True)
        await log.set_current({StreamId("s1"): RUN})
        for origin in origins:
            await origin.start()
            stack.push_async_callback(origin.stop)
        for n, (entry, _) in enumerate(chained(history(rng)), 1):
            data = part_bytes(entry.rung, entry.msn, entry.part) if isinstance(entry, Part) else None
            staged = await log.stage(RUN, claim, n, Append(entry, data))
            await log.publish(RUN, claim, n)
            model.apply(entry, staged.id)
            if not isinstance(entry, Part | Gap) or not model.lists(entry.rung):
                continue
            if rng.random() < 0.1:
                origin = rng.choice(origins)
                await origin.stop()
                await origin.start()
            reload = f"{BASE}/{entry.rung}/index.m3u8?_HLS_msn={entry.msn}&_HLS_part={entry.part}"
            told = await same(origins, reload)
            assert told == text(model, entry.rung)
            for rung in {*PLAN.rung_names} - {entry.rung}:
                assert await same(origins, f"{BASE}/{rung}/index.m3u8?token=1") == text(model, rung, "?token=1")
            await same(origins, "/live/s1/index.m3u8")
            compared += 1
            if compared % 40 == 0:
                assert told == await same(origins, reload + "&_HLS_skip=YES")
                await everything_listed_is_there(origins)
                place.cut()
                claim = await taken_again(log, claim)
        await asyncio.sleep(0.2)  # for the end, which nobody can wait for
        assert "#EXT-X-ENDLIST" in await same(origins, f"{BASE}/audio/index.m3u8")
        await everything_listed_is_there(origins)
    assert compared > 120
