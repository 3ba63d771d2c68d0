"""Whether what was staged is on all replicas.

Law: after one wait that was too short the run is undurable, and each further one is short, until a wait shows all of
them again: the media goes on. Once a second one is long enough for replicas that are far away.
Neighbours: `writing` waits before it publishes.
"""

from headrace.core.broadcast import RunId
from headrace.livelog import metrics
from headrace.livelog.redis.connection import Link
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, logger

WAIT_MS = 3000
UNDURABLE_WAIT_MS = 1
PROBE_WAIT_MS = 50  # a replica in another zone is back, and never answers within a millisecond
PROBE_EVERY_S = 1.0
REPLY_S = 1.0  # beyond the wait itself

_log = logger(__name__)
_undurable = RateLimited(_log, "the run is undurable: a failover now may lose what is published", at_most=FOR_EACH)
_durable = RateLimited(_log, "the run is durable again", at_most=FOR_EACH)


class Waiting:
    """Waits for `r` replicas; none at all where r is 0."""

    def __init__(self, run: RunId, r: int) -> None:
        self._run = run
        self._r = r
        self._undurable = False
        self._waited_s = 0.0  # when the last long wait began

    async def wait(self, link: Link) -> bool:
        """Whether all that was written over `link` is on every replica. Raises Unreachable."""
        if not self._r:
            return True
        limit_ms = self._limit_ms()
        command = (b"WAIT", b"%d" % self._r, b"%d" % limit_ms)
        [acknowledged] = await link.ask(command, deadline_s=limit_ms / 1000 + REPLY_S)
        durable = bool(acknowledged >= self._r)
        if not durable:
            metrics.SHORT_WAITS.inc()
        if durable is self._undurable:
            self._turn(undurable=not durable, acknowledged=acknowledged)
        return durable

    def leave(self) -> None:
        """This run is written here no more."""
        if self._undurable:
            metrics.UNDURABLE_RUNS.dec()
        self._undurable = False

    def _limit_ms(self) -> int:
        now_s = monotonic_s()
        if self._undurable and now_s - self._waited_s < PROBE_EVERY_S:
            return UNDURABLE_WAIT_MS
        self._waited_s = now_s
        return PROBE_WAIT_MS if self._undurable else WAIT_MS

    def _turn(self, *, undurable: bool, acknowledged: int) -> None:
        self._undurable = undurable
        metrics.UNDURABLE_RUNS.inc(1 if undurable else -1)
        extra = {"run": self._run, "replicas": self._r, "acknowledged": acknowledged}
        if undurable:
            _undurable(extra)
        else:
            _durable(extra)
