"""Spans on their way to a collector: one that is there, and those that are not as they should be."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from headrace.core.broadcast import RunId
from headrace.runtime.telemetry import recording, trace_export, traces
from headrace.runtime.telemetry.settings import TelemetrySettings
from headrace.runtime.telemetry.traces import Span, Tracer
from tests.support.collector import Collector
from tests.support.stack import Process, eventually

RUN = RunId("r")
EDGE = Tracer("edge")
ENOUGH = trace_export.MAX_WAITING + 3 * trace_export.BATCH


def not_sent() -> float:
    return sum(float(recording.DROPPED.labels(why)._value.get()) for why in ("queue_full", "not_taken"))


@pytest.fixture
def nobody() -> str:
    """An endpoint that refuses every connection."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def deaf() -> Iterator[str]:
    """One that accepts connections and says nothing, not even HTTP/2's first words."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def to(endpoint: str) -> TelemetrySettings:
    return TelemetrySettings(otlp_endpoint=endpoint)


def test_spans_arrive_with_what_they_say() -> None:
    with Collector() as collector, traces.sent(to(collector.endpoint), "edge", "edge-0"):
        EDGE.of_run(RUN, Span.INGEST, session=3, attempt=1).end()
        failed = EDGE.of_run(RUN, Span.ALLOCATE)
        failed.fail("no_capacity")
        eventually("both are there", lambda: len(collector.spans) == 2, 10)
    ingest, allocate = collector.spans
    assert (ingest.name, ingest.service, ingest.pod, ingest.failed) == ("ingest", "headrace-edge", "edge-0", False)
    assert ingest.attributes == {"headrace.run": "r", "headrace.session": 3, "headrace.attempt": 1}
    assert ingest.trace == allocate.trace
    assert ingest.start <= ingest.end
    assert allocate.failed
    assert allocate.attributes == {"headrace.run": "r", "error.type": "no_capacity"}


def test_what_waits_is_sent_at_the_end() -> None:
    with Collector() as collector:
        with traces.sent(to(collector.endpoint), "edge", "edge-0"):
            for _ in range(trace_export.BATCH * 2 + 1):
                EDGE.of_run(RUN, Span.INGEST).end()
        assert len(collector.spans) == trace_export.BATCH * 2 + 1


def test_opentelemetry_s_own_variables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector(silent=True) as another, Collector() as collector:
        for name, value in {
            "OTEL_SDK_DISABLED": "true",
            "OTEL_TRACES_SAMPLER": "always_off",
            "OTEL_RESOURCE_ATTRIBUTES": "secret=word,service.name=word",
            "OTEL_SERVICE_NAME": "word",
            "OTEL_EXPORTER_OTLP_ENDPOINT": another.endpoint,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": another.endpoint,
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=word",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=word",
            "OTEL_EXPORTER_OTLP_INSECURE": "false",
            "OTEL_EXPORTER_OTLP_TRACES_INSECURE": "false",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere",
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "/nowhere",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0.000001",
            "OTEL_BSP_MAX_QUEUE_SIZE": "1",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
            "OTEL_ATTRIBUTE_COUNT_LIMIT": "0",
            "OTEL_PYTHON_EXPORTER_OTLP_GRPC_TRACES_CREDENTIAL_PROVIDER": "word",
            "http_proxy": another.endpoint,
            "grpc_proxy": another.endpoint,
        }.items():
            monkeypatch.setenv(name, value)
        with traces.sent(to(collector.endpoint), "edge", "edge-0"):
            EDGE.of_run(RUN, Span.INGEST).end()
    assert [(span.service, span.attributes) for span in collector.spans] == [("headrace-edge", {"headrace.run": "r"})]
    assert b"word" not in b"".join(collector.requests)
    (told,) = collector.metadata
    assert "authorization" not in told
    assert told["headrace-service"] == "edge"
    assert "grpc-encoding" not in told
    assert another.requests == []


@pytest.mark.parametrize("kind", ["refuses", "accepts and is deaf", "takes calls and answers none"])
def test_a_collector_that_takes_nothing_costs_spans_and_no_time(
    kind: str, nobody: str, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_export, "EXPORT_S", 0.5)
    before = not_sent()
    with Collector(silent=True) as silent:
        endpoint = {"refuses": nobody, "accepts and is deaf": deaf}.get(kind, silent.endpoint)

        async def trace() -> float:
            """What the loop waited for it at most, seconds."""
            longest_s = 0.0
            for _ in range(20):
                for _ in range(ENOUGH // 20 + 1):
                    EDGE.of_run(RUN, Span.INGEST).end()
                since_s = time.monotonic()
                await asyncio.sleep(0)
                longest_s = max(longest_s, time.monotonic() - since_s)
                await asyncio.sleep(0.05)
            return longest_s

        with traces.sent(to(endpoint), "edge", "edge-0"):
            assert asyncio.run(trace()) < 0.2
            ended_s = time.monotonic()
        assert time.monotonic() - ended_s < trace_export.FLUSH_S + 1.0
        eventually("all is counted", lambda: not_sent() - before >= 20 * (ENOUGH // 20 + 1), 10)
        assert not_sent() - before == 20 * (ENOUGH // 20 + 1)


def test_one_that_comes_back_is_sent_what_is_new(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_export, "EXPORT_S", 0.5)
    monkeypatch.setattr(trace_export, "EVERY_MS", 100)
    with traces.sent(to(nobody), "edge", "edge-0"):
        EDGE.of_run(RUN, Span.INGEST).end()
        before = not_sent()
        eventually("it is given up", lambda: not_sent() > before, 10)
        with Collector(port=int(nobody.rpartition(":")[2])) as collector:

            def arrives() -> bool:
                EDGE.of_run(RUN, Span.ALLOCATE).end()
                return bool(collector.spans)

            eventually("it arrives", arrives, 20, every_s=0.2)


PROCESS = """
import asyncio
from headrace.core.broadcast import RunId
from headrace.runtime import process
from headrace.runtime.probes import Probes
from headrace.runtime.telemetry.traces import Span, Tracer

