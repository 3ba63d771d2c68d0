"""A collector of traces as OpenTelemetry's protocol has it: what it was sent is kept, as bytes and as spans."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from headrace.runtime.telemetry.traces import Span

ERROR = 2  # STATUS_CODE_ERROR


@dataclass(frozen=True, slots=True)
class Collected:
    """A span as it was sent. Ids in hex, `parent` "" where it has none; `start` and `end` in Unix nanoseconds."""

    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    attributes: dict[str, str | int]
    service: str
    pod: str
    failed: bool


class Collector(TraceServiceServicer):
    """Listens while its block runs; `port` 0 is any. One that is `silent` takes calls and answers none.

    With `credentials` it speaks TLS.
    """

    def __init__(
        self, *, port: int = 0, silent: bool = False, credentials: grpc.ServerCredentials | None = None
    ) -> None:
        self.requests: list[bytes] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self._silent = silent
        self._over = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(4))
        add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        target = f"127.0.0.1:{port}"
        self._scheme = "https" if credentials else "http"
        self._port = (
            self._server.add_secure_port(target, credentials) if credentials else self._server.add_insecure_port(target)
        )

    @property
    def endpoint(self) -> str:
        """What `HEADRACE_OTLP_ENDPOINT` is set to."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    def __enter__(self) -> "Collector":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.stop(0).wait()

    def Export(self, request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> ExportTraceServiceResponse:
        """The protocol's only call."""
        self.requests.append(request.SerializeToString())
        self.metadata.append(dict(context.invocation_metadata()))
        if self._silent:
            self._over.wait()
        return ExportTraceServiceResponse()

    @property
    def spans(self) -> list[Collected]:
        """All of them."""
        return [
            Collected(
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                _values(span.attributes),
                str(_values(resource.resource.attributes)["service.name"]),
                str(_values(resource.resource.attributes)["service.instance.id"]),
                span.status.code == ERROR,
            )
            for data in tuple(self.requests)
            for resource in ExportTraceServiceRequest.FromString(data).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, which: Span, run: str = "") -> list[Collected]:
        """Those of one name, of `run` if it is given."""
        named = [span for span in self.spans if span.name == which.value.name]
        return [span for span in named if not run or span.attributes.get("headrace.run") == run]


def _values(attributes: Sequence[KeyValue]) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in attributes}
