"""A collector of metrics of the tests' own: what OpenTelemetry's protocol brings, kept as it came."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

Series = tuple[str, tuple[tuple[str, str], ...]]


class MetricsCollector(MetricsServiceServicer):
    """Takes everything. `refuses`: answers that instead."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.requests: list[ExportMetricsServiceRequest] = []
        self.senders: list[str] = []
        self.third = threading.Event()
        """Whether it has had three requests."""
        self.refuses: grpc.StatusCode | None = None

    def Export(self, request: ExportMetricsServiceRequest, context: Any) -> ExportMetricsServiceResponse:
        if self.refuses is not None:
            context.abort(self.refuses, "not today")
        self.senders.append(dict(context.invocation_metadata())["headrace-service"])
        self.requests.append(request)
        if len(self.requests) >= 3:
            self.third.set()
        return ExportMetricsServiceResponse()

    @property
    def metrics(self) -> dict[str, Metric]:
        """Those of the newest request, by name."""
        return {
            metric.name: metric
            for of_resource in self.requests[-1].resource_metrics
            for of_scope in of_resource.scope_metrics
            for metric in of_scope.metrics
        }

    @property
    def series(self) -> dict[Series, float]:
        """The newest request as Prometheus would have it: each series with its value."""
        found: dict[Series, float] = {}
        for name, metric in self.metrics.items():
            for point in metric.histogram.data_points:
                labels = {each.key: each.value.string_value for each in point.attributes}
                total = 0
                for bound, count in zip([*point.explicit_bounds, float("inf")], point.bucket_counts, strict=True):
                    total += count
                    found[series(f"{name}_bucket", {**labels, "le": le(bound)})] = total
                found[series(f"{name}_count", labels)] = point.count
                found[series(f"{name}_sum", labels)] = point.sum
            for number in (*metric.sum.data_points, *metric.gauge.data_points):
                labels = {each.key: each.value.string_value for each in number.attributes}
                found[series(name, labels)] = number.as_double
        return found


def series(name: str, labels: dict[str, str]) -> Series:
    """One series' identity."""
    return name, tuple(sorted(labels.items()))


def le(bound: float) -> str:
    """A bucket's bound as Prometheus writes it."""
    return "+Inf" if bound == float("inf") else str(bound)


@contextmanager
def metrics_collector() -> Iterator[MetricsCollector]:
    """One that listens on a free port of this machine."""
    collector = MetricsCollector()
    server = grpc.server(ThreadPoolExecutor(2))
    add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()