class Service:
    def __init__(self):
        self.stopping = asyncio.Event()
        self.http_app = Probes(lambda: "")
    def stop(self):
        self.stopping.set()
    async def run(self):
        await self.stopping.wait()
        Tracer("origin").of_run(RunId("r"), Span.FIRST_PLAYLIST).end()

process.run_process("origin", lambda: Service)
"""


def run_and_stop(endpoint: str, **environment: str) -> float:
    """How long a service takes to stop that has something to tell, seconds."""
    http = {"HEADRACE_HTTP_HOST": "127.0.0.1", "HEADRACE_HTTP_PORT": "0", "HEADRACE_POD": "origin-7"}
    with Process([sys.executable, "-c", PROCESS], HEADRACE_OTLP_ENDPOINT=endpoint, **http, **environment) as process:
        eventually("it serves", lambda: "http_port=" in process.output, 20)
        since_s = time.monotonic()
        process.signal(signal.SIGTERM)
        assert process.wait(15) == 0, process.output
        return time.monotonic() - since_s


def test_a_service_s_last_spans_are_sent_before_it_ends() -> None:
    with Collector() as collector:
        run_and_stop(collector.endpoint)
        (span,) = collector.spans
        assert (span.name, span.service, span.pod) == ("first playlist", "headrace-origin", "origin-7")


def test_a_service_stops_in_time_though_its_collector_is_deaf(deaf: str) -> None:
    assert run_and_stop(deaf) < 8  # of the 15 that a spot node gives; a busy machine ends an interpreter slowly


def test_a_collector_with_tls_is_sent_spans_where_its_authority_is_trusted_and_nothing_where_not(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    pairs = [(own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes())]
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with Collector(credentials=grpc.ssl_server_credentials(pairs)) as collector:
        run_and_stop(collector.endpoint)
        assert collector.requests == []
        run_and_stop(collector.endpoint, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=str(trusted))
        assert [span.name for span in collector.spans] == ["first playlist"]


def test_an_endpoint_that_cannot_be_is_a_sentence() -> None:
    with Process([sys.executable, "-c", PROCESS], HEADRACE_OTLP_ENDPOINT="collector:4317") as process:
        assert process.wait(20) == 2
        assert process.output.startswith("headrace origin: HEADRACE_OTLP_ENDPOINT: ")
