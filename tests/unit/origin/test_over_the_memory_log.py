"""Origins over the log of one machine, whose window moves under them."""

import asyncio

from headrace.core.broadcast import Claim, End, Entry, Epoch, Part, RunId, StreamId
from headrace.livelog.base import Append
from headrace.livelog.memory import MemoryLog
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from tests.support.asgi import ask, held
from tests.support.playlists import read_playlist
from tests.support.runs import part_bytes, parts_of, plan_of, start_of

RUN = RunId("r1")
BASE = f"/live/s1/{RUN}"
CLAIM = Claim(Epoch(1, 1), "session", "writer")
PLAN = plan_of(window_s=20)


class Writer:
    """Appends to the run, entry by entry."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.n = 0

    async def append(self, *entries: Entry) -> None:
        for entry in entries:
            self.n += 1
            data = part_bytes(entry.rung, entry.msn, entry.part) if isinstance(entry, Part) else None
            await self.log.stage(RUN, CLAIM, self.n, Append(entry, data))
            await self.log.publish(RUN, CLAIM, self.n)

    async def segment(self, msn: int) -> None:
        await self.append(*(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, msn)))
        await asyncio.sleep(0.001)


async def texts(origin: Service) -> dict[str, bytes]:
    urls = ["/live/s1/index.m3u8", *(f"{BASE}/{rung}/index.m3u8" for rung in PLAN.rung_names)]
    replies = {url: await ask(origin.http_app, url) for url in urls}
    assert {reply.status for reply in replies.values()} == {200}
    return {url: reply.body for url, reply in replies.items()}


async def test_an_origin_that_comes_late_says_the_same_and_every_listed_segment_is_there() -> None:
    log = MemoryLog()
    await log.takeover(RUN, CLAIM, 0, open_new=True)
    await log.set_current({StreamId("s1"): RUN})
    writer = Writer(log)
    await writer.append(*start_of(PLAN))
    early, late = (build(OriginSettings(), log=log) for _ in range(2))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for origin in (early, late):
            group.create_task(origin.run())
        for msn in range(30):
            await writer.segment(msn)
            if msn == 0:
                await texts(early)
        assert await texts(early) == await texts(late)
        for rung in PLAN.rung_names:
            listing = read_playlist((await ask(late.http_app, f"{BASE}/{rung}/index.m3u8")).body.decode())
            assert [segment.msn for segment in listing.segments] == list(range(20, 30))
            for segment in listing.segments:
                reply = await ask(late.http_app, f"{BASE}/{rung}/{segment.uri}")
                assert reply.body == b"".join(part_bytes(rung, segment.msn, part) for part in range(6))
        await writer.append(End(30 * PLAN.segment))
        await asyncio.sleep(0.001)
        ended = await texts(early)
        assert ended == await texts(late)
        assert all(b"ENDLIST" in body for url, body in ended.items() if "/s1/r1/" in url)
        for origin in (early, late):
            origin.stop()


async def test_a_log_without_room_for_the_window_lists_what_it_holds_on_every_origin() -> None:
    log = MemoryLog(max_bytes=200_000)
    await log.takeover(RUN, CLAIM, 0, open_new=True)
    await log.set_current({StreamId("s1"): RUN})
    writer = Writer(log)
    await writer.append(*start_of(PLAN))
    early, late = (build(OriginSettings(), log=log) for _ in range(2))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for origin in (early, late):
            group.create_task(origin.run())
        for msn in range(30):
            await writer.segment(msn)
            if msn == 0:
                await texts(early)
        assert await texts(early) == await texts(late)
        for rung in PLAN.rung_names:
            listing = read_playlist((await ask(early.http_app, f"{BASE}/{rung}/index.m3u8")).body.decode())
            assert 6 <= len(listing.segments) < 20
            assert listing.segments[-1].msn == 29
            for segment in listing.segments:
                assert (await ask(early.http_app, f"{BASE}/{rung}/{segment.uri}")).status == 200
        for origin in (early, late):
            origin.stop()


async def test_two_origins_answer_those_who_wait_with_the_same_bytes() -> None:
    log = MemoryLog()
    await log.takeover(RUN, CLAIM, 0, open_new=True)
    writer = Writer(log)
    await writer.append(*start_of(PLAN))
    await writer.segment(0)
    origins = [build(OriginSettings(), log=log) for _ in range(2)]
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for origin in origins:
            group.create_task(origin.run())
            assert (await ask(origin.http_app, f"{BASE}/audio/index.m3u8")).status == 200
        for msn, part in ((1, 0), (1, 1), (1, 2)):
            urls = [f"{BASE}/audio/index.m3u8?_HLS_msn={msn}&_HLS_part={part}", f"{BASE}/audio/{msn}.{part}-e1.m4s"]
            waiting = [[await held(group, origin.http_app, url) for origin in origins] for url in urls]
            await writer.append(parts_of(PLAN, "audio", msn, count=part + 1)[part])
            for url, tasks in zip(urls, waiting, strict=True):
                replies = [await task for task in tasks]
                assert {reply.status for reply in replies} == {200}, url
                assert len({(reply.body, reply.headers["etag"]) for reply in replies}) == 1, url
        for origin in origins:
            origin.stop()


async def test_a_run_that_ended_before_it_began_has_nothing_to_see() -> None:
    log = MemoryLog()
    await log.takeover(RUN, CLAIM, 0, open_new=True)
    await log.set_current({StreamId("s1"): RUN})
    await Writer(log).append(End(0))
    origin = build(OriginSettings(), log=log)
    async with asyncio.timeout(3), asyncio.TaskGroup() as group:
        running = group.create_task(origin.run())
        for url in ("/live/s1/index.m3u8", f"{BASE}/index.m3u8", f"{BASE}/720p/index.m3u8"):
            reply = await ask(origin.http_app, url)
            assert (reply.status, b"ended before" in reply.body) == (404, True)
        running.cancel()
