"""Parts that were hinted at: asked for before they are there, and sent when they are whole."""

import asyncio

import pytest

from headrace.core.broadcast import End, RunId
from headrace.origin import http
from headrace.origin.service import Service
from headrace.runtime.probes import Scope
from tests.support.asgi import ask, held, settle
from tests.support.playlists import read_playlist
from tests.support.runs import PlaybackLog, part_bytes, parts_of, plan_of, start_of, whole_run

PLAN = plan_of()
RUN = RunId("r1")
BASE = f"/live/s1/{RUN}"


@pytest.fixture
async def live(log: PlaybackLog) -> PlaybackLog:
    """Three whole segments (0 to 2) in every rendition, and two parts of the fourth (3)."""
    await log.append(
        RUN, *whole_run(PLAN, 3), *(e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, 3, count=2))
    )
    return log


async def hinted(origin: Service, rung: str) -> str:
    """The URL that a rendition's playlist tells its players to ask for."""
    listing = read_playlist((await ask(origin.http_app, f"{BASE}/{rung}/index.m3u8")).body.decode())
    return f"{BASE}/{rung}/{listing.hint}"


async def test_a_hinted_part_is_sent_when_it_is_there_and_whole(live: PlaybackLog, origin: Service) -> None:
    for rung in ("720p", "audio"):
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            waiting = await held(group, origin.http_app, await hinted(origin, rung))
            await live.append(RUN, *parts_of(PLAN, rung, 3, count=3)[2:])
            reply = await waiting
        assert (reply.status, reply.body) == (200, part_bytes(rung, 3, 2))
        assert reply.headers["content-length"] == str(len(reply.body))
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["content-type"] == ("audio/mp4" if rung == "audio" else "video/mp4")


async def test_of_a_hinted_part_nothing_is_sent_before_all_of_it_is_here(live: PlaybackLog, origin: Service) -> None:
    sent: list[str] = []

    async def receive() -> Scope:
        await asyncio.Event().wait()
        return {}

    async def send(message: Scope) -> None:
        sent.append(f"{message['type']} {len(message.get('body', b''))}")

    url = await hinted(origin, "audio")
    scope: Scope = {"type": "http", "method": "GET", "path": url, "query_string": b"", "headers": []}

    async def asked() -> None:
        await origin.http_app(scope, receive, send)

    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        asking = group.create_task(asked())
        await settle()
        assert sent == []
        await live.append(RUN, *parts_of(PLAN, "audio", 3, count=3)[2:])
        await asking
    assert sent == ["http.response.start 0", f"http.response.body {len(part_bytes('audio', 3, 2))}"]


async def test_the_first_part_of_the_next_segment_is_hinted_and_waited_for(live: PlaybackLog, origin: Service) -> None:
    await live.append(RUN, *parts_of(PLAN, "audio", 3)[2:])
    await ask(origin.http_app, f"{BASE}/audio/index.m3u8?_HLS_msn=3")
    url = await hinted(origin, "audio")
    assert "/4.0-" in url
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, url)
        await live.append(RUN, *parts_of(PLAN, "audio", 4, count=1))
        assert (await waiting).body == part_bytes("audio", 4, 0)


async def test_all_who_wait_for_one_part_cost_one_fetch(live: PlaybackLog, origin: Service) -> None:
    url = await hinted(origin, "audio")
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = [await held(group, origin.http_app, url) for _ in range(3)]
        await live.append(RUN, *parts_of(PLAN, "audio", 3, count=3)[2:])
        assert {(await task).body for task in waiting} == {part_bytes("audio", 3, 2)}
    assert live.calls["get"] == 1


async def test_a_part_that_is_listed_has_its_bytes_at_once(live: PlaybackLog, origin: Service) -> None:
    for rung in PLAN.rung_names:
        listing = read_playlist((await ask(origin.http_app, f"{BASE}/{rung}/index.m3u8")).body.decode())
        assert len(listing.parts) == 2 * 6 + 2
        for part in listing.parts:
            reply = await ask(origin.http_app, f"{BASE}/{rung}/{part.uri}")
            assert (reply.status, reply.body) == (200, part_bytes(rung, part.msn, part.part))


