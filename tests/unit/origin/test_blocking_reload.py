"""Reloads that wait for what comes next."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import End, Entry, RunId
from headrace.core.hls.playlist import RunModel
from headrace.origin import http
from headrace.origin.blocking import Directives
from headrace.origin.service import Service
from tests.support.asgi import Reply, ask, held, settle
from tests.support.runs import PlaybackLog, parts_of, plan_of, start_of, whole_run

PLAN = plan_of()
RUN = RunId("r1")
BASE = f"/live/s1/{RUN}"
URL = f"{BASE}/audio/index.m3u8"
PLACES = 3  # as many as the fixture's origin lets wait


@pytest.fixture
async def live(log: PlaybackLog) -> PlaybackLog:
    """A run of three whole segments (0 to 2) in every rendition, and two parts of the fourth (3)."""
    await log.append(RUN, *whole_run(PLAN, 3), *(e for rung in PLAN.rung_names for e in part(rung, 3, 0, 2)))
    return log


def part(rung: str, msn: int, first: int, count: int = 1) -> list[Entry]:
    """`count` parts of a rung's segment of six, from `first` on."""
    return parts_of(PLAN, rung, msn, count=first + count)[first:]


def newest(reply: Reply) -> str:
    """The last part that a playlist lists, as `msn.part`."""
    line = next(line for line in reversed(reply.body.decode().split("\n")) if line.startswith("#EXT-X-PART:"))
    return line.split('URI="')[1].split("-")[0]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An origin that holds nothing for longer than a moment."""
    monkeypatch.setattr(http, "HELD_TARGET_DURATIONS", 0.01)


async def test_a_part_is_waited_for_until_it_is_there(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, f"{URL}?_HLS_msn=3&_HLS_part=3")
        await live.append(RUN, *part("audio", 3, 2))
        await settle()
        assert not waiting.done()
        await live.append(RUN, *part("audio", 3, 3))
        reply = await waiting
    assert (reply.status, newest(reply)) == (200, "3.3")


async def test_a_segment_is_waited_for_until_it_is_whole(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, f"{URL}?_HLS_msn=3")
        await live.append(RUN, *part("audio", 3, 2, 3))
        await settle()
        assert not waiting.done()
        await live.append(RUN, *part("audio", 3, 5))
        reply = await waiting
    assert (reply.status, newest(reply)) == (200, "3.5")
    assert b"\n3-" in reply.body


async def test_a_part_beyond_the_segments_last_is_the_first_of_the_next(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, f"{URL}?_HLS_msn=3&_HLS_part=6")
        await live.append(RUN, *part("audio", 3, 2, 4))
        await settle()
        assert not waiting.done()
        await live.append(RUN, *part("audio", 4, 0))
        reply = await waiting
    assert (reply.status, newest(reply)) == (200, "4.0")


@pytest.mark.parametrize("asked", ["_HLS_msn=2", "_HLS_msn=3&_HLS_part=1", "_HLS_msn=0&_HLS_part=99", "_HLS_msn=1"])
async def test_what_is_listed_already_is_answered_at_once(live: PlaybackLog, origin: Service, asked: str) -> None:
    reply = await ask(origin.http_app, f"{URL}?{asked}")
    assert (reply.status, reply.body) == (200, (await ask(origin.http_app, URL)).body)


async def test_what_has_left_the_window_is_answered_with_the_whole_playlist(log: PlaybackLog, origin: Service) -> None:
    await log.append(RUN, *whole_run(plan_of(window_s=20), 20))
    for asked in ("_HLS_msn=0", "_HLS_msn=9", "_HLS_msn=0&_HLS_part=2"):
        reply = await ask(origin.http_app, f"{URL}?{asked}")
        assert (reply.status, b"\n10-" in reply.body, b"\n9-" in reply.body) == (200, True, False)


@pytest.mark.parametrize(
    "asked",
    [
        "_HLS_part=1",
        "_HLS_msn=x",
        "_HLS_msn=3&_HLS_part=x",
        "_HLS_msn=3&_HLS_msn=3",
        "_HLS_msn=5",
        "_HLS_msn=5&_HLS_part=0",
        "_HLS_msn=3&_HLS_part=11",
        "_HLS_msn=4&_HLS_part=9",
    ],
)
async def test_what_cannot_come_soon_is_the_clients_error_at_once(
    live: PlaybackLog, origin: Service, asked: str
) -> None:
    async with asyncio.timeout(1):
        reply = await ask(origin.http_app, f"{URL}?{asked}")
    assert (reply.status, reply.headers["cache-control"]) == (400, "public, max-age=1")
    assert reply.body


@pytest.mark.parametrize(
    "asked", ["_HLS_msn=4", "_HLS_msn=3&_HLS_part=10", "_HLS_msn=4&_HLS_part=8", "_HLS_msn=2&_HLS_part=99"]
)
async def test_the_furthest_that_may_be_asked_for_is_no_error(
    live: PlaybackLog, origin: Service, impatient: None, asked: str
) -> None:
    assert (await ask(origin.http_app, f"{URL}?{asked}")).status in (200, 503)


async def test_a_directive_that_makes_no_sense_is_refused_before_anything_is_listed(
    log: PlaybackLog, origin: Service
) -> None:
    await log.append(RUN, *start_of(PLAN))
    async with asyncio.timeout(1):
        assert (await ask(origin.http_app, f"{URL}?_HLS_part=1")).status == 400


async def test_what_does_not_come_is_503_with_a_time_to_come_back(
    live: PlaybackLog, origin: Service, impatient: None
) -> None:
    for asked in ("_HLS_msn=3", "_HLS_msn=3&_HLS_part=2"):
        reply = await ask(origin.http_app, f"{URL}?{asked}")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.headers["cache-control"] == "public, max-age=1"


async def test_a_reload_is_held_for_three_target_durations(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float] = []
    timeout = asyncio.timeout

    def noted(delay: float) -> asyncio.Timeout:
        deadlines.append(delay)
        return timeout(0)

    monkeypatch.setattr("headrace.origin.follower.asyncio.timeout", noted)
    await ask(origin.http_app, URL)
    deadlines.clear()
    assert (await ask(origin.http_app, f"{URL}?_HLS_msn=3")).status == 503
    assert deadlines == [3 * PLAN.target_duration_s]


async def test_the_end_wakes_all_who_wait_with_the_last_playlist(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = [
            await held(group, origin.http_app, f"{BASE}/{rung}/index.m3u8?{asked}")
            for rung, asked in (("audio", "_HLS_msn=4"), ("audio", "_HLS_msn=3&_HLS_part=2"), ("720p", "_HLS_msn=3"))
        ]
        await live.append(RUN, End(3 * PLAN.segment))
        replies = [await task for task in waiting]
    assert [reply.status for reply in replies] == [200] * 3
    assert all(reply.body.endswith(b"\n#EXT-X-ENDLIST\n") for reply in replies)


@pytest.mark.parametrize("asked", ["_HLS_msn=999", "_HLS_msn=4&_HLS_part=0", "_HLS_part=1", "_HLS_msn=x"])
async def test_after_the_end_directives_say_nothing(live: PlaybackLog, origin: Service, asked: str) -> None:
    await live.append(RUN, End(3 * PLAN.segment))
    await ask(origin.http_app, URL)
    await settle()
    reply = await ask(origin.http_app, f"{URL}?{asked}")
    assert (reply.status, reply.headers["cache-control"]) == (200, "public, max-age=12")
    assert reply.body.endswith(b"\n#EXT-X-ENDLIST\n")


async def test_an_origin_that_stops_lets_all_go(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        reload = await held(group, origin.http_app, f"{URL}?_HLS_msn=3")
        hinted = await held(group, origin.http_app, f"{BASE}/720p/3.2-e1.m4s")
        origin.stop()
        for reply in (await reload, await hinted):
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            assert b"stops" in reply.body


def said(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"headrace_origin_{name}", labels)
    assert value is not None
    return value


async def test_no_more_wait_than_may_and_their_places_are_given_back(live: PlaybackLog, origin: Service) -> None:
    refused = said("refused_requests_total", reason="too_many_waiting")
    assert said("waiting_limit_requests") == PLACES
    for msn in (3, 4):
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            urls = [f"{URL}?_HLS_msn={msn}", f"{URL}?_HLS_msn={msn}&_HLS_part=5", f"{BASE}/audio/{msn}.2-e1.m4s"]
            waiting = [await held(group, origin.http_app, url) for url in urls]
            assert len(waiting) == said("waiting_requests") == PLACES
            for url in (f"{BASE}/720p/index.m3u8?_HLS_msn={msn}", f"{BASE}/720p/{msn}.2-e1.m4s"):
                reply = await ask(origin.http_app, url)
                assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            assert (await ask(origin.http_app, f"{URL}?_HLS_msn=2")).status == 200  # it need not wait
            for rung in PLAN.rung_names:
                await live.append(RUN, *part(rung, msn, 2, 4), *part(rung, msn + 1, 0, 2))
            assert [(await task).status for task in waiting] == [200] * PLACES
    assert said("waiting_requests") == 0
    assert said("refused_requests_total", reason="too_many_waiting") == refused + 2 * 2


async def test_who_waited_in_vain_gives_the_place_back(live: PlaybackLog, origin: Service, impatient: None) -> None:
    for _ in range(PLACES + 1):
        reply = await ask(origin.http_app, f"{URL}?_HLS_msn=3")
        assert b"late" in reply.body


async def test_a_request_that_is_given_up_gives_its_place_back(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        for _ in range(PLACES + 1):
            waiting = await held(group, origin.http_app, f"{URL}?_HLS_msn=3")
            waiting.cancel()
            await settle()


async def test_the_parts_of_another_rendition_wake_nobody(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    shown = Directives.shown

    def noted(self: Directives, model: RunModel, rung: str) -> bool:
        looked.append(rung)
        return shown(self, model, rung)

    monkeypatch.setattr(Directives, "shown", noted)
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, f"{URL}?_HLS_msn=3&_HLS_part=3")
        looked.clear()
        await live.append(RUN, *part("720p", 3, 2))
        await settle()
        assert looked == []
        await live.append(RUN, *part("audio", 3, 2))
        await settle()
        assert looked == ["audio"]
        await live.append(RUN, *part("audio", 3, 3))
        assert newest(await waiting) == "3.3"


async def test_head_waits_as_get_does_and_has_its_headers(live: PlaybackLog, origin: Service) -> None:
    for number, url in ((2, f"{URL}?_HLS_msn=3&_HLS_part=2"), (3, f"{BASE}/audio/3.3-e1.m4s")):
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            head = await held(group, origin.http_app, url, "HEAD")
            get = await held(group, origin.http_app, url)
            await live.append(RUN, *part("audio", 3, number))
            assert ((await head).status, (await head).body) == (200, b"")
            assert (await head).headers == (await get).headers
