"""What caches and browsers are told, for every kind of answer."""

import asyncio
import gzip

import pytest

from headrace.core.broadcast import End, Profile, RunId, StreamId
from headrace.livelog.base import LogError
from headrace.origin import http
from headrace.origin.service import Service
from tests.support.asgi import Reply, ask, held, settle
from tests.support.playlists import read_playlist
from tests.support.runs import PlaybackLog, parts_of, plan_of, start_of

PLAN = plan_of(Profile(segment_s=4))
STREAM = StreamId("s1")
RUN = RunId("r1")
BASE = f"/live/{STREAM}/{RUN}"
AUDIO = f"{BASE}/audio/index.m3u8"
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture
async def live(log: PlaybackLog) -> PlaybackLog:
    """Three whole segments of 4 s (0 to 2), of which the first lacks a part in 720p, and two parts of the fourth."""
    log.newest[STREAM] = RUN
    entries = start_of(PLAN)
    for msn, count in enumerate((6, 6, 6, 2)):
        for rung in PLAN.rung_names:
            entries += parts_of(PLAN, rung, msn, count=count, gaps=(1,) if (rung, msn) == ("720p", 0) else ())
    await log.append(RUN, *entries)
    return log


async def listed(origin: Service, rung: str, msn: int) -> str:
    """A segment's URL."""
    listing = read_playlist((await ask(origin.http_app, f"{BASE}/{rung}/index.m3u8")).body.decode())
    return f"{BASE}/{rung}/{listing.segments[msn].uri}"


def lifetime(reply: Reply) -> str:
    return reply.headers["cache-control"].removeprefix("public, max-age=")


async def test_playlists_live_half_a_target_duration(live: PlaybackLog, origin: Service) -> None:
    for url in (f"/live/{STREAM}/index.m3u8", f"{BASE}/index.m3u8", AUDIO):
        reply = await ask(origin.http_app, url)
        assert (reply.status, lifetime(reply)) == (200, "2"), url


async def test_an_answer_to_a_directive_lives_six_target_durations(live: PlaybackLog, origin: Service) -> None:
    at_once = await ask(origin.http_app, f"{AUDIO}?_HLS_msn=3&_HLS_part=1")
    assert (at_once.status, lifetime(at_once)) == (200, "24")
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, f"{AUDIO}?_HLS_msn=3&_HLS_part=2")
        await live.append(RUN, *parts_of(PLAN, "audio", 3, count=3)[2:])
        assert lifetime(await waiting) == "24"


async def test_what_never_gets_another_body_lives_for_ever(live: PlaybackLog, origin: Service) -> None:
    listing = read_playlist((await ask(origin.http_app, AUDIO)).body.decode())
    for name in (listing.segments[0].map, listing.segments[1].uri, listing.parts[-1].uri):
        reply = await ask(origin.http_app, f"{BASE}/audio/{name}")
        assert (reply.status, reply.headers["cache-control"]) == (200, FOR_EVER), name
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["content-length"] == str(len(reply.body))
        some = await ask(origin.http_app, f"{BASE}/audio/{name}", {"range": "bytes=0-1"})
        assert (some.status, some.headers["cache-control"]) == (206, FOR_EVER), name


