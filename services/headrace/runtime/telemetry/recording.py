"""One span, and the trace that it is of, as this process records it.

Law: what is finished before the trace's run is known is kept here, at most `MAX_KEPT` spans of a publish; it goes out
when the run is one that is recorded, or when the publish is refused and few others are, else nowhere.
Neighbours: `traces` begins what this records, `trace_export` sends what is finished.
"""

import secrets
from contextvars import ContextVar, Token
from typing import NamedTuple, Protocol

from headrace.core.broadcast import RunId
from headrace.core.errors import HeadraceError
from headrace.runtime.aio.clock import monotonic_s, unix_ns
from headrace.runtime.telemetry.metrics import Counter
from headrace.runtime.telemetry.spans import Attribute, Span, Step
from headrace.runtime.telemetry.trace_ids import Remote, chosen, trace_id_of, traceparent_of

MAX_KEPT = 32  # spans of one publish that wait for its run; a start has half as many
REFUSALS_S = 10  # refused publishes that are told of in a second, whether or not their runs are recorded
MAX_TEXT = 128  # characters of an attribute

SENT = Counter("headrace_telemetry_sent_spans_total", "Spans of traces that the collector took.")
DROPPED = Counter(
    "headrace_telemetry_dropped_spans_total",
    "Spans of traces that were not sent: of a publish with too many, of refusals above so many in a second, those that "
    "found the queue full, and those that the collector did not take.",
    {"reason": ("too_many", "refusals", "queue_full", "not_taken")},
)

Value = str | int


class Finished(NamedTuple):
    """A span that is over. `parent_id` 0: it has none; `error` "": it went well."""

    service: str
    step: Step
    trace_id: int
    span_id: int
    parent_id: int
    remote: bool
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]
    error: str


class Sink(Protocol):
    """Where finished spans go. `ratio`: the part of all runs that is recorded, above 0 and up to 1."""

    ratio: float

    def put(self, finished: Finished) -> None:
        """Take one; neither waits nor raises."""


class _Refusals:
    """How many refusals were told of in this second."""

    def __init__(self) -> None:
        self._second = 0
        self._count = 0

    def admit(self) -> bool:
        second = int(monotonic_s())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= REFUSALS_S


_refusals = _Refusals()
UNDER_WAY: ContextVar["Recorded | Remote | None"] = ContextVar("headrace_span", default=None)
"""The span that what is done here belongs to."""


class Begun:
    """A span that has begun. This one is not recorded."""

    __slots__ = ()

    @property
    def traceparent(self) -> str:
        """W3C's name for it; "" where it is not recorded."""
        return ""

    def child(self, of: Span, start_ns: int = 0) -> "Begun":
        """A step inside it."""
        return self

    def set(self, attribute: Attribute, value: Value) -> None:
        """Say more about it."""

    def join(self, run: RunId, *, stream: str = "", session: int = 0) -> None:
        """A root's run is known: from here on it is decided whether it is recorded."""

    def end(self) -> None:
        """It is over, and went well."""

    def fail(self, code: str) -> None:
        """It is over, and did not."""

    def __enter__(self) -> "Begun":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        pass


OFF = Begun()


class Trace:
    """What the spans of one trace in this process share: its id, and what becomes of those that are finished."""

    __slots__ = ("common", "decided", "id", "kept", "over", "sampled", "service", "sink")

    def __init__(self, service: str, sink: Sink, trace_id: int, *, sampled: bool) -> None:
        self.service = service
        self.sink = sink
        self.id = trace_id
        self.sampled = self.decided = sampled
        self.over = False
        self.common: dict[str, Value] = {}
        self.kept: list[Recorded] = []

    def take(self, span: "Recorded") -> None:
        """A span is finished."""
        if self.sampled:
            self.sink.put(span.finished())
        elif self.over:
            return
        elif len(self.kept) < MAX_KEPT:
            self.kept.append(span)
        else:
            DROPPED.labels("too_many").inc()

    def flush(self) -> None:
        """It is recorded after all."""
        self.sampled = True
        kept, self.kept = self.kept, []
        for span in kept:
            self.sink.put(span.finished())

    def close(self, *, refused: bool) -> None:
        """Its root is over: what is left goes out where it was refused and few others are, else nowhere."""
        if not self.sampled:
            if refused and _refusals.admit():
                self.flush()
            elif refused:
                DROPPED.labels("refusals").inc(len(self.kept))
        self.kept = []
        self.over = True


