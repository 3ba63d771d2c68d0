"""Structured logs: one line of `key=value` pairs on standard error.

Law: context goes into `extra`, never into the message; what peers can cause goes through `RateLimited`.
"""

import logging
import sys
from collections.abc import Mapping

from headrace.runtime.aio.clock import monotonic_s

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _KeyValue(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        context = "".join(f" {k}={v}" for k, v in vars(record).items() if k not in _PLAIN)
        head = f"{stamp}.{int(record.msecs):03d} {record.levelname.lower()} {record.name}"
        line = f"{head} {record.getMessage()}{context}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure(level: str = "INFO") -> None:
    """Send the process's logs to standard error from `level` upward."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KeyValue())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for talkative in ("alembic", "httpx"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # Its warnings are one for each bad request, as fast as a peer sends them.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


def logger(name: str) -> logging.Logger:
    """The logger of a module."""
    return logging.getLogger(name)


class RateLimited:
    """Says something at most once a second, and then how often it happened meanwhile."""

    def __init__(self, log: logging.Logger, message: str, period_s: float = 1.0) -> None:
        self._log = log
        self._message = message
        self._period_s = period_s
        self._quiet_until = float("-inf")
        self._count = 0

    def __call__(self, extra: Mapping[str, object] | None = None, *, level: int = logging.WARNING) -> None:
        """Count one; log with `extra` and the count if the last line is older than the period."""
        self._count += 1
        now = monotonic_s()
        if now < self._quiet_until:
            return
        self._log.log(level, self._message, extra={**(extra or {}), "times": self._count})
        self._quiet_until = now + self._period_s
        self._count = 0