async def test_every_failure_lives_a_second(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HELD_TARGET_DURATIONS", 0.001)
    gone = await listed(origin, "audio", 0)
    gap = await listed(origin, "720p", 0)
    live.expired.add(("audio", 0))
    for status, url, headers in (
        (400, f"{AUDIO}?_HLS_part=1", {}),
        (400, f"{AUDIO}?_HLS_msn=99", {}),
        (404, gap, {}),
        (404, f"{BASE}/720p/0.1-gap.m4s", {}),
        (404, f"{BASE}/audio/9.0-e1.m4s", {}),
        (404, f"{BASE}/nobody/index.m3u8", {}),
        (410, gone, {}),
        (414, f"{AUDIO}?{'x' * 3000}", {}),
        (416, await listed(origin, "audio", 1), {"range": "bytes=99999999-"}),
        (503, f"{AUDIO}?_HLS_msn=4", {}),
        (503, f"{BASE}/audio/3.2-e1.m4s", {}),
    ):
        reply = await ask(origin.http_app, url, headers)
        assert (reply.status, lifetime(reply)) == (status, "1"), url
        assert ("retry-after" in reply.headers) == (status == 503), url


async def test_what_this_origin_alone_cannot_do_now_is_kept_by_no_cache(live: PlaybackLog, origin: Service) -> None:
    url = await listed(origin, "audio", 2)
    live.failures.append(LogError("down"))
    replies = [await ask(origin.http_app, url)]
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = [await held(group, origin.http_app, f"{AUDIO}?_HLS_msn=3&x={n}") for n in range(3)]
        replies.append(await ask(origin.http_app, f"{AUDIO}?_HLS_msn=3"))
        origin.stop()
        replies += [await task for task in waiting]
    for reply in replies:
        assert (reply.status, reply.headers["cache-control"], reply.headers["retry-after"]) == (503, "no-store", "1")


async def test_what_ended_changes_no_more(live: PlaybackLog, origin: Service) -> None:
    await ask(origin.http_app, AUDIO)
    await live.append(RUN, End(3 * PLAN.segment))
    await settle()
    for url in (AUDIO, f"{AUDIO}?_HLS_msn=99", f"{BASE}/index.m3u8"):
        assert lifetime(await ask(origin.http_app, url)) == "24"
    assert lifetime(await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")) == "2"


async def test_playlists_are_compressed_for_those_who_take_it(live: PlaybackLog, origin: Service) -> None:
    for url in (f"/live/{STREAM}/index.m3u8", f"{BASE}/index.m3u8", AUDIO, f"{AUDIO}?_HLS_msn=3&_HLS_part=1"):
        plain = await ask(origin.http_app, url)
        small = await ask(origin.http_app, url, {"accept-encoding": "br, gzip"})
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert gzip.decompress(small.body) == plain.body
        assert len(small.body) < len(plain.body)
        assert {plain.headers["vary"], small.headers["vary"]} == {"Accept-Encoding"}
        assert plain.headers["etag"] != small.headers["etag"]


async def test_a_blocked_reload_is_compressed_too(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        url = f"{AUDIO}?_HLS_msn=3&_HLS_part=2"
        waiting = group.create_task(ask(origin.http_app, url, {"accept-encoding": "gzip"}))
        await settle()
        await live.append(RUN, *parts_of(PLAN, "audio", 3, count=3)[2:])
        assert b'URI="3.2-e1.m4s"' in gzip.decompress((await waiting).body)


async def test_scripts_may_read_every_answer_and_the_headers_that_players_need(
    live: PlaybackLog, origin: Service
) -> None:
    for url in (
        f"/live/{STREAM}/index.m3u8",
        AUDIO,
        f"{AUDIO}?_HLS_msn=3&_HLS_part=1",
        f"{AUDIO}?_HLS_part=1",
        await listed(origin, "audio", 0),
        f"{BASE}/audio/3.1-e1.m4s",
        f"{BASE}/audio/9.9-e1.m4s",
        "/live/nobody/index.m3u8",
    ):
        reply = await ask(origin.http_app, url)
        assert reply.headers["access-control-allow-origin"] == "*", url
        exposed = set(reply.headers["access-control-expose-headers"].split(", "))
        assert exposed == {"Age", "Date", "Content-Length", "Content-Range"}, url


async def test_head_has_the_headers_of_get_for_every_kind_of_answer(live: PlaybackLog, origin: Service) -> None:
    for url in (
        AUDIO,
        f"{AUDIO}?_HLS_msn=3&_HLS_part=1",
        f"{AUDIO}?_HLS_msn=99",
        await listed(origin, "audio", 0),
        await listed(origin, "720p", 0),
        f"{BASE}/audio/3.1-e1.m4s",
        f"{BASE}/audio/9.9-e1.m4s",
    ):
        for headers in ({}, {"accept-encoding": "gzip"}):
            get = await ask(origin.http_app, url, headers)
            head = await ask(origin.http_app, url, headers, "HEAD")
            assert (head.status, head.headers, head.body) == (get.status, get.headers, b""), url


async def test_an_unchanged_answer_to_a_directive_is_304(live: PlaybackLog, origin: Service) -> None:
    url = f"{AUDIO}?_HLS_msn=3&_HLS_part=1"
    first = await ask(origin.http_app, url)
    again = await ask(origin.http_app, url, {"if-none-match": first.headers["etag"]})
    assert (again.status, again.body, lifetime(again)) == (304, b"", "24")