async def test_the_hint_of_an_encoder_that_was_replaced_is_404(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, await hinted(origin, "720p"))
        await live.append(RUN, *parts_of(PLAN, "720p", 3, count=3, encoder="e2")[2:])
        reply = await waiting
    assert (reply.status, reply.headers["cache-control"]) == (404, "public, max-age=1")
    assert "/3.3-e2." in await hinted(origin, "720p")


async def test_a_hinted_part_that_the_end_overtook_is_404(live: PlaybackLog, origin: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, await hinted(origin, "720p"))
        await live.append(RUN, End(3 * PLAN.segment))
        assert (await waiting).status == 404
    assert (await ask(origin.http_app, f"{BASE}/720p/3.2-e1.m4s")).status == 404


async def test_a_hinted_part_that_turns_out_missing_or_only_listed_is_404(live: PlaybackLog, origin: Service) -> None:
    for rung, kind in (("720p", "gaps"), ("540p", "filled")):
        async with asyncio.timeout(2), asyncio.TaskGroup() as group:
            waiting = await held(group, origin.http_app, await hinted(origin, rung))
            await live.append(RUN, *parts_of(PLAN, rung, 3, count=3, **{kind: (2,)})[2:])  # type: ignore[arg-type]
            assert (await waiting).status == 404
        listing = read_playlist((await ask(origin.http_app, f"{BASE}/{rung}/index.m3u8")).body.decode())
        assert listing.parts[-1].gap
        assert (await ask(origin.http_app, f"{BASE}/{rung}/{listing.parts[-1].uri}")).status == 404


async def test_a_hinted_part_that_does_not_come_is_503_with_a_time_to_come_back(
    live: PlaybackLog, origin: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HELD_TARGET_DURATIONS", 0.01)
    reply = await ask(origin.http_app, await hinted(origin, "720p"))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize(
    "name",
    [
        "3.3-e1.m4s",  # the one after the hinted one
        "3.2-e2.m4s",  # of an encoder that nobody has heard of
        "3.2-gap.m4s",
        "4.0-e1.m4s",
        "3.1-e2.m4s",
        "2.6-e1.m4s",
        "99.0-e1.m4s",
    ],
)
async def test_a_part_that_nobody_hinted_at_is_404_at_once(live: PlaybackLog, origin: Service, name: str) -> None:
    async with asyncio.timeout(1):
        reply = await ask(origin.http_app, f"{BASE}/audio/{name}")
    assert (reply.status, reply.headers["cache-control"]) == (404, "public, max-age=1")


async def test_a_part_whose_bytes_expired_is_gone(live: PlaybackLog, origin: Service) -> None:
    live.expired.add(("audio", 3))
    reply = await ask(origin.http_app, f"{BASE}/audio/3.1-e1.m4s")
    assert (reply.status, reply.headers["cache-control"]) == (410, "public, max-age=1")


async def test_parts_stay_after_their_tags_have_left_the_playlist(log: PlaybackLog, origin: Service) -> None:
    await log.append(RUN, *whole_run(PLAN, 8))
    listing = read_playlist((await ask(origin.http_app, f"{BASE}/audio/index.m3u8")).body.decode())
    assert {part.msn for part in listing.parts} == {5, 6, 7}
    for msn in range(5):
        assert (await ask(origin.http_app, f"{BASE}/audio/{msn}.5-e1.m4s")).body == part_bytes("audio", msn, 5)


async def test_one_range_of_a_part_is_answered(live: PlaybackLog, origin: Service) -> None:
    reply = await ask(origin.http_app, f"{BASE}/audio/3.1-e1.m4s", {"range": "bytes=2-4"})
    assert (reply.status, reply.body) == (206, part_bytes("audio", 3, 1)[2:5])


async def test_before_the_first_listing_parts_can_be_had_too(log: PlaybackLog, origin: Service) -> None:
    await log.append(RUN, *start_of(PLAN), *parts_of(PLAN, "audio", 0, count=2))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, origin.http_app, f"{BASE}/audio/0.2-e1.m4s")
        await log.append(RUN, *parts_of(PLAN, "audio", 0, count=3)[2:])
        assert (await waiting).body == part_bytes("audio", 0, 2)
