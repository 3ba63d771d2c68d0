"""One run as it is written here: its connection, and what was told over it.

Law: takeover opens the connection, and everything else goes over that one; a lost connection stays lost until the next
takeover. A part's bytes go first, its entry behind them in the same round trip. Publishing forgets, at the old end of
the window, what the publishing before it had made superfluous.
Neighbours: `functions.lua` decides, `written` knows what may go, `waiting` says what is durable.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from headrace.core.broadcast import Claim, End, Gap, Init, Part, RunId
from headrace.livelog import metrics
from headrace.livelog.base import Append, Cursor, Staged, StaleLog, Taken, Unreachable
from headrace.livelog.places import after, may_be_first, place_of
from headrace.livelog.redis import library
from headrace.livelog.redis.answers import found, position_text, positions, published, refuse
from headrace.livelog.redis.connection import Command, Link, ServerError
from headrace.livelog.redis.keys import keys_of, part_name, slot_of
from headrace.livelog.redis.topology import Topology
from headrace.livelog.redis.waiting import Waiting
from headrace.livelog.redis.written import Written
from headrace.runtime.aio.clock import monotonic_s
from headrace.wire.log import entry_to_bytes

CALL_S = 3.0
ENDED_RUN_S = 300  # a viewer who paused near the end can still watch it to the end
LIVE_RUN_S = 24 * 3600  # a run that nobody has written to for this long is forgotten
REFRESH_S = 600.0

_KINDS = {"Part": b"part", "Gap": b"gap", "RunStart": b"run", "Init": b"init", "Hold": b"hold", "End": b"end"}
_RECONNECTS = metrics.RECONNECTS.labels("writer")


class RunWriter:
    """Writes one run of a cell; `r` is the number of its servers' replicas."""

    def __init__(self, run: RunId, topology: Topology, r: int) -> None:
        self.run = run
        self.used_s = monotonic_s()
        self.ended = False
        """Whether the run has its end, as far as is known here."""
        self._keys = keys_of(run)
        self._slot = slot_of(self._keys.h)
        self._topology = topology
        self._waiting = Waiting(run, r)
        self._link: Link | None = None
        self._opening = asyncio.Lock()  # an old session's writer and a new one's may come at the same time
        self._suspect = False  # it may be an old primary, cut off: the next takeover looks for another one
        self._written = Written()
        self._refreshed_s = monotonic_s()
        self._began_s = 0.0

    async def takeover(self, claim: Claim, floor: int, open_new: bool) -> Taken:
        """As `Entries.takeover`."""
        keys = self._keys
        epoch = claim.epoch
        words = (str(epoch.session), str(epoch.attempt), claim.session_id, claim.writer, str(claim.take))
        taking = (
            *_call(library.TAKEOVER, keys.log, *map(str.encode, words)),
            *(_fence(claim), b"%d" % floor, b"%d" % open_new, b"%d" % LIVE_RUN_S),
        )
        reading = _call(library.READ, (keys.h, keys.c, keys.s), b"0", b"")
        streams = [(b"XRANGE", each, b"-", b"+") for each in (keys.s, keys.g)]
        link = await self._opened()
        answer, *there = await self._ask(link, taking, reading, *streams)
        if library.is_missing(answer):
            await library.load(link)
            answer, *there = await self._ask(link, taking, reading, *streams)
        try:
            self._accepted(link, answer)
        except StaleLog:
            self._suspect = True
            self._topology.forget()
            raise
        _, n, shown, last_id, rungs = answer
        for each in there:
            self._stored(link, each)
        whole, published_before, staged_before = there
        before = found(self._accepted(link, whole), published_before)
        self._written = Written(before.head, before.entries, published(staged_before), int(n))
        self._refreshed_s = monotonic_s()
        return Taken(int(n), int(shown), last_id.decode(), positions(rungs))

    async def stage(self, claim: Claim, n: int, appends: Sequence[Append]) -> Staged:
        """As `Entries.stage`. Raises ValueError for a Part without its bytes."""
        link = self._held()
        if not appends:
            raise ValueError("nothing to stage")
        for entry, data in appends:
            if isinstance(entry, Part) and (data is None or len(data) != entry.size):
                raise ValueError("a part is staged with its bytes, all of them")
        self._began_s = monotonic_s()
        fence, commands = _fence(claim), list[Command]()
        for each, append in enumerate(appends, n):
            commands += self._staging(fence, each, append)
        replies = iter(await self._ask(link, *commands))
        for each, (entry, _) in enumerate(appends, n):
            if isinstance(entry, Part):
                self._stored(link, next(replies))
            answer = self._accepted(link, next(replies))
            self._written.stage(each, answer[2].decode(), entry)
            self.ended = isinstance(entry, End)
        return Staged(int(answer[1]), answer[2].decode())

    async def wait(self) -> bool:
        """As `Entries.wait`."""
        link = self._held()
        try:
            return await self._waiting.wait(link)
        except Unreachable:
            self._lost()
            raise

    async def publish(self, claim: Claim, n: int) -> None:
        """As `Entries.publish`."""
        link, keys = self._held(), self._keys
        oldest, trimmed = self._written.forgets or (0, Cursor(0, ""))
        refresh = monotonic_s() - self._refreshed_s > REFRESH_S
        # Named, so that a Cluster that moves the slot refuses while some of these bytes are elsewhere.
        staged = [keys.staged + _name(part) for part in self._written.parts(n)]
        answer = await self._ask(
            link,
            (
                *_call(
                    library.PUBLISH,
                    (*keys.log, *staged),
                    _fence(claim),
                    b"%d" % n,
                    keys.channel,
                    keys.staged,
                    keys.published,
                ),
                *(b"%d" % self._written.bytes_s, b"%d" % oldest, b"%d" % trimmed.n, trimmed.id.encode()),
                *(b"%d" % LIVE_RUN_S if refresh else b"", b"%d" % ENDED_RUN_S),
            ),
        )
        self._accepted(link, answer[0])
        if refresh:
            self._refreshed_s = monotonic_s()
        self._written.publish(n)
        if self._began_s:
            metrics.APPEND_S.observe(monotonic_s() - self._began_s)
            self._began_s = 0.0

    def close(self) -> None:
        """Write no more over this connection."""
        if self._link is not None:
            self._link.close()

    def leave(self) -> None:
        """Write this run no more."""
        self.close()
        self._waiting.leave()

    # How it is said

    def _staging(self, fence: bytes, n: int, append: Append) -> list[Command]:
        entry, data = append
        keys = self._keys
        kind, rung, name = _KINDS[type(entry).__name__], b"", b""
        place, first, then, independent, encoder = b"", b"", b"", b"", b""
        if isinstance(entry, Part | Gap):
            rung, encoder = entry.rung.encode(), entry.encoder.encode()
            place = b"%d %d %d %d" % place_of(entry)
            first, then = b"%d" % may_be_first(entry), position_text(after(entry)).encode()
        elif isinstance(entry, Init):
            rung = entry.rung.encode()
        commands: list[Command] = []
        if isinstance(entry, Part) and data is not None:
            independent = b"%d" % entry.independent
            name = _name(entry)
            commands.append((b"SET", keys.staged + name, data, b"EX", b"%d" % self._written.bytes_s))
        where = (keys.h, keys.p, keys.g, keys.s, keys.staged + name)
        said = (fence, b"%d" % n, kind, rung, place, first, then, independent, encoder, name, entry_to_bytes(entry))
        return [*commands, _call(library.STAGE, where, *said)]

    async def _opened(self) -> Link:
        self.used_s = monotonic_s()
        async with self._opening:
            if self._suspect:
                self.close()
            if self._link is None or not self._link.is_open:
                address = await self._topology.primary(self._slot)
                try:
                    self._link = await Link.open(address, self._topology.cell.access, CALL_S)
                except Unreachable:
                    self._lost()
                    raise
                self._suspect = False
            return self._link

    def _held(self) -> Link:
        self.used_s = monotonic_s()
        if self._link is None:
            raise RuntimeError(f"run {self.run} was not taken over")
        if not self._link.is_open:
            raise Unreachable(f"{self._link.address}: the connection was lost: take over again")
        return self._link

    async def _ask(self, link: Link, *commands: Command) -> list[Any]:
        try:
            return await link.ask(*commands, deadline_s=CALL_S, keep_errors=True)
        except Unreachable:
            self._lost()
            raise

    def _accepted(self, link: Link, answer: Any) -> Any:
        """A function's answer, if it says OK. Raises what else it means."""
        self._stored(link, answer)
        if answer[0] != b"OK":
            self.ended = answer[0] == b"ENDED"
            refuse(self.run, answer)
        return answer

    def _stored(self, link: Link, answer: Any) -> None:
        """Raise what the server refused."""
        if isinstance(answer, ServerError):
            error = link.refused(answer)
            if isinstance(error, Unreachable):
                self._lost()
            raise error

    def _lost(self) -> None:
        _RECONNECTS.inc()
        self._topology.forget()


def _call(function: bytes, keys: Sequence[bytes], *args: bytes) -> tuple[bytes, ...]:
    return (b"FCALL", function, b"%d" % len(keys), *keys, *args)


def _name(part: Part) -> bytes:
    return part_name(part.rung, part.msn, part.part, part.encoder)


def _fence(claim: Claim) -> bytes:
    epoch = claim.epoch
    return f"{epoch.session} {epoch.attempt} {claim.take} {claim.writer} {claim.session_id}".encode()
