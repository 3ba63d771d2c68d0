"""gRPC calls whose messages are bytes: what `media` and `control` build their typed calls from.

Law: one border translates errors, both ways. A handler's HeadraceError becomes a gRPC status by `core.error_table`, and
its code the trailing metadata `headrace-code`; a failed call becomes CallLost with that code. Anything else that a
handler raises is a bug of ours: it is logged with its traceback, and the peer learns nothing but that.
Neighbours: `channel` has the options, `context` says what a call is a part of.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NoReturn, TypeAlias

import grpc
from google.protobuf.descriptor import FileDescriptor
from grpc.aio import AioRpcError, Channel, Server, ServicerContext, UnaryUnaryMultiCallable

from headrace.core.error_table import row
from headrace.core.errors import HeadraceError
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.context import carried, hear
from headrace.wire.errors import CallLost, Unanswered
from headrace.wire.measuring import MadeCall

CODE_KEY = "headrace-code"

_SILENCE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)

OTHERWISE = "FAILED_PRECONDITION"  # of errors that are not meant to end calls

_failed = RateLimited(logger(__name__), "a call's handler failed")

Context = ServicerContext[bytes, bytes]
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"  # generic for the type checker only


def path(file: FileDescriptor, service: str, method: str) -> str:
    """A method's name on the wire. KeyError where the .proto has none such: found at import."""
    found = file.services_by_name[service].methods_by_name[method]
    return f"/{found.containing_service.full_name}/{found.name}"


def add_service(server: Server, handlers: Mapping[str, Handler]) -> None:
    """Serve methods by their paths, all of one service."""
    service = {full.split("/")[1] for full in handlers}.pop()
    methods = {full.split("/")[2]: handler for full, handler in handlers.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))


def unary_handler(handle: Callable[[bytes], Awaitable[bytes]]) -> Handler:
    """One message in, one out."""

    async def behave(request: bytes, context: Context) -> bytes:
        hear(context)
        try:
            return await handle(request)
        except Exception as error:
            await _abort(context, error)

    return grpc.unary_unary_rpc_method_handler(behave)


def client_stream_handler(
    handle: Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]],
) -> Handler:
    """Many messages in, one out."""

    async def behave(requests: AsyncIterator[bytes], context: Context) -> bytes:
        try:
            return await handle(requests, context)
        except Exception as error:
            await _abort(context, error)

    return grpc.stream_unary_rpc_method_handler(behave)


def stream_handler(handle: Callable[[Context], Awaitable[None]]) -> Handler:
    """Many messages both ways; `handle` reads and writes the context. It is cancelled when the call is lost."""

    async def behave(_: AsyncIterator[bytes], context: Context) -> None:
        hear(context)
        try:
            await handle(context)
        except Exception as error:
            await _abort(context, error)

    return grpc.stream_stream_rpc_method_handler(behave)


async def unary_call(channel: Channel, full: str, request: bytes, deadline_s: float) -> bytes:
    """Call `full` and wait for its answer, up to `deadline_s`.

    Raises CallLost: Unanswered at once where nobody is there.
    """
    call: UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(full)
    try:
        with MadeCall(full):
            return await call(request, timeout=deadline_s, metadata=carried())
    except AioRpcError as error:
        raise lost(error) from error


def lost(error: AioRpcError) -> CallLost:
    """What became of a call, in the house's words."""
    metadata = error.trailing_metadata()
    given = metadata.get(CODE_KEY) if metadata is not None else None
    code = given if isinstance(given, str) else None
    kind = Unanswered if code is None and error.code() in _SILENCE else CallLost
    return kind(error.details() or error.code().name.lower(), code=code)


def status_of(code: str) -> grpc.StatusCode:
    """How a call ends by an error of this code: as the table of errors has it."""
    return grpc.StatusCode[row(code).grpc or OTHERWISE]


async def _abort(context: Context, error: Exception) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not isinstance(error, HeadraceError):
        _failed(error=error, level=logging.ERROR)
        await context.abort(grpc.StatusCode.INTERNAL, "internal error")
    await context.abort(status_of(error.code), str(error), ((CODE_KEY, error.code),))
