"""Spans that a test has the process record: kept in memory, as they would be sent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from headrace.runtime.telemetry.trace_export import TraceExport
from headrace.runtime.telemetry.traces import Span, recorded_by


class Memory(SpanExporter):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """In the exporting thread."""
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def named(self, *which: Span) -> list[ReadableSpan]:
        """Those of some names, in the order in which they came."""
        names = {each.value.name for each in which}
        return [span for span in self.spans if span.name in names]

    def one(self, which: Span) -> ReadableSpan:
        """The only one of its name."""
        (span,) = self.named(which)
        return span


@contextmanager
def recorded(ratio: float = 1.0) -> Iterator[Memory]:
    """What is recorded inside the block; after it, all of it is there."""
    memory = Memory()
    export = TraceExport(memory, ratio, "test")
    try:
        with recorded_by(export):
            yield memory
    finally:
        export.close()


def ids(span: ReadableSpan) -> tuple[int, int]:
    """A span's trace, and its own id."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id
