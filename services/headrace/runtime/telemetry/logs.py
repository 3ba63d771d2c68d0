"""Structured logs on standard error, as text or JSON: what happened, and to which run.

Law: context goes into `about` or `extra`, never into the message; what peers can cause goes through `RateLimited`; an
exception that nobody catches is a line like any other. Neighbours: `context` is what the work is about, `lines` the
form, `redaction` the last fence before a secret.
"""

import logging
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.context import about, learn
from headrace.runtime.telemetry.lines import JsonLines, TextLines
from headrace.runtime.telemetry.settings import LogFormatSettings

__all__ = ["RateLimited", "about", "configure", "learn", "logger"]


class _Handler(logging.Handler):
    """Writes to whatever standard error is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        # Where standard error is gone or full there is nobody to be told.
        with suppress(OSError, ValueError):
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


def configure(service: str = "", pod: str = "", settings: LogFormatSettings | None = None) -> None:
    """Send the process's logs to standard error, as `service` on `pod`. Raises BadSetting."""
    settings = settings or LogFormatSettings()
    handler = _Handler()
    handler.setFormatter(JsonLines(service, pod) if settings.log_format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for talkative in ("alembic", "httpx"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # Its warnings are one for each bad request, as fast as a peer sends them.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


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

    def __call__(
        self,
        extra: Mapping[str, object] | None = None,
        *,
        level: int = logging.WARNING,
        error: BaseException | None = None,
    ) -> None:
        """Count one; log with `extra`, `error` and the count if the last line is older than the period."""
        self._count += 1
        now = monotonic_s()
        if now < self._quiet_until:
            return
        self._log.log(level, self._message, exc_info=error, extra={**(extra or {}), "times": self._count})
        self._quiet_until = now + self._period_s
        self._count = 0


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return sys.__excepthook__(kind, error, trace)
    return logger("headrace").critical("this process ends, for an error that nobody caught", exc_info=error)


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    logger("headrace").critical("a thread ended, for an error that nobody caught", exc_info=failed.exc_value)
