"""Segments and parts as viewers get them: fetched from the log once, joined, and kept for a while.

Law: bounded in bytes, the longest unused leave first, and all of a run that nobody watches any more; however many ask
for what is not here, the log is asked once, and nobody waits for it longer than `FETCH_S` or because of another fetch.
Neighbours: `livelog` has the parts, `core.hls` says which ones.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.core.broadcast import RunId
from headrace.core.hls.listing import Piece, Segment, part_name
from headrace.livelog.base import LiveLog, LogError, Unreachable
from headrace.origin.metrics import CACHE_BYTES, CACHE_LIMIT, CACHE_LOOKUPS

FETCH_S = 5.0

Key = tuple[RunId, str, str]
Numbered = tuple[int, Piece]

_HIT, _MISS, _SHARED = (CACHE_LOOKUPS.labels(result) for result in ("hit", "miss", "shared"))


@dataclass(slots=True)
class _Fetch:
    """One fetch that several requests wait for; `done` stays False when it was given up."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    done: bool = False
    body: bytes | None = None
    error: LogError | None = None


class MediaCache:
    """A cache of segments and parts over the log's parts."""

    def __init__(self, log: LiveLog, max_bytes: int) -> None:
        self._log = log
        self._max_bytes = max_bytes
        CACHE_LIMIT.set(max_bytes)
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._fetches: dict[Key, _Fetch] = {}

    def kept(self, run: RunId, rung: str, name: str) -> bytes | None:
        """The bytes of the segment or part of this file name, if they are here."""
        body = self._kept.get(key := (run, rung, name))
        if body is not None:
            self._kept.move_to_end(key)
            _HIT.inc()
        return body

    async def segment(self, run: RunId, rung: str, segment: Segment) -> bytes | None:
        """The segment's bytes, or None where a part of them has expired. Raises LogError."""
        return await self._get((run, rung, segment.name), segment.msn, enumerate(segment.pieces))

    async def part(self, run: RunId, rung: str, msn: int, number: int, piece: Piece) -> bytes | None:
        """One part's bytes, or None where they have expired. Raises LogError."""
        return await self._get((run, rung, part_name(msn, number, piece.encoder)), msn, ((number, piece),))

    def forget(self, run: RunId) -> None:
        """Nobody watches `run`: what is kept of it goes."""
        for key in [key for key in self._kept if key[0] == run]:
            self._kept_bytes -= len(self._kept.pop(key))
        CACHE_BYTES.set(self._kept_bytes)

    async def _get(self, key: Key, msn: int, pieces: Iterable[Numbered]) -> bytes | None:
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._kept_or_fetched(key, msn, pieces)
        except TimeoutError:
            raise Unreachable(f"{key[2]} cannot be fetched now") from None

    async def _kept_or_fetched(self, key: Key, msn: int, pieces: Iterable[Numbered]) -> bytes | None:
        while True:
            if (body := self.kept(*key)) is not None:
                return body
            if (fetch := self._fetches.get(key)) is None:
                _MISS.inc()
                return await self._fetch(key, msn, pieces)
            await fetch.over.wait()
            if fetch.error is not None:
                raise fetch.error
            if fetch.done:
                _SHARED.inc()
                return fetch.body

    async def _fetch(self, key: Key, msn: int, pieces: Iterable[Numbered]) -> bytes | None:
        fetch = self._fetches[key] = _Fetch()
        try:
            fetch.body = await self._joined(key, msn, pieces)
            fetch.done = True
        except LogError as error:
            fetch.error = error
            raise
        finally:
            del self._fetches[key]
            fetch.over.set()
        if fetch.body is not None:
            self._keep(key, fetch.body)
        return fetch.body

    async def _joined(self, key: Key, msn: int, pieces: Iterable[Numbered]) -> bytes | None:
        run, rung, _ = key
        parts = []
        for number, piece in pieces:
            if piece.gap:
                continue
            name = part_name(msn, number, piece.encoder)
            part = self._kept.get((run, rung, name)) or await self._log.get(run, rung, msn, number, piece.encoder)
            if part is None or len(part) != piece.size:
                return None
            parts.append(part)
        return b"".join(parts)

    def _keep(self, key: Key, body: bytes) -> None:
        if len(body) > self._max_bytes:
            return
        self._kept[key] = body
        self._kept_bytes += len(body)
        while self._kept_bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= len(oldest)
        CACHE_BYTES.set(self._kept_bytes)
