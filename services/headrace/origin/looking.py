"""One more reading of a run, for those who ask for what another origin may have shown already.

Law: who asks gets a reading that begins after the question, and shares it with all others who asked before it began;
there is one at a time, and none sooner than `EVERY_S` after the one before it.
Neighbours: `follower` reads on by itself, which is how news comes as a rule.
"""

import asyncio

from headrace.livelog.base import LiveLog, Unreachable
from headrace.origin.followed import FollowedRun
from headrace.origin.metrics import LOG_LOOKS
from headrace.runtime.aio.clock import monotonic_s

EVERY_S = 0.05
LONGEST_S = 2.0


class Looks:
    """The readings of one run that were asked for."""

    def __init__(self, log: LiveLog, followed: FollowedRun) -> None:
        self._log = log
        self._followed = followed
        self._lock = asyncio.Lock()
        self._begun = self._done = 0
        self._begun_s = -EVERY_S

    async def again(self) -> None:
        """Have read the log at least once since this call. Raises LogError."""
        before = self._begun
        try:
            async with asyncio.timeout(LONGEST_S), self._lock:
                if self._done <= before:
                    await self._read()
        except TimeoutError:
            raise Unreachable(f"run {self._followed.run} cannot be read now") from None

    async def _read(self) -> None:
        await asyncio.sleep(max(0.0, self._begun_s + EVERY_S - monotonic_s()))
        self._begun += 1
        self._begun_s = monotonic_s()
        LOG_LOOKS.inc()
        followed, before = self._followed, -1
        while before != followed.readings:  # what was overtaken may be older than what is known
            before = followed.readings
            reading = await self._log.read(followed.run, followed.cursor)
        followed.take(reading)
        self._done = self._begun
