"""Segments as viewers get them: their parts' bytes, joined once and kept for a while.

Law: bounded in bytes, the longest unused leave first; however many ask for a segment that is not here, the log is
asked once. Neighbours: `livelog` has the parts, `core.hls` says which ones.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from headrace.core.broadcast import RunId
from headrace.core.hls.listing import Segment
from headrace.livelog.base import LiveLog
from headrace.origin.metrics import CACHE_BYTES, CACHE_LOOKUPS

Key = tuple[RunId, str, str]


@dataclass(slots=True)
class _Fetch:
    """One fetch that several requests wait for; `done` stays False when it failed."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    done: bool = False
    body: bytes | None = None


class SegmentCache:
    """A cache of whole segments over the log's parts."""

    def __init__(self, log: LiveLog, max_bytes: int) -> None:
        self._log = log
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._fetches: dict[Key, _Fetch] = {}

    async def get(self, run: RunId, rung: str, segment: Segment) -> bytes | None:
        """The segment's bytes, or None where a part of them has expired. Raises LogError."""
        key = (run, rung, segment.name)
        while True:
            if (body := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                CACHE_LOOKUPS.labels("hit").inc()
                return body
            if (fetch := self._fetches.get(key)) is None:
                CACHE_LOOKUPS.labels("miss").inc()
                return await self._fetch(key, segment)
            await fetch.over.wait()
            if fetch.done:
                CACHE_LOOKUPS.labels("shared").inc()
                return fetch.body

    async def _fetch(self, key: Key, segment: Segment) -> bytes | None:
        fetch = self._fetches[key] = _Fetch()
        try:
            fetch.body = await self._joined(key, segment)
            fetch.done = True
        finally:
            del self._fetches[key]
            fetch.over.set()
        if fetch.body is not None:
            self._keep(key, fetch.body)
        return fetch.body

    async def _joined(self, key: Key, segment: Segment) -> bytes | None:
        run, rung, _ = key
        parts = []
        for number, piece in enumerate(segment.pieces):
            if piece.gap:
                continue
            part = await self._log.get(run, rung, segment.msn, number, piece.encoder)
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
