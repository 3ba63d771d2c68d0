"""An origin that knows less than the one from which a player comes."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from headrace.core.broadcast import End, RunId
from headrace.livelog.base import Cursor, LiveLog, LogError, Reading
from headrace.origin import looking
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from tests.support.asgi import ask, held, settle
from tests.support.playlists import read_playlist
from tests.support.runs import PlaybackLog, init_of, part_bytes, parts_of, plan_of, whole_run

PLAN = plan_of("passthrough", audio=False)
RUN = RunId("r1")
BASE = f"/live/s1/{RUN}/source"
LIST = f"{BASE}/index.m3u8"


class DeafLog(PlaybackLog):
    """It tells those who follow nothing after the first reading. `slow` holds whoever reads."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = asyncio.Event()
        self.slow.set()

    async def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        yield await super().read(run, cursor)
        await asyncio.Event().wait()

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        reading = await super().read(run, cursor)
        await self.slow.wait()
        return reading


@pytest.fixture
def log() -> DeafLog:
    return DeafLog()


@pytest.fixture
async def late(log: DeafLog) -> AsyncIterator[Service]:
    """It knows three segments and two parts of the fourth; the log has all of that, and two parts of the fifth."""
    origin = build(OriginSettings(origin_max_waiting=8), log=cast(LiveLog, log))
    async with asyncio.TaskGroup() as group:
        group.create_task(origin.run())
        await log.append(RUN, *whole_run(PLAN, 3), *parts_of(PLAN, "source", 3, count=2))
        assert (await ask(origin.http_app, LIST)).status == 200
        await log.append(RUN, *parts_of(PLAN, "source", 3)[2:], *parts_of(PLAN, "source", 4, count=2))
        log.calls.clear()
        yield origin
        origin.stop()


async def test_a_part_that_another_origin_lists_is_there_after_another_look(log: DeafLog, late: Service) -> None:
    reply = await ask(late.http_app, f"{BASE}/4.1-e1.m4s")
    assert (reply.status, reply.body) == (200, part_bytes("source", 4, 1))
    assert log.calls["read"] == 1
    assert b"4.2-e1" in (await ask(late.http_app, LIST)).body


async def test_a_segment_that_another_origin_lists_is_there_after_another_look(log: DeafLog, late: Service) -> None:
    other = build(OriginSettings(), log=cast(LiveLog, log))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        running = group.create_task(other.run())
        listing = read_playlist((await ask(other.http_app, LIST)).body.decode())
        assert (listing.segments[-1].msn, listing.hint) == (3, "4.2-e1.m4s")
        reply = await ask(late.http_app, f"{BASE}/{listing.segments[-1].uri}")
        assert (reply.status, reply.body) == (200, b"".join(part_bytes("source", 3, part) for part in range(6)))
        running.cancel()


async def test_a_part_that_another_origin_hints_at_is_waited_for(log: DeafLog, late: Service) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, late.http_app, f"{BASE}/4.2-e1.m4s")
        assert log.calls["read"] == 1
        await log.append(RUN, *parts_of(PLAN, "source", 4, count=3)[2:])
        reply = await ask(late.http_app, f"{BASE}/5.0-e9.m4s")  # somebody else makes it look again
        assert reply.status == 404
        assert (await waiting).body == part_bytes("source", 4, 2)


async def test_a_new_init_section_is_there_after_another_look(log: DeafLog, late: Service) -> None:
    await log.append(RUN, init_of(PLAN, "source", "another build"))
    other = build(OriginSettings(), log=cast(LiveLog, log))
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        running = group.create_task(other.run())
        hinted = read_playlist((await ask(other.http_app, LIST)).body.decode()).init_hint
        running.cancel()
    assert (await ask(late.http_app, f"{BASE}/{hinted}")).body == init_of(PLAN, "source", "another build").data


async def test_a_reload_that_is_ahead_of_what_is_known_is_no_error_before_another_look(
    log: DeafLog, late: Service
) -> None:
    for msn in range(5, 9):
        await log.append(RUN, *parts_of(PLAN, "source", msn - 1)[2 if msn == 5 else 0 :])
    reply = await ask(late.http_app, f"{LIST}?_HLS_msn=7&_HLS_part=3")
    assert reply.status == 200
    assert read_playlist(reply.body.decode()).segments[-1].msn == 7
    assert (await ask(late.http_app, f"{LIST}?_HLS_msn=99")).status == 400


