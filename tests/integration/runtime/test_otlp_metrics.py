"""Metrics sent by OTLP: what the collector has is what `/metrics` says, and a collector that is away harms nobody."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from headrace.runtime.telemetry import otlp_metrics as module
from headrace.runtime.telemetry.logs import RateLimited
from headrace.runtime.telemetry.metrics import Counter, Gauge, Histogram, exposition
from headrace.runtime.telemetry.otlp_metrics import MetricsExport, otlp, sending
from tests.support.otlp import MetricsCollector, Series, metrics_collector, series

# In the registry that is sent, and not among those that the code declares.
DROPS = Counter("headrace_test_drops_total", "Drops.", {"reason": ("full", "late")}, registry=REGISTRY)
HELD = Gauge("headrace_test_held_bytes", "Held.", registry=REGISTRY)
WAIT = Histogram("headrace_test_wait_seconds", "Waits.", {"kind": ("a", "b")}, buckets=(0.1, 1, 10), registry=REGISTRY)
IDLE = Histogram("headrace_test_idle_seconds", "None.", {"kind": ("a", "b"), "state": ("c", "d")}, registry=REGISTRY)


@pytest.fixture
def collector() -> Iterator[MetricsCollector]:
    with metrics_collector() as collector:
        yield collector


def shown() -> dict[Series, float]:
    """What `/metrics` says of what stands still while nobody looks."""
    text = exposition()[0].decode()
    return {
        series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("headrace_") and "metric_sendings" not in sample.name
    }


def export_to(collector: MetricsCollector) -> MetricsExport:
    return MetricsExport(otlp(collector.endpoint, "test"), 3600, "test", "test-0")


def sendings(outcome: str) -> float:
    return REGISTRY.get_sample_value("headrace_telemetry_metric_sendings_total", {"outcome": outcome}) or 0


async def test_the_collector_has_what_the_exposition_says_value_by_value(collector: MetricsCollector) -> None:
    export = export_to(collector)
    DROPS.labels("full").inc(3)
    HELD.set(-12.5)
    for seconds in (0.05, 0.1, 0.5, 5, 50):
        WAIT.labels("a").observe(seconds)
    try:
        await export.send()
        expected = shown()
        assert len(expected) > 8
        assert {key: value for key, value in collector.series.items() if key in expected} == expected
        DROPS.labels("late").inc()
        WAIT.labels("b").observe(2)
        await export.send()
        changed = shown()
        assert changed != expected
        assert {key: value for key, value in collector.series.items() if key in changed} == changed
    finally:
        await export.close()


async def test_totals_are_cumulative_since_the_process_began_and_units_are_told(collector: MetricsCollector) -> None:
    export = export_to(collector)
    await export.send()
    await export.close()
    drops, held, wait = (
        collector.metrics[f"headrace_test_{name}"] for name in ("drops_total", "held_bytes", "wait_seconds")
    )
    assert drops.sum.is_monotonic
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert (drops.sum.aggregation_temporality, wait.histogram.aggregation_temporality) == (cumulative, cumulative)
    assert held.WhichOneof("data") == "gauge"
    assert (drops.unit, held.unit, wait.unit) == ("{drops}", "By", "s")
    assert drops.description == "Drops."
    point = drops.sum.data_points[0]
    assert 0 < point.start_time_unix_nano < point.time_unix_nano <= time.time_ns()
    assert list(wait.histogram.data_points[0].explicit_bounds) == [0.1, 1, 10]
    resource = {
        each.key: each.value.string_value for each in collector.requests[-1].resource_metrics[0].resource.attributes
    }
    assert (resource["service.name"], resource["service.instance.id"]) == ("headrace-test", "test-0")
    assert collector.senders[-1] == "test"
    assert "process_open_fds" in collector.metrics


async def test_it_sends_every_period_and_the_last_totals_at_the_end(collector: MetricsCollector) -> None:
    async with sending(otlp(collector.endpoint, "test"), 0.05, "test", "test-0"):
        assert await asyncio.to_thread(collector.third.wait, 20)
        DROPS.labels("late").inc()
    assert collector.series[series("headrace_test_drops_total", {"reason": "late"})] == REGISTRY.get_sample_value(
        "headrace_test_drops_total", {"reason": "late"}
    )


async def test_variables_of_open_telemetrys_own_change_nothing(
    collector: MetricsCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "ENDPOINT": "http://127.0.0.1:1",
        "METRICS_ENDPOINT": "http://127.0.0.1:1",
        "INSECURE": "false",
        "HEADERS": "headrace-service=somebody",
        "METRICS_TEMPORALITY_PREFERENCE": "DELTA",
        "TIMEOUT": "0.001",
        "COMPRESSION": "gzip",
    }.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    export = export_to(collector)
    await export.send()
    await export.close()
    assert collector.senders == ["test", "test"]
    assert collector.metrics["headrace_test_drops_total"].sum.is_monotonic


async def test_a_collector_that_refuses_or_is_away_is_counted_and_said_once(
    collector: MetricsCollector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "EXPORT_S", 0.5)
    monkeypatch.setattr(module, "_lost", RateLimited(logging.getLogger("test"), "not taken", period_s=60))
    collector.refuses = grpc.StatusCode.PERMISSION_DENIED
    away = otlp("http://127.0.0.1:1", "test")
    before = sendings("not_taken")
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    for exporter in (otlp(collector.endpoint, "test"), away):
        export = MetricsExport(exporter, 3600, "test", "test-0")
        async with asyncio.timeout(10):
            await export.send()
        await export.close()
    assert sendings("not_taken") - before == 4
    assert [record.message for record in caplog.records] == ["not taken"]


async def test_a_collector_that_is_silent_holds_up_neither_the_loop_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EXPORT_S", 60.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        exporter = otlp(f"http://127.0.0.1:{silent.getsockname()[1]}", "test")
        export = MetricsExport(exporter, 3600, "test", "test-0")
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            sent = group.create_task(export.send())
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert not sent.done()
            sent.cancel()
            await export.close()


async def test_one_sending_that_never_ends_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXPORT_S", 0.05)
    monkeypatch.setattr(module, "LAST_WORDS_S", 0.1)
    stuck = Stuck()
    export = MetricsExport(stuck, 3600, "test", "test-0")
    before = sendings("not_taken")
    try:
        async with asyncio.timeout(5):
            for _ in range(3):
                await export.send()
            await export.close()
        assert stuck.calls == 1
        assert sendings("not_taken") - before == 3
    finally:
        stuck.released.set()


class Stuck(MetricExporter):
    """An exporter whose collector never answers, and that forgets its deadline."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.released = threading.Event()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: object) -> MetricExportResult:
        self.calls += 1
        self.released.wait(30)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **_: object) -> None:
        self.released.wait(30)
