"""Which service may call what.

Law: behind certificates nobody is served who is not of our trust domain and namespace, and nothing that `CALLERS` does
not give to the caller's role; what is not listed is nobody's. A socket's callers are who may open it. Neighbours:
`channel` puts a gate before each server that has certificates, `control` asks `caller` whose report it reads.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NoReturn

import grpc
from grpc.aio import ServerInterceptor, ServicerContext

from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire import metrics
from headrace.wire.calls import CODE_KEY, status_of
from headrace.wire.errors import NotAllowed
from headrace.wire.identity import Identity, Role, parse_identity
from headrace.wire.trust import UNIX

ANYBODY = frozenset(Role)
NO_IDENTITY = "no_identity"  # the error table's code

CALLERS: Mapping[str, frozenset[Role]] = {
    "headrace.wire.v1.Sessions": frozenset({Role.EDGE}),
    "headrace.wire.v1.Fleet": frozenset({Role.EDGE, Role.TRANSCODER, Role.ORIGIN}),
    # Control is the edge of a run that has none.
    "headrace.wire.v1.Ingest": frozenset({Role.EDGE, Role.CONTROL}),
    "grpc.health.v1.Health": ANYBODY,
    "grpc.reflection.v1.ServerReflection": ANYBODY,
    "grpc.reflection.v1alpha.ServerReflection": ANYBODY,
}

Context = ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Any]

MOST_SAID = 200  # characters of an identity in the log

_KINDS = {False: "unary", True: "stream"}

_refused = RateLimited(logger(__name__), "a call was refused for who made it")


class Gate(ServerInterceptor):
    """Before a server of `own`'s."""

    def __init__(self, own: Identity) -> None:
        self._own = own

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """The method's handler, behind the check."""
        handler = await continuation(details)
        if handler is None:
            return None
        kind = f"{_KINDS[handler.request_streaming]}_{_KINDS[handler.response_streaming]}"
        behave: Handler = getattr(handler, kind)
        guard = self._guarded_answers if inspect.isasyncgenfunction(behave) else self._guarded
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(guard(details.method, behave), handler.request_deserializer, handler.response_serializer)

    def _guarded(self, method: str, behave: Handler) -> Handler:
        async def guarded(request: Any, context: Context) -> Any:
            await self._admit(method, context)
            return await behave(request, context)

        return guarded

    def _guarded_answers(self, method: str, behave: Handler) -> Handler:
        async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
            await self._admit(method, context)
            async for answer in behave(request, context):
                yield answer

        return guarded

    async def _admit(self, method: str, context: Context) -> None:
        if context.peer().startswith(UNIX):
            return
        said = _spiffe_id(context)
        found = parse_identity(said)
        if found is None:
            await _refuse(context, method, said, NO_IDENTITY, "the certificate says of no service that it is one")
        if not found.belongs_to(self._own):
            await _refuse(context, method, said, "foreign", f"{said} is of another installation than {self._own}")
        if found.role not in CALLERS.get(method.split("/")[1], ()):
            await _refuse(context, method, said, "role", f"{said} may not call {method}: its role is another")


def caller(context: Context) -> Role | None:
    """The role of who calls, as the certificate says it; None on a connection without."""
    found = parse_identity(_spiffe_id(context))
    return found.role if found else None


def kind_refused(role: Role, kind: str) -> NotAllowed:
    """An error for a report that is another role's, counted and logged."""
    metrics.REFUSED.labels("kind").inc()
    _refused({"role": role.value, "why": f"it reported as {kind}"})
    return NotAllowed(f"the certificate is that of the {role}, and the report that of the {kind}")


async def _refuse(context: Context, method: str, said: str, reason: str, sentence: str) -> NoReturn:
    metrics.REFUSED.labels(reason).inc()
    _refused({"peer": context.peer(), "caller": said[:MOST_SAID] or "unknown", "method": method, "why": reason})
    code = reason if reason == NO_IDENTITY else NotAllowed.code
    await context.abort(status_of(code), sentence, ((CODE_KEY, code),))


def _spiffe_id(context: Context) -> str:
    # Set by gRPC where the certificate has one URI SAN, and that one is a SPIFFE ID.
    return b"".join(context.auth_context().get("peer_spiffe_id", ())).decode(errors="replace")
