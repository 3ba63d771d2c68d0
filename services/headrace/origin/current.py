"""Which run is a stream's newest, remembered for a second, and longer while the log does not answer.

Law: many viewers of one stream cost the log one lookup a second, with a deadline. What was known once is said again for
a minute where the log does not answer: a run that is live seldom changes, and its players ask for it by its own name.
Neighbours: `http` asks, `livelog` knows.
"""

import asyncio
from typing import NamedTuple

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.base import LiveLog, LogError, Unreachable
from headrace.origin.metrics import STALE_ANSWERS
from headrace.runtime.aio.clock import monotonic_s

REMEMBERED_S = 1.0
STALE_S = 60.0
LOOKUP_S = 1.0
MAX_STREAMS = 10_000  # an entry is ~300 bytes, and anybody can ask for streams that do not exist


class _Known(NamedTuple):
    """The log's last answer, when it came, and how long it is repeated without a question; monotonic seconds."""

    run: RunId | None
    answered_s: float
    until_s: float


class CurrentRuns:
    """A cache of `LiveLog.current`."""

    def __init__(self, log: LiveLog) -> None:
        self._log = log
        self._known: dict[StreamId, _Known] = {}  # oldest first
        self._asking: dict[StreamId, asyncio.Event] = {}

    async def get(self, stream: StreamId) -> RunId | None:
        """The stream's newest run as of at most a second ago, or a minute if the log is away. Raises LogError."""
        while True:
            found = self._known.get(stream)
            if found is not None and found.until_s > monotonic_s():
                return found.run
            if (asking := self._asking.get(stream)) is None:
                return await self._asked(stream, found)
            await asking.wait()

    async def _asked(self, stream: StreamId, found: _Known | None) -> RunId | None:
        over = self._asking[stream] = asyncio.Event()
        try:
            async with asyncio.timeout(LOOKUP_S):
                run = await self._log.current(stream)
            now_s = monotonic_s()
            self._remember(stream, _Known(run, now_s, now_s + REMEMBERED_S))
        except (LogError, TimeoutError) as error:
            now_s = monotonic_s()
            if found is None or found.run is None or now_s - found.answered_s > STALE_S:
                raise error if isinstance(error, LogError) else Unreachable(f"{stream} cannot be looked up") from None
            STALE_ANSWERS.labels("current").inc()
            run = found.run
            self._remember(stream, found._replace(until_s=now_s + REMEMBERED_S))
        finally:
            del self._asking[stream]
            over.set()
        return run

    def _remember(self, stream: StreamId, known: _Known) -> None:
        self._known.pop(stream, None)
        while len(self._known) >= MAX_STREAMS:
            del self._known[next(iter(self._known))]
        self._known[stream] = known