class Recorded(Begun):
    """A span that is recorded, or may be. `with` it: calls inside say that they belong to it."""

    __slots__ = ("_attributes", "_end_ns", "_error", "_of", "_parent", "_start_ns", "_token", "_trace", "id")

    def __init__(self, trace: Trace, of: Span, parent: "Recorded | Remote | None", start_ns: int = 0) -> None:
        self.id = secrets.randbits(64) or 1
        self._trace = trace
        self._of = of
        self._parent = parent
        self._start_ns = start_ns or unix_ns()
        self._end_ns = 0
        self._error = ""
        self._attributes: dict[str, Value] = {}
        self._token: Token[Recorded | Remote | None] | None = None

    @property
    def traceparent(self) -> str:
        """W3C's name for it; "" once it is decided that it is not recorded."""
        trace = self._trace
        # Before that the receiver keeps its part as we do, until its own answer says which run it is.
        return traceparent_of(trace.id, self.id) if trace.sampled or not trace.decided else ""

    def child(self, of: Span, start_ns: int = 0) -> Begun:
        """A step inside it; `start_ns`: when it began, if not now."""
        return OFF if self._trace.over and not self._trace.sampled else Recorded(self._trace, of, self, start_ns)

    def set(self, attribute: Attribute, value: Value) -> None:
        """Say more about it."""
        self._attributes[attribute.value] = value[:MAX_TEXT] if isinstance(value, str) else value

    def join(self, run: RunId, *, stream: str = "", session: int = 0) -> None:
        """A root's run is known: from here on it is decided whether it is recorded."""
        trace = self._trace
        trace.id, trace.decided = trace_id_of(run), True
        trace.common = ids_of(run, stream=stream, session=session)
        if not trace.over and chosen(trace.id, trace.sink.ratio):
            trace.flush()

    def end(self) -> None:
        """It is over, and went well."""
        self._finish("")

    def fail(self, code: str) -> None:
        """It is over, and did not."""
        self._finish(code)

    def finished(self) -> Finished:
        """As it is sent."""
        trace, parent = self._trace, self._parent
        remote = isinstance(parent, Remote)
        parent_id = 0 if parent is None else parent.span_id if isinstance(parent, Remote) else parent.id
        attributes = {**trace.common, **self._attributes}
        if self._error:
            attributes[Attribute.ERROR.value] = self._error
        return Finished(
            trace.service,
            self._of.value,
            trace.id,
            self.id,
            parent_id,
            remote,
            self._start_ns,
            self._end_ns,
            attributes,
            self._error,
        )

    def __enter__(self) -> "Recorded":
        self._token = UNDER_WAY.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._token is not None:
            UNDER_WAY.reset(self._token)
        if error is None:
            self.end()
        else:
            self.fail(error.code if isinstance(error, HeadraceError) else type(error).__name__)

    def _finish(self, error: str) -> None:
        if self._end_ns:
            return
        # A clock that was set back meanwhile must not make it end before it began.
        self._end_ns, self._error = max(self._start_ns, unix_ns()), error
        self._trace.take(self)
        if not isinstance(self._parent, Recorded):
            self._trace.close(refused=bool(error))


def ids_of(run: RunId, *, stream: str = "", session: int = 0, attempt: int = 0) -> dict[str, Value]:
    """What is known of a run, as attributes; "" and 0: it is not."""
    known: dict[Attribute, Value] = {
        Attribute.RUN: run,
        Attribute.STREAM: stream,
        Attribute.SESSION: session,
        Attribute.ATTEMPT: attempt,
    }
    return {attribute.value: value for attribute, value in known.items() if value}
