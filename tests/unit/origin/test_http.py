"""The origin as a player or a CDN sees it."""

import asyncio
import gzip
import re

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import End, Profile, RunId, StreamId
from headrace.livelog.base import LogError
from headrace.origin import http
from headrace.origin.service import Service
from tests.support.asgi import ask, held
from tests.support.playlists import read_playlist
from tests.support.runs import PlaybackLog, part_bytes, parts_of, plan_of, start_of, whole_run

PLAN = plan_of()
STREAM = StreamId("s1")
RUN = RunId("r1")
BASE = f"/live/{STREAM}/{RUN}"


@pytest.fixture
async def live(log: PlaybackLog) -> PlaybackLog:
    """A stream whose run has three whole segments."""
    log.newest[STREAM] = RUN
    await log.append(RUN, *whole_run(PLAN, 3))
    return log


async def uris(origin: Service, url: str) -> list[str]:
    text = (await ask(origin.http_app, url)).body.decode()
    return [line for line in text.split("\n") if line and not line.startswith("#")]


async def test_an_operator_finds_the_probes_beside_the_media(origin: Service) -> None:
    assert (await ask(origin.http_app, "/livez")).status == 200
    assert (await ask(origin.http_app, "/readyz")).status == 200
    assert b"headrace_origin_" in (await ask(origin.http_app, "/metrics")).body


async def test_a_player_finds_its_way_from_the_streams_url_to_every_byte(live: PlaybackLog, origin: Service) -> None:
    master = await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")
    assert master.status == 200
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    children = re.findall(r'(?m)^(?!#).+$|(?<=URI=")[^"]+', master.body.decode())
    assert len(children) == len(PLAN.rung_names)
    for child in children:
        url = f"/live/{STREAM}/{child}"
        rung = child.split("/")[-2]
        listing = read_playlist((await ask(origin.http_app, url)).body.decode())
        init = await ask(origin.http_app, url.replace("index.m3u8", listing.segments[0].map))
        assert (init.status, init.body) == (200, f"init {rung} ".encode())
        for segment in listing.segments:
            got = await ask(origin.http_app, url.replace("index.m3u8", segment.uri))
            assert got.body == b"".join(part_bytes(rung, segment.msn, part) for part in range(6))
            assert got.headers["content-type"] == ("audio/mp4" if rung == "audio" else "video/mp4")
            assert got.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_a_runs_own_url_lists_the_same_renditions(live: PlaybackLog, origin: Service) -> None:
    by_stream = await uris(origin, f"/live/{STREAM}/index.m3u8")
    by_run = await uris(origin, f"{BASE}/index.m3u8")
    assert by_stream == [f"{RUN}/{uri}" for uri in by_run]


async def test_head_has_the_headers_of_get_and_no_body(live: PlaybackLog, origin: Service) -> None:
    for url in (f"/live/{STREAM}/index.m3u8", f"{BASE}/audio/index.m3u8", f"{BASE}/audio/nothing"):
        get, head = await ask(origin.http_app, url), await ask(origin.http_app, url, method="HEAD")
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


async def test_a_range_is_for_get_alone(live: PlaybackLog, origin: Service) -> None:
    (segment, *_) = await uris(origin, f"{BASE}/audio/index.m3u8")
    asked = {"range": "bytes=0-3"}
    assert (await ask(origin.http_app, f"{BASE}/audio/{segment}", asked)).status == 206
    assert (await ask(origin.http_app, f"{BASE}/audio/{segment}", asked, "HEAD")).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "get"])
async def test_other_methods_are_refused_with_the_allowed_ones(origin: Service, method: str) -> None:
    reply = await ask(origin.http_app, f"/live/{STREAM}/index.m3u8", method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_browsers_may_ask_before_they_ask(origin: Service) -> None:
    reply = await ask(origin.http_app, f"{BASE}/audio/index.m3u8", {"origin": "https://example.org"}, "OPTIONS")
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "GET" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-headers"] == "*"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/live/nobody/index.m3u8",
        f"/live/{STREAM}/nobody/index.m3u8",
        f"{BASE}/nobody/index.m3u8",
        f"{BASE}/audio/init-00000000.mp4",
        f"{BASE}/nobody/init-00000000.mp4",
        f"{BASE}/audio/0-000000000000.m4s",
        f"{BASE}/audio/99-000000000000.m4s",
        f"{BASE}/nobody/0-000000000000.m4s",
        f"{BASE}/%2e%2e/index.m3u8",
    ],
)
async def test_what_is_not_there_is_404_at_once_and_shortly_cached(
    live: PlaybackLog, origin: Service, path: str
) -> None:
    async with asyncio.timeout(1):
        reply = await ask(origin.http_app, path)
    assert reply.status == 404
    assert reply.headers["cache-control"] == "public, max-age=1"
    assert reply.body


