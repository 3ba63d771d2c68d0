"""How long what has left the playlists can still be had: over a log that forgets, from an origin that keeps no bytes.

Time is that of the media: a part is published at its end, as a live one is.
"""

import asyncio
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest

from headrace.core.broadcast import Claim, Entry, Epoch, Part, Plan, RunId
from headrace.core.media import TICKS_PER_S
from headrace.livelog.base import Append
from headrace.livelog.memory import MemoryLog
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from tests.support.asgi import ask, settle
from tests.support.playlists import ReadPlaylist, read_playlist
from tests.support.refreshes import duration
from tests.support.runs import ENCODER, part_bytes, plan_of, start_of

RUN = RunId("r1")
BASE = f"/live/s1/{RUN}/source"
CLAIM = Claim(Epoch(1, 1), "session", "writer")
SEGMENTS = 36


def plan_with(target_duration_s: int) -> Plan:
    return replace(plan_of("passthrough", audio=False, window_s=20), target_duration_s=target_duration_s)


def live(plan: Plan, rng: Random) -> list[Part]:
    """Segments of any length up to the target duration, in two parts each."""
    parts, start = [], 0
    for msn in range(SEGMENTS):
        length = rng.randint(plan.segment, plan.target_duration_s * TICKS_PER_S)
        for number, (begin, end) in enumerate(pairwise((start, start + length // 3, start + length))):
            size = len(part_bytes("source", msn, number))
            place = ("source", msn, number, begin, end, start, True, number == 0)
            parts.append(Part(*place, size, "0" * 16, ENCODER, segment_end=number == 1))
        start += length
    return parts


class Watch:
    """Until when each thing that was ever listed must be there; seconds."""

    def __init__(self, target_duration_s: int) -> None:
        self.until: dict[str, Fraction] = {}
        self._target_s = target_duration_s
        self._appeared: dict[str, tuple[Fraction, Fraction]] = {}  # when, and its duration
        self._longest: dict[str, Fraction] = {}

    def see(self, listing: ReadPlaylist, now_s: Fraction) -> None:
        for segment in listing.segments:
            # RFC 8216bis §6.2.2: its duration, and that of the longest playlist that held it, from its appearance on.
            appeared_s, length_s = self._appeared.setdefault(segment.uri, (now_s, Fraction(segment.extinf)))
            longest_s = max(self._longest.get(segment.uri, Fraction(0)), duration(listing))
            self._longest[segment.uri] = longest_s
            self.until[segment.uri] = appeared_s + length_s + longest_s
        for part in listing.parts:
            # Three target durations after its tag was seen last (ibid.).
            self.until[part.uri] = now_s + 3 * self._target_s


async def told(log: MemoryLog, n: int, entry: Entry) -> None:
    data = part_bytes(entry.rung, entry.msn, entry.part) if isinstance(entry, Part) else None
    await log.stage(RUN, CLAIM, n, Append(entry, data))
    await log.publish(RUN, CLAIM, n)
    await settle()


async def there(origin: Service, name: str) -> bool:
    reply = await ask(origin.http_app, f"{BASE}/{name}")
    return reply.status == 200 and len(reply.body) > 0


@pytest.mark.parametrize("target_duration_s", [2, 4, 10])
async def test_what_left_the_playlist_can_be_had_for_as_long_as_a_player_may_ask_for_it(target_duration_s: int) -> None:
    plan = plan_with(target_duration_s)
    log, watch = MemoryLog(), Watch(target_duration_s)
    await log.takeover(RUN, CLAIM, 0, open_new=True)
    warm, cold = (build(OriginSettings(origin_cache_bytes=0), log=log) for _ in range(2))
    late = 0
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(warm.run())
        n = 0
        for n, entry in enumerate((*start_of(plan), *live(plan, Random(target_duration_s))), 1):
            await told(log, n, entry)
            if not isinstance(entry, Part) or (entry.msn, entry.part) < (0, 1):
                continue
            now_s = Fraction(entry.end, TICKS_PER_S)
            listing = read_playlist((await ask(warm.http_app, f"{BASE}/index.m3u8")).body.decode())
            watch.see(listing, now_s)
            listed = {segment.uri for segment in listing.segments} | {part.uri for part in listing.parts}
            for name, until_s in watch.until.items():
                if until_s > now_s:
                    assert await there(warm, name), f"{name} at {now_s} of {until_s}"
                    late += name not in listed
        assert late > SEGMENTS  # much has left, and had to be there
        running = group.create_task(cold.run())
        for name, until_s in watch.until.items():
            if until_s > now_s:
                assert await there(cold, name), name
        # And nothing stays for ever.
        assert not await there(warm, next(iter(watch.until)))
        running.cancel()
        warm.stop()
