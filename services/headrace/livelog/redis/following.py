"""Following a run: listen, then read, then tell what is pushed, and read again whenever something may be missing.

Law: nobody misses an entry for ever: a lost connection is made again with growing pauses, and a second of silence is
checked against the log. Only a first reading fails; after it a follower waits for the log to come back, and for a
while for a run that an emptied server has lost. Neighbours: `trail` decides what to tell.
"""

import asyncio
from collections.abc import AsyncIterator

from headrace.core.broadcast import End, RunId
from headrace.livelog.base import Cursor, NoRun, Reading, Unreachable
from headrace.livelog.redis import library
from headrace.livelog.redis.answers import Found, found, refuse
from headrace.livelog.redis.connection import ServerError
from headrace.livelog.redis.keys import Keys, keys_of, slot_of
from headrace.livelog.redis.servers import Servers
from headrace.livelog.redis.subscriptions import Ear, Subscriptions
from headrace.livelog.redis.trail import Trail
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.logs import RateLimited, logger

READ_S = 2.0
QUIET_S = 1.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
EMPTY_S = 15.0  # an emptied log is opened again by its writer in this time

_failing = RateLimited(logger(__name__), "the live log is lost to those who follow it")


class Following:
    """Reads and follows runs of a cell."""

    def __init__(self, servers: Servers) -> None:
        self.subscriptions = Subscriptions(servers.topology)
        self._servers = servers

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        """As `Entries.read`."""
        before = await self._read(run, keys_of(run), cursor)
        at = Cursor(before.shown, before.shown_id)
        return Reading(before.entries, at, before.whole, before.head, before.oldest)

    async def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        """As `Entries.follow`."""
        keys, trail = keys_of(run), Trail(cursor)
        told, pause_s, empty_s = False, FIRST_PAUSE_S, 0.0
        while True:
            ear: Ear | None = None
            try:
                ear = await self.subscriptions.listen(keys.channel, slot_of(keys.h))
                behind = True
                while True:
                    if behind:
                        ear.forget()
                        now = await self._read(run, keys, trail.cursor)
                        behind, pause_s, empty_s = False, FIRST_PAUSE_S, 0.0
                        if (reading := trail.take(now)) is not None:
                            told = True
                            yield reading
                        if now.over:
                            return
                    if not (pushes := await ear.next(QUIET_S)):
                        behind = await self._differs(run, keys, trail, ear)
                        continue
                    reading, behind = trail.follow(pushes)
                    if reading is not None:
                        yield reading
                        if isinstance(reading.entries[-1].entry, End):
                            return
            except NoRun:
                empty_s = empty_s or monotonic_s()
                if not told or monotonic_s() - empty_s > EMPTY_S:
                    raise
            except Unreachable as error:
                if not told:
                    raise
                _failing({"run": run, "why": str(error)})
            finally:
                if ear is not None:
                    self.subscriptions.leave(keys.channel, ear)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _read(self, run: RunId, keys: Keys, cursor: Cursor) -> Found:
        call = (b"FCALL_RO", library.READ, b"3", keys.h, keys.c, keys.s, b"%d" % cursor.n, cursor.id.encode())
        after = (b"XRANGE", keys.s, b"(%d-0" % cursor.n, b"+")
        answer, entries = await self._servers.ask(slot_of(keys.h), call, after, deadline_s=READ_S)
        if library.is_missing(answer):
            raise NoRun(f"no run {run}, nor any other")
        for each in (answer, entries):
            if isinstance(each, ServerError):
                raise Unreachable(each.text)
        if answer[0] != b"OK":
            refuse(run, answer)
        now = found(answer, entries)
        # What is behind a cursor that the log does not know is not the whole window.
        return await self._read(run, keys, Cursor(0, "")) if now.whole and cursor.n else now

    async def _differs(self, run: RunId, keys: Keys, trail: Trail, ear: Ear) -> bool:
        """After a silence: whether the log has more than was told, or another history."""
        slot = slot_of(keys.h)
        [answer] = await self._servers.ask(slot, (b"HMGET", keys.h, b"pub", b"pid"), deadline_s=READ_S)
        if isinstance(answer, ServerError):
            raise Unreachable(answer.text)
        if await self._servers.topology.primary(slot) != ear.address:
            raise Unreachable(f"{ear.address}: a primary no more")
        shown, shown_id = answer
        if shown is None:
            raise NoRun(f"no run {run}")
        return not trail.agrees(int(shown), shown_id.decode())
