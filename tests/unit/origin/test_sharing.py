"""The shorter way to the origin: what is here at once, and one answer for all who wait for the same."""

import asyncio
from collections.abc import Mapping

import pytest

from headrace.core.broadcast import Entry, RunId
from headrace.livelog.base import LiveLog
from headrace.origin import http
from headrace.origin.metrics import REQUESTS, WAITING
from headrace.origin.pages import Pages
from headrace.origin.service import OriginSettings, Service, build
from headrace.runtime.direct import Answer, Direct
from tests.support.asgi import ask, settle
from tests.support.runs import PlaybackLog, parts_of, plan_of, whole_run

PLAN = plan_of()
RUN = RunId("r1")
BASE = f"/live/s1/{RUN}"
LIST = f"{BASE}/audio/index.m3u8"
NEXT = "_HLS_msn=3&_HLS_part=0"
PLACES = 3  # as many as the fixture's origin lets wait


@pytest.fixture
async def live(log: PlaybackLog, origin: Service) -> PlaybackLog:
    """A run of three whole segments that the origin follows."""
    await log.append(RUN, *whole_run(PLAN, 3))
    assert (await ask(origin.http_app, LIST)).status == 200
    return log


def following(rung: str = "audio") -> Entry:
    """The part that `NEXT` waits for."""
    return parts_of(PLAN, rung, 3, count=1)[0]


def direct(origin: Service, path: str, query: str = "", headers: Mapping[str, str] = {}, method: str = "GET") -> Direct:
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": fields}
    return origin.http_app.direct(scope)


async def alone(found: Direct) -> Answer:
    """The answer of one who shares it with nobody."""
    assert found is not None
    assert not isinstance(found, Answer | asyncio.Future)
    return await found()


def future(found: Direct) -> asyncio.Future[Answer]:
    assert isinstance(found, asyncio.Future)
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_is_here_is_answered_at_once_as_by_asgi(live: PlaybackLog, origin: Service, method: str) -> None:
    listed = (await ask(origin.http_app, LIST)).body.decode().split("\n")
    segment = next(line for line in listed if line.endswith(".m4s"))
    part = next(line.split('"')[1] for line in listed if line.startswith("#EXT-X-PART:"))
    for name in (segment, part, "index.m3u8", "nothing.m4s"):
        reply = await ask(origin.http_app, f"{BASE}/audio/{name}", method=method)  # brings media into the cache
        answer = direct(origin, f"{BASE}/audio/{name}", method=method)
        assert isinstance(answer, Answer), name
        assert (answer.status, answer.body) == (reply.status, reply.body)
        assert {n.decode(): v.decode() for n, v in answer.headers} == reply.headers
        lines = answer.head.lines.split(b"\r\n")
        assert lines[0].startswith(b"HTTP/1.1 %d " % reply.status)
        assert lines[1:] == [b"%s: %s" % field for field in answer.headers] + [b""]