async def test_what_cannot_be_news_is_404_without_a_look(log: DeafLog, late: Service) -> None:
    for url in (f"{BASE}/3.1-e2.m4s", f"{BASE}/2.6-e1.m4s", f"{BASE}/2-000000000000.m4s", f"{BASE[:-6]}no/9.0-e1.m4s"):
        assert (await ask(late.http_app, url)).status == 404, url
    assert "read" not in log.calls


async def test_what_even_the_log_does_not_know_is_404(log: DeafLog, late: Service) -> None:
    for name in ("4.2-e2.m4s", "9.0-e1.m4s", "9-000000000000.m4s", "init-00000000.mp4"):
        reply = await ask(late.http_app, f"{BASE}/{name}")
        assert (reply.status, reply.headers["cache-control"]) == (404, "public, max-age=1"), name


async def test_all_who_ask_at_once_cost_one_look_and_those_who_come_after_it_began_another(
    log: DeafLog, late: Service
) -> None:
    log.slow.clear()
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        first = [await held(group, late.http_app, f"{BASE}/4.1-e1.m4s?n={n}") for n in range(3)]
        assert log.calls["read"] == 1
        await log.append(RUN, *parts_of(PLAN, "source", 4, count=3)[2:])
        later = [await held(group, late.http_app, f"{BASE}/4.2-e1.m4s?n={n}") for n in range(3)]
        assert log.calls["read"] == 1
        log.slow.set()
        assert {(await task).body for task in first} == {part_bytes("source", 4, 1)}
        assert {(await task).body for task in later} == {part_bytes("source", 4, 2)}
    assert log.calls["read"] == 2


async def test_looks_keep_a_distance_however_many_ask(
    log: DeafLog, late: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "EVERY_S", 0.1)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for n in range(4):
        await ask(late.http_app, f"{BASE}/9.{n}-e1.m4s")
    assert loop.time() - began_s >= 0.3
    assert log.calls["read"] == 4


async def test_a_look_that_fails_or_takes_too_long_is_no_word_on_what_there_is(
    log: DeafLog, late: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LONGEST_S", 0.05)
    log.failures.append(LogError("down"))
    replies = [await ask(late.http_app, f"{BASE}/4.1-e1.m4s")]
    log.slow.clear()
    replies.append(await ask(late.http_app, f"{BASE}/4.1-e1.m4s"))
    for reply in replies:
        assert (reply.status, reply.headers["cache-control"], reply.headers["retry-after"]) == (503, "no-store", "1")
    log.slow.set()
    assert (await ask(late.http_app, f"{BASE}/4.1-e1.m4s")).status == 200


async def test_a_look_that_was_overtaken_by_news_is_taken_again(log: DeafLog, late: Service) -> None:
    followed = late.http_app._follower.known(RUN)
    assert followed is not None
    log.slow.clear()
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = await held(group, late.http_app, f"{BASE}/4.1-e1.m4s")
        old = followed.cursor
        log.runs[RUN] = []
        await log.append(RUN, *whole_run(PLAN, 3), *parts_of(PLAN, "source", 3, encoder="e2"))
        followed.take(await PlaybackLog.read(log, RUN, old))
        log.slow.set()
        assert (await waiting).status == 404
    assert log.calls["read"] == 3
    assert b"3.5-e2" in (await ask(late.http_app, LIST)).body


async def test_who_gives_a_look_up_leaves_it_to_the_others(log: DeafLog, late: Service) -> None:
    log.slow.clear()
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        gone = await held(group, late.http_app, f"{BASE}/4.1-e1.m4s")
        waiting = await held(group, late.http_app, f"{BASE}/4.0-e1.m4s")
        gone.cancel()
        await settle()
        log.slow.set()
        assert (await waiting).body == part_bytes("source", 4, 0)


async def test_who_waits_for_a_look_has_a_place(log: DeafLog, late: Service) -> None:
    log.slow.clear()
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = [await held(group, late.http_app, f"{BASE}/9.{n}-e1.m4s") for n in range(8)]
        assert (await ask(late.http_app, f"{BASE}/9.8-e1.m4s")).status == 503
        log.slow.set()
        assert [(await task).status for task in waiting] == [404] * 8


async def test_a_run_that_is_over_has_no_news(log: DeafLog, late: Service) -> None:
    await log.append(RUN, End(9 * PLAN.segment))
    assert (await ask(late.http_app, f"{BASE}/4.1-e1.m4s")).status == 200
    log.calls.clear()
    assert (await ask(late.http_app, f"{BASE}/9.0-e1.m4s")).status == 404
    assert "read" not in log.calls
