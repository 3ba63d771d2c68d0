"""The origin behind the real HTTP server, on a loopback port."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest

from headrace.core.broadcast import End, RunId, StreamId
from headrace.livelog.base import LiveLog
from headrace.origin.service import build
from headrace.origin.settings import OriginSettings
from headrace.runtime.http import serve_http
from headrace.runtime.lifecycle import listen_tcp
from tests.support.playlists import read_playlist
from tests.support.runs import PlaybackLog, part_bytes, parts_of, plan_of, start_of, whole_run

PLAN = plan_of()
RUN = "r1"
BASE = f"/live/s1/{RUN}"


@pytest.fixture
def log() -> PlaybackLog:
    return PlaybackLog(newest={StreamId("s1"): RunId(RUN)})


@pytest.fixture
async def client(log: PlaybackLog) -> AsyncIterator[httpx.AsyncClient]:
    service = build(OriginSettings(), log=cast(LiveLog, log))
    sock = listen_tcp("127.0.0.1", 0, "HTTP")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(service.run())
        serving = group.create_task(serve_http(service.http_app, sock))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as made:
            yield made
        running.cancel()
        serving.cancel()


async def test_a_viewer_gets_playlists_and_bytes(log: PlaybackLog, client: httpx.AsyncClient) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    master = await client.get("/live/s1/index.m3u8")
    assert master.headers["content-encoding"] == "gzip"
    assert master.text.count("#EXT-X-STREAM-INF") == len(PLAN.video)
    listing = read_playlist((await client.get(f"{BASE}/720p/index.m3u8")).text)
    segment = await client.get(f"{BASE}/720p/{listing.segments[2].uri}")
    assert segment.content == b"".join(part_bytes("720p", 2, part) for part in range(6))
    part = await client.get(f"{BASE}/720p/{listing.segments[2].uri}", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, segment.content[5:10])


async def test_each_answer_has_one_date_one_length_and_no_transfer_coding(
    log: PlaybackLog, client: httpx.AsyncClient
) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    for method in ("GET", "HEAD"):
        for path in ("/live/s1/index.m3u8", f"{BASE}/audio/index.m3u8", "/live/nobody/index.m3u8"):
            headers = (await client.request(method, path)).headers
            assert len(headers.get_list("date")) == 1
            assert len(headers.get_list("content-length")) == 1
            assert "transfer-encoding" not in headers


async def test_an_unchanged_playlist_is_not_sent_again(log: PlaybackLog, client: httpx.AsyncClient) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    first = await client.get(f"{BASE}/audio/index.m3u8")
    again = await client.get(f"{BASE}/audio/index.m3u8", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_climbing_out_of_the_tree_leads_nowhere(client: httpx.AsyncClient) -> None:
    for path in ("/live/s1/%2e%2e/%2e%2e/etc/passwd", "/live/s1/..%2f..%2findex.m3u8", "/live/s1/r1/%00/index.m3u8"):
        assert (await client.get(path)).status_code == 404


async def test_a_viewer_who_waits_sees_the_first_segment_and_the_end(
    log: PlaybackLog, client: httpx.AsyncClient
) -> None:
    await log.append(RUN, *start_of(PLAN))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(client.get("/live/s1/index.m3u8"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await log.append(RUN, *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 0)))
    assert waiting.result().status_code == 200
    await log.append(RUN, End(PLAN.segment))
    for rung in PLAN.rung_names:
        assert (await client.get(f"{BASE}/{rung}/index.m3u8")).text.endswith("#EXT-X-ENDLIST\n")


async def test_a_held_reload_and_a_held_hint_are_answered_with_the_part(
    log: PlaybackLog, client: httpx.AsyncClient
) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    async with asyncio.TaskGroup() as group:
        reload = group.create_task(client.get(f"{BASE}/audio/index.m3u8?_HLS_msn=3&_HLS_part=0"))
        hinted = group.create_task(client.get(f"{BASE}/audio/3.0-e1.m4s"))
        await waiting(client, 2)
        await log.append(RUN, *parts_of(PLAN, "audio", 3, count=1))
    assert read_playlist(reload.result().text).parts[-1].uri == "3.0-e1.m4s"
    assert reload.result().headers["content-encoding"] == "gzip"
    assert hinted.result().content == part_bytes("audio", 3, 0)
    assert hinted.result().headers["content-length"] == str(len(part_bytes("audio", 3, 0)))


async def test_who_hangs_up_gives_the_place_back_at_once(log: PlaybackLog, client: httpx.AsyncClient) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    asking = [
        asyncio.create_task(client.get(f"{BASE}/audio/index.m3u8?_HLS_msn=3&_HLS_part=0", timeout=60)) for _ in range(3)
    ]
    await waiting(client, 3)
    for left, task in zip((2, 1, 0), asking, strict=True):
        task.cancel()
        await waiting(client, left)
    await log.append(RUN, *parts_of(PLAN, "audio", 3, count=1))
    assert (await client.get(f"{BASE}/audio/index.m3u8?_HLS_msn=3&_HLS_part=0")).status_code == 200


async def waiting(client: httpx.AsyncClient, count: int) -> None:
    """Return when so many requests wait."""
    async with asyncio.timeout(5):
        while f"headrace_origin_waiting_requests {count}.0" not in (await client.get("/metrics")).text:
            pass
