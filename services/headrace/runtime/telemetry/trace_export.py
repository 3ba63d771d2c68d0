"""Finished spans on their way to a collector, by OpenTelemetry's SDK.

Law: whoever finishes a span waits for nothing: a queue that is full drops and counts, a thread sends what waits. A
collector that is away, silent or slow costs spans and nothing else; at the end it has `FLUSH_S`. All that OpenTelemetry
would read from `OTEL_*` variables is given here, so that they change nothing. Neighbours: `traces` finishes spans and
imports this module where they are sent at all, so that a process without traces does not load it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from logging import CRITICAL
from typing import Any, cast

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.runtime.telemetry.recording import DROPPED, SENT, Finished

MAX_WAITING = 2048  # spans; at up to 1 KiB each 2 MiB
BATCH = 256
EVERY_MS = 1000
EXPORT_S = 5.0  # one batch's time, tries and all
FLUSH_S = 1.0  # for what is left when the process ends

_VERSION = version("headrace")
_SCOPE = InstrumentationScope("headrace", _VERSION)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)

_lost = RateLimited(logger(__name__), "the collector does not take traces", period_s=60.0)


class _Counted(SpanExporter):
    """What `inner` exports, counted. `taken`: how many spans left the queue so far."""

    def __init__(self, inner: SpanExporter) -> None:
        self.taken = 0
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """In the processor's thread."""
        self.taken += len(spans)
        try:
            result, why = self._inner.export(spans), "not taken"
        except Exception as error:  # of the library's, or of a collector's odd answer
            result, why = SpanExportResult.FAILURE, type(error).__name__
        if result is SpanExportResult.SUCCESS:
            SENT.inc(len(spans))
        else:
            DROPPED.labels("not_taken").inc(len(spans))
            _lost({"spans": len(spans), "why": why})
        return result

    def shutdown(self) -> None:
        """No more comes; what is under way is given up."""
        self._inner.shutdown()


class TraceExport:
    """A `traces.Sink`: everything goes to `exporter`, until `close`."""

    def __init__(self, exporter: SpanExporter, ratio: float, instance: str) -> None:
        self.ratio = ratio
        self._instance = instance
        self._exporter = _Counted(exporter)
        self._put = 0
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=MAX_WAITING,
            schedule_delay_millis=EVERY_MS,
            max_export_batch_size=BATCH,
            export_timeout_millis=EXPORT_S * 1000,
            meter_provider=NoOpMeterProvider(),
        )

    def put(self, finished: Finished) -> None:
        """Queue one."""
        if self._put - self._exporter.taken >= MAX_WAITING:
            DROPPED.labels("queue_full").inc()
            return
        self._put += 1
        self._processor.on_end(_readable(finished, self._instance))

    def close(self) -> None:
        """Send what waits, for at most `FLUSH_S`."""
        flushing = threading.Thread(target=self._processor.shutdown, name="traces' last words", daemon=True)
        flushing.start()
        flushing.join(FLUSH_S)
        if flushing.is_alive():
            self._exporter.shutdown()  # which ends the call that it waits for


@contextmanager
def exporting(exporter: SpanExporter, ratio: float, instance: str) -> Iterator[TraceExport]:
    """What puts spans into `exporter`'s queue, while the block runs; at its end those that wait are sent."""
    logger("opentelemetry").setLevel(CRITICAL)  # which would say, for each try, what `_lost` says now and then
    export = TraceExport(exporter, ratio, instance)
    try:
        yield export
    finally:
        export.close()


def otlp(endpoint: str, service: str) -> SpanExporter:
    """OTLP over gRPC to a `TelemetrySettings.otlp_endpoint`; the calls' metadata says which `service` it is."""
    return OTLPSpanExporter(
        endpoint=endpoint,
        insecure=endpoint.startswith("http://"),
        credentials=grpc.ssl_channel_credentials() if endpoint.startswith("https://") else None,
        headers=(("headrace-service", service),),  # without any, OTEL_EXPORTER_OTLP_HEADERS would count
        timeout=EXPORT_S,
        compression=grpc.Compression.NoCompression,
        # As everywhere else: pods reach each other directly, whatever proxy the environment names.
        channel_options=cast(Any, (("grpc.enable_http_proxy", 0),)),
        retryable_error_codes=_RETRIED,
        meter_provider=NoOpMeterProvider(),
    )


@cache
def _resource(service: str, instance: str) -> Resource:
    return Resource(
        {
            "service.name": f"headrace-{service}",
            "service.namespace": "headrace",
            "service.version": _VERSION,
            "service.instance.id": instance,
        }
    )


def _readable(finished: Finished, instance: str) -> ReadableSpan:
    parent = None
    if finished.parent_id:
        parent = SpanContext(finished.trace_id, finished.parent_id, finished.remote, _SAMPLED)
    return ReadableSpan(
        name=finished.step.name,
        context=SpanContext(finished.trace_id, finished.span_id, False, _SAMPLED),
        parent=parent,
        resource=_resource(finished.service, instance),
        attributes=finished.attributes,
        kind=SpanKind[finished.step.kind],
        status=Status(StatusCode.ERROR, finished.error) if finished.error else Status(StatusCode.UNSET),
        start_time=finished.start_ns,
        end_time=finished.end_ns,
        instrumentation_scope=_SCOPE,
    )