async def test_a_gap_is_listed_and_is_404(log: PlaybackLog, origin: Service) -> None:
    entries = start_of(PLAN)
    for rung in PLAN.rung_names:
        entries += parts_of(PLAN, rung, 0, gaps=(2,) if rung == "audio" else ())
    await log.append(RUN, *entries)
    listing = read_playlist((await ask(origin.http_app, f"{BASE}/audio/index.m3u8")).body.decode())
    assert listing.segments[0].gap
    assert (await ask(origin.http_app, f"{BASE}/audio/{listing.segments[0].uri}")).status == 404


async def test_a_segment_whose_bytes_expired_is_gone(live: PlaybackLog, origin: Service) -> None:
    (segment, *_) = await uris(origin, f"{BASE}/audio/index.m3u8")
    live.expired.add(("audio", 0))
    reply = await ask(origin.http_app, f"{BASE}/audio/{segment}")
    assert (reply.status, reply.headers["cache-control"]) == (410, "public, max-age=1")


async def test_playlists_live_half_a_target_duration_in_caches(log: PlaybackLog, origin: Service) -> None:
    plan = plan_of(Profile(segment_s=6))
    log.newest[STREAM] = RUN
    await log.append(RUN, *whole_run(plan, 3))
    for url in (f"/live/{STREAM}/index.m3u8", f"{BASE}/index.m3u8", f"{BASE}/audio/index.m3u8"):
        assert (await ask(origin.http_app, url)).headers["cache-control"] == "public, max-age=3"


async def test_an_ended_run_lives_longer_in_caches_but_not_under_the_streams_url(
    live: PlaybackLog, origin: Service
) -> None:
    await live.append(RUN, End(3 * PLAN.segment))
    for url in (f"{BASE}/index.m3u8", f"{BASE}/audio/index.m3u8"):
        assert (await ask(origin.http_app, url)).headers["cache-control"] == "public, max-age=12"
    reply = await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")
    assert reply.headers["cache-control"] == "public, max-age=1"


async def test_the_end_shows_in_every_rendition(live: PlaybackLog, origin: Service) -> None:
    urls = [f"{BASE}/{rung}/index.m3u8" for rung in PLAN.rung_names]
    assert not any([b"ENDLIST" in (await ask(origin.http_app, url)).body for url in urls])
    await live.append(RUN, End(3 * PLAN.segment))
    await asyncio.sleep(0)
    assert all([(await ask(origin.http_app, url)).body.endswith(b"\n#EXT-X-ENDLIST\n") for url in urls])


async def test_an_unchanged_playlist_is_304_and_a_changed_one_is_not(live: PlaybackLog, origin: Service) -> None:
    url = f"{BASE}/audio/index.m3u8"
    first = await ask(origin.http_app, url, {"accept-encoding": "gzip"})
    again = {"accept-encoding": "gzip", "if-none-match": first.headers["etag"]}
    assert (await ask(origin.http_app, url, again)).status == 304
    await live.append(RUN, *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 3)))
    await asyncio.sleep(0)
    changed = await ask(origin.http_app, url, again)
    assert changed.status == 200
    assert gzip.decompress(changed.body) != gzip.decompress(first.body)


async def test_tokens_are_echoed_into_children_and_directives_are_not(live: PlaybackLog, origin: Service) -> None:
    master = await uris(origin, f"/live/{STREAM}/index.m3u8?token=t%22&_HLS_msn=4")
    assert all(uri.endswith("/index.m3u8?token=t%22") for uri in master)
    segments = await uris(origin, f"{BASE}/audio/index.m3u8?_HLS_msn=0&_HLS_part=4&token=t")
    assert all(uri.endswith(".m4s?token=t") for uri in segments)
    assert (await ask(origin.http_app, f"{BASE}/audio/{segments[0]}")).status == 200


async def test_a_query_too_long_to_echo_is_refused(live: PlaybackLog, origin: Service) -> None:
    assert (await ask(origin.http_app, f"/live/{STREAM}/index.m3u8?a={'x' * 3000}")).status == 414


@pytest.mark.parametrize("url", [f"/live/{STREAM}/index.m3u8", f"{BASE}/index.m3u8", f"{BASE}/audio/index.m3u8"])
async def test_a_player_that_comes_before_the_first_segment_waits_for_it(
    log: PlaybackLog, origin: Service, url: str
) -> None:
    log.newest[STREAM] = RUN
    await log.append(RUN, *start_of(PLAN))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = await held(group, origin.http_app, url)
        await log.append(RUN, *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 0)))
        assert (await task).status == 200


