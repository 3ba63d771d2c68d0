"""Whether each part is reached from here: HTTP, gRPC, RTMP.

Law: a real conversation, as short as it can be, that leaves nothing behind: `/readyz`, a health check, an RTMP
handshake and `connect`. Neighbours: `grpc_trust` has the certificate that is shown.
"""

import asyncio
import os
import ssl
from urllib.parse import urlsplit

import httpx

from headrace.cli.doctor.results import Result, failure, ok, warning
from headrace.core import rtmp
from headrace.core.errors import HeadraceError
from headrace.runtime import tls_words
from headrace.runtime.aio.clock import monotonic_ms, monotonic_s
from headrace.wire import calls
from headrace.wire.channel import open_channel
from headrace.wire.errors import CallLost, Unanswered
from headrace.wire.identity import Role
from headrace.wire.trust import Trust

ANSWER_S = 4.0
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"  # HealthCheckResponse(status=SERVING)
RTMP_PORTS = {"rtmp": 1935, "rtmps": 443}
READ_BYTES = 65_536
APP = "live"


async def http(name: str, base: str) -> Result:
    """Whether a service's HTTP port answers, and says that it is ready."""
    url = f"{base.rstrip('/')}/readyz"
    began_s = monotonic_s()
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = tls_words.tls_error_in(error)
        why = tls_words.explain(said, urlsplit(base).hostname or "") if said else str(error) or "no answer"
        return failure(
            "reach", name, f"{base}: {why}", "it is not reached from here", "is it running, and is this its address?"
        )
    took_ms = (monotonic_s() - began_s) * 1000
    if answer.is_success:
        return ok("reach", name, f"{base} is ready ({took_ms:.0f} ms)")
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        wrong = "it answers, and takes no new work"
        return warning("reach", name, f"{base}: {answer.text.strip()[:200]}", wrong, "see why its /readyz says so")
    if answer.status_code == httpx.codes.NOT_FOUND:  # a CDN in front of origins need not show /readyz
        return ok("reach", name, f"{base} answers ({took_ms:.0f} ms)")
    wrong = "something else answers there"
    return failure("reach", name, f"{base} answered {answer.status_code}", wrong, "is this its address?")


async def grpc(name: str, target: str, server: Role, trust: Trust) -> Result:
    """Whether a gRPC port answers us. One without a health service is there all the same."""
    began_s = monotonic_s()
    try:
        async with open_channel(target, trust=trust, server=server) as channel:
            data = await calls.unary_call(channel, HEALTH, b"", ANSWER_S)
    except Unanswered as error:
        wrong = "it is not reached from here, or one of the two certificates is not accepted"
        return failure(
            "reach", name, f"{target}: {error}", wrong, "see its certificate below, its process, and the network"
        )
    except CallLost as error:
        if error.code == "call_lost":
            return ok("reach", name, f"{target} answers ({(monotonic_s() - began_s) * 1000:.0f} ms)")
        wrong = "it does not let us in"
        return failure(
            "reach", name, f"{target}: {error}", wrong, "use the certificate of a service of this installation"
        )
    except HeadraceError as error:
        wrong = "it cannot be dialled without certificates"
        todo = "set HEADRACE_TLS_CERTIFICATE, _KEY and _AUTHORITY, or HEADRACE_PLAINTEXT=true as the services do"
        return failure("reach", name, f"{target}: {error}", wrong, todo)
    if data == SERVING:
        return ok("reach", name, f"{target} serves ({(monotonic_s() - began_s) * 1000:.0f} ms)")
    return warning(
        "reach", name, f"{target} answers", "it says that it does not serve now", "see what its /readyz says"
    )


async def edge(url: str) -> Result:
    """Whether an edge shakes hands, and takes a `connect`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or RTMP_PORTS.get(parts.scheme, 0)
    if parts.scheme not in RTMP_PORTS or not host:
        return failure(
            "reach", "edge", "no RTMP URL", "this is no RTMP URL", "set HEADRACE_PUBLIC_RTMP_URL to rtmp://host/live"
        )
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # people paste URLs with a key behind the application
    began_s = monotonic_s()
    try:
        async with asyncio.timeout(ANSWER_S):
            await _connect(host, port, parts.scheme == "rtmps")
    except (OSError, HeadraceError, TimeoutError) as error:
        said = tls_words.tls_error_in(error)
        why = tls_words.explain(said, host) if said else str(error) or f"no answer within {ANSWER_S:g} s"
        wrong = "encoders that are where this doctor is cannot publish"
        return failure(
            "reach", "edge", f"{url}: {why}", wrong, "is an edge running there, and does this port lead to it?"
        )
    return ok("reach", "edge", f"{url} shakes hands ({(monotonic_s() - began_s) * 1000:.0f} ms)")


async def _connect(host: str, port: int, secure: bool) -> None:
    context = ssl.create_default_context() if secure else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        client = rtmp.ClientConnection(random=os.urandom(rtmp.RANDOM_BYTES))
        client.connect(APP, f"rtmp://{host}:{port}/{APP}")
        while True:
            writer.write(client.data_to_send())
            data = await reader.read(READ_BYTES)
            if not data:
                raise ConnectionError("it closed the connection in the middle of the handshake")
            client.receive_data(data, monotonic_ms())
            while (event := client.next_event()) is not None:
                if isinstance(event, rtmp.Connected | rtmp.PublishRefused):
                    return
    finally:
        writer.transport.abort()
