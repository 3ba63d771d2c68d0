"""One line for each thing that is said: as text for people, or as a JSON object for programs.

Law: whatever a value holds, it makes no line of its own and no field of its own: control characters are written as
escapes, values with blanks are quoted. Times are UTC (RFC 3339). Everything passes `redact`. A record that cannot be
formatted is a line that says so. Neighbours: `logs` chooses between the two, `context` knows what the work is about.
"""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from headrace.runtime.telemetry import context
from headrace.runtime.telemetry.redaction import redact

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_HEAD = ("time", "level", "logger", "message", "service", "pod")
_IN_EXCEPTIONS = "  | "


class TextLines(logging.Formatter):
    """`time level logger message key=value …`; an exception follows, each of its lines behind a bar."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the exception's lines."""
        head = f"{_time(record)} {record.levelname.lower()} {record.name} {escaped(_message(record))}"
        line = " ".join([head, *(f"{key}={_quoted(_text(value))}" for key, value in _fields(record))])
        trace = _exception(self, record)
        return line + "".join(f"\n{_IN_EXCEPTIONS}{escaped(one)}" for one in trace.splitlines())


class JsonLines(logging.Formatter):
    """One object for each record; `service` and `pod` say whose it is."""

    def __init__(self, service: str, pod: str) -> None:
        super().__init__()
        self._whose = {"service": service, "pod": pod}

    def format(self, record: logging.LogRecord) -> str:
        """The object, on one line."""
        said: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **self._whose,
        }
        for key, value in _fields(record):
            said[f"{key}_" if key in _HEAD and said[key] != value else key] = _plain(value)
        if trace := _exception(self, record):
            said["exception"] = trace
        return json.dumps(said)


def escaped(text: str) -> str:
    """`text` with everything that is not to be seen, line ends and a terminal's commands among it, as escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return redact(record.getMessage())
    except Exception as error:
        return f"a line that cannot be written ({type(error).__name__}): {redact(str(record.msg))}"


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    own = {key: value for key, value in vars(record).items() if key not in _PLAIN}
    yield from {**context.known(), **own}.items()


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return redact(formatter.formatException(record.exc_info))


def _text(value: object) -> str:
    try:
        return redact(str(value))
    except Exception as error:
        return f"a value that cannot be written ({type(error).__name__})"


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and abs(value) != float("inf") and value == value:
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _text(value)


def _quoted(text: str) -> str:
    if text and text.isprintable() and not any(one in text for one in ' "=\\'):
        return text
    return '"' + escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
