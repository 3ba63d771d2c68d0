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

__all__ = ["FOR_EACH", "RateLimited", "about", "configure", "learn", "logger"]

FOR_EACH = 50
"""Lines a second about what encoders and clients with a good key do: one for each of theirs, in all but a flood."""

STRANGERS = 10
"""Lines a second of all other packages' loggers together: what peers can make them say is nowhere written."""


class Allowance:
    """At most `at_most` lines in each period of `period_s`."""

    def __init__(self, at_most: int, period_s: float = 1.0) -> None:
        self._at_most = at_most
        self._period_s = period_s
        self._ends_s = float("-inf")
        self._said = 0
        self._count = 0

    def take(self) -> int:
        """How many a line stands for, itself and those before it that had no room; 0: it has none either."""
        self._count += 1
        now_s = monotonic_s()
        if now_s >= self._ends_s:
            self._ends_s = now_s + self._period_s
            self._said = 0
        if self._said >= self._at_most:
            return 0
        self._said += 1
        count, self._count = self._count, 0
        return count


_strangers = Allowance(STRANGERS)


class _Handler(logging.Handler):
    """Writes to whatever standard error is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("headrace"):
            times = _strangers.take()
            if not times:
                return
            if times > 1:
                record.times = times
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
    """Says something at most `at_most` times in a period, and then how often it happened meanwhile."""

    def __init__(self, log: logging.Logger, message: str, period_s: float = 1.0, at_most: int = 1) -> None:
        self._log = log
        self._message = message
        self._allowance = Allowance(at_most, period_s)

    def __call__(
        self,
        extra: Mapping[str, object] | None = None,
        *,
        level: int = logging.WARNING,
        error: BaseException | None = None,
    ) -> None:
        """Count one; log it with `extra`, `error` and `times`, if more than one is meant, where there is room.

        What the level leaves out takes no room from what is worse.
        """
        if self._log.isEnabledFor(level) and (times := self._allowance.take()):
            more = {"times": times} if times > 1 else {}
            self._log.log(level, self._message, exc_info=error, extra={**(extra or {}), **more})


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return sys.__excepthook__(kind, error, trace)
    return logger("headrace").critical("this process ends, for an error that nobody caught", exc_info=error)


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    logger("headrace").critical("a thread ended, for an error that nobody caught", exc_info=failed.exc_value)