async def test_all_who_wait_for_the_same_get_one_answer(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []
    media = Pages.media

    def noted(self: Pages, rung: str, query: str) -> object:
        printed.append(rung)
        return media(self, rung, query)

    counter = REQUESTS.labels("playlist", "2xx")
    before = counter._value.get()
    waiting = [future(direct(origin, LIST, NEXT)) for _ in range(PLACES)]
    await settle()
    monkeypatch.setattr(Pages, "media", noted)
    assert not any(each.done() for each in waiting)
    await live.append(RUN, following())
    async with asyncio.timeout(2):
        answers = [await each for each in waiting]
    assert all(answer is answers[0] for answer in answers)
    assert b'"3.0-e1.m4s"' in answers[0].body
    assert printed == ["audio"]
    assert counter._value.get() - before == PLACES


async def test_what_differs_is_not_shared(live: PlaybackLog, origin: Service) -> None:
    plain = future(direct(origin, LIST, NEXT))
    zipped = future(direct(origin, LIST, NEXT, {"accept-encoding": "gzip"}))
    head = future(direct(origin, LIST, NEXT, method="HEAD"))
    await live.append(RUN, following())
    async with asyncio.timeout(2):
        assert (await plain).body.startswith(b"#EXTM3U")
        assert (await zipped).body.startswith(b"\x1f\x8b")
        assert ((await head).status, (await head).body) == (200, b"")
    tagged = direct(origin, LIST, NEXT, {"if-none-match": "*"})
    assert isinstance(tagged, Answer)
    assert tagged.status == 304


async def test_who_leaves_gives_the_place_back_and_the_last_one_ends_the_asking(
    live: PlaybackLog, origin: Service
) -> None:
    for _ in range(2):  # nothing of the first round is left in the way of the second
        waiting = [future(direct(origin, LIST, NEXT)) for _ in range(PLACES)]
        await settle()
        assert WAITING._value.get() == PLACES
        for left, each in zip(reversed(range(PLACES)), waiting, strict=True):
            each.cancel()
            await settle()
            assert WAITING._value.get() == left
    late = future(direct(origin, LIST, NEXT))
    await live.append(RUN, following())
    async with asyncio.timeout(2):
        assert (await late).status == 200
    assert WAITING._value.get() == 0


async def test_who_comes_when_all_have_just_left_asks_anew(live: PlaybackLog, origin: Service) -> None:
    first = future(direct(origin, LIST, NEXT))
    await settle()
    first.cancel()
    second = future(direct(origin, LIST, NEXT))
    await live.append(RUN, following())
    async with asyncio.timeout(2):
        assert (await second).status == 200


async def test_who_shares_has_a_place_and_gives_it_back(live: PlaybackLog, origin: Service) -> None:
    for part in range(2):
        query = f"_HLS_msn=3&_HLS_part={part}"
        waiting = []
        for _ in range(PLACES):
            waiting.append(future(direct(origin, LIST, query)))
            await settle()
        one_more = await alone(direct(origin, LIST, query))
        assert one_more.status == (await ask(origin.http_app, f"{LIST}?_HLS_msn=4")).status == 503
        await live.append(RUN, parts_of(PLAN, "audio", 3, count=part + 1)[part])
        async with asyncio.timeout(2):
            assert [(await each).status for each in waiting] == [200] * PLACES


async def test_where_nobody_more_may_wait_a_head_is_refused_without_a_body(live: PlaybackLog, origin: Service) -> None:
    for _ in range(PLACES):
        direct(origin, LIST, NEXT, method="HEAD")
        await settle()
    refused = await alone(direct(origin, LIST, NEXT, method="HEAD"))
    assert (refused.status, refused.body) == (503, b"")


async def test_where_nobody_more_may_wait_media_that_is_published_is_still_for_all(
    live: PlaybackLog, origin: Service
) -> None:
    for _ in range(PLACES):
        direct(origin, LIST, NEXT)
        await settle()
    part = f"{BASE}/audio/2.0-e1.m4s"
    first, second = future(direct(origin, part)), direct(origin, part)
    assert ((await first).status, (await alone(second)).status) == (200, 200)
    assert live.calls["get"] == 1


async def test_who_shares_has_the_first_ones_deadline(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HELD_TARGET_DURATIONS", 0.01)
    async with asyncio.timeout(2):
        late = [await future(direct(origin, LIST, NEXT)) for _ in range(PLACES + 1)]
    assert {(answer.status, answer.body) for answer in late} == {(503, b"what was asked for is late\n")}


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_an_origin_that_ends_answers_all_who_share(log: PlaybackLog, how: str) -> None:
    await log.append(RUN, *whole_run(PLAN, 3))
    origin = build(OriginSettings(), log=as_log(log))
    running = asyncio.ensure_future(origin.run())
    await ask(origin.http_app, LIST)
    waiting = [future(direct(origin, LIST, NEXT)) for _ in range(5)]
    await settle()
    origin.stop() if how == "stop" else running.cancel()
    async with asyncio.timeout(2):
        for each in waiting:
            assert ((await each).status, (await each).body) == (503, b"the origin stops\n")
        await asyncio.wait([running])


def as_log(log: PlaybackLog) -> LiveLog:
    return log  # type: ignore[return-value]  # its reading half


async def test_an_origin_that_does_not_run_lets_everybody_ask_alone(log: PlaybackLog) -> None:
    found = direct(build(OriginSettings(), log=as_log(log)), LIST, NEXT)
    assert callable(found)
