"""How many calls there are, how they end, and how long they take: of each method, on both of its sides.

Law: a method is one of ours, or `other`; a status is one of gRPC's. A call is measured as a whole, from its first byte
to its end, and pays nothing for a message: so a client's is measured by who makes it, since gRPC's own interceptors
would put a queue into a stream. Neighbours: `channel` puts `Measured` before each server, `calls`, `media` and
`control` measure what they call.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from types import TracebackType
from typing import Any, TypeVar

import grpc
from grpc.aio import AbortError, AioRpcError, InternalError, ServerInterceptor, ServicerContext

from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.metrics import OTHER, Counter, Gauge, Histogram
from headrace.wire.v1 import control_pb2, media_pb2

METHODS = (
    *(
        f"{service.name}/{method.name}"
        for file in (control_pb2, media_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ),
    *("Health/Check", "Health/List", "Health/Watch", "ServerReflection/ServerReflectionInfo", OTHER),
)
STATUSES = tuple(status.name for status in grpc.StatusCode)
# Calls that ask for something take milliseconds; those that report or bring media last for hours.
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)

SERVED = Counter(
    "headrace_wire_served_calls_total",
    "gRPC calls to this process, by how they ended.",
    {"method": METHODS, "status": STATUSES},
)
SERVED_S = Histogram(
    "headrace_wire_served_call_seconds",
    "How long gRPC calls to this process took, from their first byte to their end.",
    {"method": METHODS},
    buckets=SECONDS,
)
SERVED_NOW = Gauge(
    "headrace_wire_served_open_calls", "gRPC calls to this process that have not ended.", {"method": METHODS}
)
MADE = Counter(
    "headrace_wire_made_calls_total",
    "gRPC calls of this process to others, by how they ended.",
    {"method": METHODS, "status": STATUSES},
)
MADE_S = Histogram(
    "headrace_wire_made_call_seconds",
    "How long gRPC calls of this process to others took, from the wish to make them to their end.",
    {"method": METHODS},
    buckets=SECONDS,
)
MADE_NOW = Gauge(
    "headrace_wire_made_open_calls", "gRPC calls of this process to others that have not ended.", {"method": METHODS}
)

M = TypeVar("M", Counter, Gauge, Histogram)

Context = ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Any]

_KINDS = {False: "unary", True: "stream"}


class MadeCall:
    """One call to another process, which begins now. A `with` block of it ends as its error says."""

    def __init__(self, full: str) -> None:
        """`full`: the method's path."""
        self._method = _method(full)
        self._began_s = monotonic_s()
        self._over = False
        _one(MADE_NOW, self._method).inc()

    def ended(self, status: grpc.StatusCode) -> None:
        """The call is over; only the first word counts."""
        if not self._over:
            self._over = True
            _one(MADE_NOW, self._method).dec()
            _one(MADE, self._method, status.name).inc()
            _one(MADE_S, self._method).observe(monotonic_s() - self._began_s)

    def __enter__(self) -> "MadeCall":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended(grpc.StatusCode.OK if error is None else _status(error))


class Measured(ServerInterceptor):
    """Before every other interceptor of a server."""

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """The method's handler, measured."""
        method = _method(details.method)
        handler = await continuation(details)
        if handler is None:
            SERVED.labels(method, grpc.StatusCode.UNIMPLEMENTED.name).inc()
            return None
        kind = f"{_KINDS[handler.request_streaming]}_{_KINDS[handler.response_streaming]}"
        behave: Handler = getattr(handler, kind)
        measured = _answers if inspect.isasyncgenfunction(behave) else _answer
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(measured(method, behave), handler.request_deserializer, handler.response_serializer)


def _answer(method: str, behave: Handler) -> Handler:
    async def measured(request: Any, context: Context) -> Any:
        with _served(method, context):
            return await behave(request, context)

    return measured


def _answers(method: str, behave: Handler) -> Handler:
    async def measured(request: Any, context: Context) -> AsyncIterator[Any]:
        with _served(method, context):
            async for answer in behave(request, context):
                yield answer

    return measured


@contextmanager
def _served(method: str, context: Context) -> Iterator[None]:
    began_s = monotonic_s()
    status = grpc.StatusCode.OK
    try:
        with _one(SERVED_NOW, method).track_inprogress():
            yield
    except BaseException as error:
        status = _told(context) if isinstance(error, AbortError) else _status(error)
        raise
    finally:
        _one(SERVED, method, status.name).inc()
        _one(SERVED_S, method).observe(monotonic_s() - began_s)


def _told(context: Context) -> grpc.StatusCode:
    """What the handler ended the call with."""
    code = context.code()
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN


def _status(error: BaseException) -> grpc.StatusCode:
    match error:
        case AioRpcError():
            return error.code()
        case asyncio.CancelledError() | InternalError():  # the latter: the caller had gone before it could be told
            return grpc.StatusCode.CANCELLED
        case TimeoutError():
            return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.UNKNOWN


@cache
def _one(metric: M, *labels: str) -> M:
    """One series; to find it anew for each call would cost more than to count."""
    return metric.labels(*labels)


@lru_cache(maxsize=64)  # what callers make up comes here, too
def _method(full: str) -> str:
    """A path's label: without the package."""
    service, _, method = full.removeprefix("/").rpartition("/")
    short = f"{service.rpartition('.')[2]}/{method}"
    return short if short in METHODS else OTHER
