"""Which run is a stream's newest, remembered for a second.

Law: many viewers of one stream cost the log one lookup a second. Neighbours: `http` asks, `livelog` knows.
"""

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.base import LiveLog
from headrace.runtime.aio.clock import monotonic_s

REMEMBERED_S = 1.0
MAX_STREAMS = 10_000  # an entry is ~300 bytes, and anybody can ask for streams that do not exist


class CurrentRuns:
    """A cache of `LiveLog.current`."""

    def __init__(self, log: LiveLog) -> None:
        self._log = log
        self._known: dict[StreamId, tuple[float, RunId | None]] = {}  # oldest first

    async def get(self, stream: StreamId) -> RunId | None:
        """The stream's newest run as of at most a second ago, or None. Raises LogError."""
        found = self._known.get(stream)
        if found is not None and found[0] > monotonic_s():
            return found[1]
        run = await self._log.current(stream)
        self._known.pop(stream, None)
        while len(self._known) >= MAX_STREAMS:
            del self._known[next(iter(self._known))]
        self._known[stream] = (monotonic_s() + REMEMBERED_S, run)
        return run
