"""Metrics on their way to a collector, by OpenTelemetry's SDK.

Law: what is sent is what `/metrics` shows at that moment, under the same names; totals count from the start, so
what was not taken is made good by the next sending. They are read on the event loop, where all of them change, and sent
from a thread: one sending at a time, each with a deadline. A collector that is away, silent or slow costs a line in the
log. All that OpenTelemetry would read from `OTEL_*` variables is given here, so that they change nothing.
Neighbours: `metrics` has them, `trace_export` sends spans; imported only where something is sent.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from logging import CRITICAL
from typing import Any, cast

import grpc
import prometheus_client
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from headrace.runtime.aio.clock import process_age_s, unix_ns
from headrace.runtime.aio.tasks import beside
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.runtime.telemetry.metrics import Counter, unit_of

EXPORT_S = 5.0  # one sending's time, tries and all
LAST_WORDS_S = 1.0  # for the totals at the end

SENDINGS = Counter(
    "headrace_telemetry_metric_sendings_total",
    "Times that all metrics were sent by OTLP, by whether the collector took them.",
    {"outcome": ("taken", "not_taken")},
)

_VERSION = version("headrace")
_SCOPE = InstrumentationScope("headrace", _VERSION)
_UNITS = {"seconds": "s", "bytes": "By", "ratio": "1", "pixels_per_second": "{pixels}/s"}  # as UCUM writes them
_RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_CUMULATIVE = AggregationTemporality.CUMULATIVE

_lost = RateLimited(logger(__name__), "the collector does not take metrics", period_s=60.0)


class MetricsExport:
    """Sends all metrics to `exporter` every `period_s`, as those of `service` on the pod `instance`."""

    def __init__(self, exporter: MetricExporter, period_s: float, service: str, instance: str) -> None:
        self._exporter = exporter
        self._period_s = period_s
        self._resource = Resource(
            {
                "service.name": f"headrace-{service}",
                "service.namespace": "headrace",
                "service.version": _VERSION,
                "service.instance.id": instance,
            }
        )
        self._started_ns = unix_ns() - round(process_age_s() * 1e9)
        self._under_way: asyncio.Future[str] | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await asyncio.sleep(self._period_s)
            await self.send()

    async def send(self) -> None:
        """Send what is counted now; whether or not it arrives, this returns within twice `EXPORT_S`."""
        why = "the one before is still under way"
        if self._under_way is None or self._under_way.done():
            why = await self._sent(self._read())
        SENDINGS.labels("not_taken" if why else "taken").inc()
        if why:
            _lost({"why": why})

    async def close(self) -> None:
        """Send the last totals, for at most `LAST_WORDS_S`; a sending that is under way is given up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                if self._under_way is not None:
                    await asyncio.wait({self._under_way})
                await self.send()
        self._thread(self._exporter.shutdown)  # which may wait for the call that it ends

    async def _sent(self, data: MetricsData) -> str:
        """Why the collector did not take them; "" if it did."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[str] = loop.create_future()
        self._under_way = over

        def send() -> None:
            try:
                why = "" if self._exporter.export(data) is MetricExportResult.SUCCESS else "not taken"
            except Exception as error:  # of the library's, or of a collector's odd answer
                why = type(error).__name__
            with suppress(RuntimeError):  # the loop has ended before
                loop.call_soon_threadsafe(over.set_result, why)

        self._thread(send)
        ended, _ = await asyncio.wait({over}, timeout=2 * EXPORT_S)  # which keeps its own deadline, we hope
        return over.result() if ended else "it does not end"

    @staticmethod
    def _thread(work: Callable[[], None]) -> None:
        """Start one that no end of the process waits for, as it would for an executor's."""
        threading.Thread(target=work, name="metrics' sending", daemon=True).start()

    def _read(self) -> MetricsData:
        point = partial(_Point, self._started_ns, unix_ns())
        metrics = [metric for family in prometheus_client.REGISTRY.collect() for metric in _metrics(family, point)]
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(_SCOPE, metrics, "")], "")])


@asynccontextmanager
async def sending(exporter: MetricExporter, period_s: float, service: str, instance: str) -> AsyncIterator[None]:
    """Inside the block the process's metrics go to `exporter`; at its end their last totals do."""
    logger("opentelemetry").setLevel(CRITICAL)  # which would say, for each try, what `_lost` says now and then
    export = MetricsExport(exporter, period_s, service, instance)
    try:
        async with beside(export.run()):
            yield
    finally:
        await export.close()


def otlp(endpoint: str, service: str) -> MetricExporter:
    """OTLP over gRPC to a `TelemetrySettings.otlp_endpoint`; the calls' metadata says which `service` it is."""
    return OTLPMetricExporter(
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


class _Point:
    """Makes data points of one moment."""

    def __init__(self, start_ns: int, now_ns: int, labels: dict[str, str]) -> None:
        self._start_ns = start_ns
        self._now_ns = now_ns
        self._labels = labels

    def number(self, value: float) -> NumberDataPoint:
        """A counter's or a gauge's."""
        return NumberDataPoint(self._labels, self._start_ns, self._now_ns, value)

    def histogram(self, samples: Sequence[Sample], name: str) -> HistogramDataPoint:
        """One of buckets; Prometheus' hold all that is smaller, OTLP's what the ones before do not."""
        totals = [(float(s.labels["le"]), int(s.value)) for s in samples if s.name == f"{name}_bucket"]
        counts = [count for _, count in totals]
        return HistogramDataPoint(
            self._labels,
            self._start_ns,
            self._now_ns,
            count=counts[-1],
            sum=next(sample.value for sample in samples if sample.name == f"{name}_sum"),
            bucket_counts=[count - before for before, count in zip([0, *counts[:-1]], counts, strict=True)],
            explicit_bounds=[bound for bound, _ in totals[:-1]],
            min=cast(float, None),  # nobody knows
            max=cast(float, None),
        )


def _metrics(family: Family, point: Callable[[dict[str, str]], _Point]) -> Iterator[Metric]:
    """What OTLP calls a metric: one name, with all of its series."""
    if family.type == "histogram":
        points = [point(labels).histogram(samples, family.name) for labels, samples in _by_labels(family.samples)]
        yield _metric(family, family.name, Histogram(points, _CUMULATIVE))
        return
    by_name: defaultdict[str, list[NumberDataPoint]] = defaultdict(list)
    for sample in family.samples:
        by_name[sample.name].append(point(sample.labels).number(sample.value))
    for name, numbers in by_name.items():
        grows = family.type == "counter" and name.endswith("_total")
        yield _metric(family, name, Sum(numbers, _CUMULATIVE, is_monotonic=True) if grows else Gauge(numbers))


def _metric(family: Family, name: str, data: Sum | Gauge | Histogram) -> Metric:
    unit = unit_of(name)
    return Metric(name, family.documentation, _UNITS.get(unit, f"{{{unit}}}"), data)


def _by_labels(samples: Sequence[Sample]) -> Iterator[tuple[dict[str, str], list[Sample]]]:
    """A histogram's series, each with its buckets in order."""
    series: defaultdict[tuple[tuple[str, str], ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        series[tuple((label, value) for label, value in sample.labels.items() if label != "le")].append(sample)
    for labels, its in series.items():
        yield dict(labels), its