async def test_a_player_that_comes_before_the_runs_first_entry_waits_for_it(
    log: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ASK_AGAIN_S", 0.01)
    log.newest[STREAM] = RUN
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = await held(group, origin.http_app, f"/live/{STREAM}/index.m3u8")
        await log.append(RUN, *whole_run(PLAN, 1))
        assert (await task).status == 200


async def test_a_run_that_stays_silent_is_404_with_a_time_to_come_back(
    log: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "NEWCOMER_WAIT_S", 0.05)
    monkeypatch.setattr(http, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(http, "ASK_AGAIN_S", 0.01)
    log.newest[STREAM] = RUN
    for entries in ((), start_of(PLAN)):
        await log.append(RUN, *entries) if entries else None
        reply = await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")
        assert (reply.status, reply.headers["retry-after"]) == (404, "1")


async def test_a_run_that_ends_with_nothing_to_see_lets_its_waiters_go(log: PlaybackLog, origin: Service) -> None:
    await log.append(RUN, *start_of(PLAN))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = await held(group, origin.http_app, f"{BASE}/audio/index.m3u8")
        await log.append(RUN, End(0))
        assert (await task).status == 404


async def test_waiters_are_let_go_when_the_origin_stops(log: PlaybackLog, origin: Service) -> None:
    await log.append(RUN, *start_of(PLAN))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        task = await held(group, origin.http_app, f"{BASE}/audio/index.m3u8")
        origin.stop()
        assert (await task).status == 503
    assert (await ask(origin.http_app, f"{BASE}/audio/index.m3u8")).status == 503


async def test_no_more_wait_than_may(log: PlaybackLog, origin: Service) -> None:
    await log.append(RUN, *start_of(PLAN))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = [await held(group, origin.http_app, f"{BASE}/audio/index.m3u8") for _ in range(3)]
        reply = await ask(origin.http_app, f"{BASE}/audio/index.m3u8")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        await log.append(RUN, *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 0)))
        assert [(await task).status for task in waiting] == [200] * 3


async def test_a_log_that_fails_is_503_and_its_return_is_noticed(live: PlaybackLog, origin: Service) -> None:
    live.failures.append(LogError("down"))
    reply = await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert (await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")).status == 200


async def test_a_bug_is_one_500_and_not_the_end_of_the_server(live: PlaybackLog, origin: Service) -> None:
    live.failures.append(RuntimeError("a bug"))
    assert (await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")).status == 500
    assert (await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")).status == 200


async def test_the_newest_run_is_looked_up_once_a_second(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await ask(origin.http_app, f"/live/{STREAM}/index.m3u8")
    assert live.calls["current"] == 1


async def test_a_new_run_takes_the_streams_url_over(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.origin.current.REMEMBERED_S", 0.0)
    assert all(uri.startswith("r1/") for uri in await uris(origin, f"/live/{STREAM}/index.m3u8"))
    await live.append("r2", *whole_run(PLAN, 1))
    live.newest[STREAM] = RunId("r2")
    assert all(uri.startswith("r2/") for uri in await uris(origin, f"/live/{STREAM}/index.m3u8"))


async def test_requests_and_bytes_are_counted_by_kind_without_names(live: PlaybackLog, origin: Service) -> None:
    def counted(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    requests = counted("headrace_origin_requests_total", kind="playlist", status="2xx")
    missed = counted("headrace_origin_requests_total", kind="other", status="4xx")
    sent = counted("headrace_origin_sent_bytes_total", kind="playlist")
    reply = await ask(origin.http_app, f"{BASE}/audio/index.m3u8")
    await ask(origin.http_app, f"{BASE}/audio/index.m3u8", method="HEAD")
    await ask(origin.http_app, "/live/what/ever")
    assert counted("headrace_origin_requests_total", kind="playlist", status="2xx") == requests + 2
    assert counted("headrace_origin_requests_total", kind="other", status="4xx") == missed + 1
    assert counted("headrace_origin_sent_bytes_total", kind="playlist") == sent + len(reply.body)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", f"{BASE}/audio/index.m3u8", 405, "this can only be read"),
        ("GET", f"/live/{STREAM}/index.m3u9", 404, "there is nothing of this name"),
        ("GET", "/live/sk_mfzwizltoqqge3dvon2ge3dbon2ge3db/index.m3u8", 404, "the stream has not been live"),
        ("GET", f"/live/{STREAM}/nobody/audio/index.m3u8", 404, "there is no such run"),
        ("GET", f"{BASE}/nobody/index.m3u8", 404, "the run has no such rendition"),
        ("GET", f"{BASE}/audio/init-00000000.mp4", 404, "there is no such init section"),
        ("GET", f"{BASE}/audio/99-000000000000.m4s", 404, "there is no such segment"),
        ("GET", f"{BASE}/audio/index.m3u8?_HLS_msn=100000", 400, "that is too far ahead of the playlist"),
        ("GET", f"{BASE}/audio/index.m3u8?x={'y' * 5000}", 414, "the query is longer than 2048 bytes"),
    ],
)
async def test_a_player_is_told_in_one_sentence_what_is_wrong(
    live: PlaybackLog, origin: Service, method: str, path: str, status: int, words: str
) -> None:
    reply = await ask(origin.http_app, path, method=method)
    assert (reply.status, reply.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert reply.body.decode() == f"{words}\n"
