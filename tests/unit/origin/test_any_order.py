"""Whatever comes in whatever order: every request is answered as soon as it can be, never before, and never not."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import cast

import pytest

from headrace.core.broadcast import End, RunId
from headrace.livelog.base import LiveLog
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from tests.support.asgi import Reply, ask, settle
from tests.support.playlists import read_playlist
from tests.support.runs import PlaybackLog, part_bytes, parts_of, plan_of, start_of

PLAN = plan_of()
RUN = RunId("r1")
BASE = f"/live/s1/{RUN}"
STEPS = 80


@dataclass
class Waiting:
    """A request: for a part of a rung, listed or hinted at, or for a whole segment (`part` None)."""

    rung: str
    msn: int
    part: int | None
    hinted: bool
    reply: asyncio.Task[Reply]


@dataclass
class World:
    """A run that grows at random. `sizes`: how many parts each segment has; `next`: the place of each rung's next."""

    log: PlaybackLog
    origin: Service
    chance: random.Random
    sizes: list[int]
    next: dict[str, tuple[int, int]] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)

    async def begin(self) -> None:
        await self.log.append(RUN, *start_of(PLAN))
        self.next = dict.fromkeys(PLAN.rung_names, (0, 0))
        for rung in PLAN.rung_names:
            for _ in range(self.sizes[0]):
                await self.grow(rung)

    async def grow(self, rung: str) -> None:
        msn, part = self.next[rung]
        entries = parts_of(PLAN, rung, msn, count=part + 1, of=self.sizes[msn])
        await self.log.append(RUN, entries[part])
        self.next[rung] = (msn, part + 1) if part + 1 < self.sizes[msn] else (msn + 1, 0)

    def ask(self, rung: str, group: asyncio.TaskGroup) -> None:
        """What a player may ask for: from long ago to not too far ahead."""
        msn, part = self.next[rung]
        if hinted := self.chance.random() < 0.3:
            url = f"{BASE}/{rung}/{msn}.{part}-e1.m4s"
        else:
            msn = max(0, msn + self.chance.randint(-2, 1))
            wanted = self.chance.choice([None, *range(7)])
            url = f"{BASE}/{rung}/index.m3u8?_HLS_msn={msn}" + ("" if wanted is None else f"&_HLS_part={wanted}")
            part = wanted
        method = self.chance.choice(["GET", "GET", "HEAD"])
        reply = group.create_task(ask(self.origin.http_app, url, method=method))
        self.waiting.append(Waiting(rung, msn, part, hinted, reply))

    def is_there(self, one: Waiting) -> bool:
        msn, part = self.next[one.rung]
        newest = (msn, part - 1) if part else (msn - 1, self.sizes[msn - 1] - 1)
        return msn > one.msn if one.part is None else newest >= (one.msn, one.part)

    def check(self) -> None:
        """Everything that is there has been answered, with it; nothing else has."""
        for one in tuple(self.waiting):
            what = f"{one.rung} {one.msn}.{one.part}, hinted: {one.hinted}"
            assert one.reply.done() == self.is_there(one), what
            if one.reply.done():
                reply = one.reply.result()
                assert reply.status == 200, what
                if one.hinted and reply.body:
                    assert one.part is not None
                    assert reply.body == part_bytes(one.rung, one.msn, one.part)
                elif reply.body:
                    self.check_listing(one, reply.body.decode())
                self.waiting.remove(one)

    def check_listing(self, one: Waiting, text: str) -> None:
        listing = read_playlist(text)
        if one.part is None:
            assert listing.segments[-1].msn >= one.msn
        else:
            assert (listing.parts[-1].msn, listing.parts[-1].part) >= (one.msn, one.part)


@pytest.mark.parametrize("seed", range(12))
async def test_all_are_answered_when_it_is_time(log: PlaybackLog, seed: int) -> None:
    chance = random.Random(seed)
    origin = build(OriginSettings(origin_max_waiting=1000), log=cast(LiveLog, log))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(origin.run())
        world = World(log, origin, chance, [chance.randint(1, 7) for _ in range(STEPS)])
        await world.begin()
        for _ in range(STEPS):
            rung = chance.choice(PLAN.rung_names)
            if chance.random() < 0.5:
                world.ask(rung, group)
            else:
                await world.grow(rung)
            await settle()
            world.check()
        assert world.waiting, "nobody was left to be woken by the end"
        await log.append(RUN, End(0))
        for one in world.waiting:
            reply = await one.reply
            assert reply.status == (404 if one.hinted else 200)
            assert one.hinted or not reply.body or reply.body.endswith(b"#EXT-X-ENDLIST\n")
        running.cancel()
