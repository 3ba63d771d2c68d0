"""Traces: where the time between an encoder's first byte and the first playlist goes.

Law: a run is one trace, whose id is made of the run's and decides whether it is recorded: so every pod decides alike,
and nobody asks another. Where nothing is recorded every call here does nothing; nothing here ever waits, and no frame
comes by. Neighbours: `spans` has the names, `recording` keeps what is begun here, `trace_export` sends what is
finished; `wire.context` carries `traceparent` between services, the log's first entry to origins.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.core.broadcast import RunId
from headrace.runtime.telemetry.recording import (
    OFF,
    UNDER_WAY,
    Begun,
    Recorded,
    Sink,
    Trace,
    ids_of,
)
from headrace.runtime.telemetry.settings import TelemetrySettings
from headrace.runtime.telemetry.spans import Attribute, Span
from headrace.runtime.telemetry.trace_ids import Remote, chosen, parsed, trace_id_of

__all__ = ["OFF", "Attribute", "Begun", "Span", "Tracer", "heard", "here", "on", "recorded_by", "sent", "step"]

_sink: Sink | None = None


class Tracer:
    """Begins the traces of one service, `service` by name."""

    def __init__(self, service: str) -> None:
        self._service = service

    def arrival(self, of: Span, start_ns: int = 0) -> Begun:
        """A root whose run is not known yet: `join` it. `start_ns`: when it began, if not now."""
        if _sink is None:
            return OFF
        here = UNDER_WAY.get()
        remote = here if isinstance(here, Remote) else None
        trace_id = remote.trace_id if remote else secrets.randbits(128) or 1
        return Recorded(Trace(self._service, _sink, trace_id, sampled=False), of, remote, start_ns)

    def answer(self, of: Span) -> Begun:
        """Our part of what the caller does, if it does it for a run that is recorded."""
        here = UNDER_WAY.get()
        if _sink is None or not isinstance(here, Remote) or not chosen(here.trace_id, _sink.ratio):
            return OFF
        return Recorded(Trace(self._service, _sink, here.trace_id, sampled=True), of, here)

    def of_run(
        self, run: RunId, of: Span, *, parent: str = "", session: int = 0, attempt: int = 0, start_ns: int = 0
    ) -> Begun:
        """A part of `run`'s trace, below the span of another process that `parent` names, or that calls."""
        if _sink is None:
            return OFF
        trace_id = trace_id_of(run)
        if not chosen(trace_id, _sink.ratio):
            return OFF
        trace = Trace(self._service, _sink, trace_id, sampled=True)
        trace.common = ids_of(run, session=session, attempt=attempt)
        above = parsed(parent) if parent else UNDER_WAY.get()
        # What names another trace is no parent: it would hang in the air.
        fits = isinstance(above, Remote) and above.trace_id == trace_id
        return Recorded(trace, of, above if fits else None, start_ns)


def step(of: Span) -> Begun:
    """A step inside the span that is under way here."""
    here = UNDER_WAY.get()
    return here.child(of) if isinstance(here, Recorded) else OFF


def here() -> str:
    """The `traceparent` of the span that is under way here, "" where none is."""
    span = UNDER_WAY.get()
    return span.traceparent if isinstance(span, Recorded) else ""


def heard(traceparent: str) -> None:
    """What this task does is done for the span of another process; "" or what cannot be read: for nobody's."""
    UNDER_WAY.set(parsed(traceparent))


def on() -> bool:
    """Whether anything is recorded."""
    return _sink is not None


@contextmanager
def recorded_by(sink: Sink) -> Iterator[None]:
    """Inside the block the whole process's spans go to `sink`."""
    global _sink
    before, _sink = _sink, sink
    try:
        yield
    finally:
        _sink = before


@contextmanager
def sent(settings: TelemetrySettings, service: str, instance: str) -> Iterator[None]:
    """Inside the block the process's spans go where `settings` say; at its end what waits is sent, within a second.

    `service` and `instance` say which process it is.
    """
    if not settings.otlp_endpoint or not settings.trace_ratio:
        yield
        return
    # OpenTelemetry is loaded by those who use it.
    from headrace.runtime.telemetry.trace_export import exporting, otlp

    exporter = otlp(settings.otlp_endpoint, service)
    with exporting(exporter, settings.trace_ratio, instance) as export, recorded_by(export):
        yield
