"""gRPC channels and servers, and all of their options, in one place.

Law: what a receiver does not read stays with the sender: at most a quarter of a megabyte lies in between for each call
(gRPC's defaults hide four). A silent peer is found within its keepalive + `SILENCE_S`. A target is `host:port` or
`unix:/path`. Neighbours: `media` and `control` add their services to a server and open calls on a channel; `trust` has
the certificates, without which there are sockets alone.
"""

import asyncio

import grpc
from grpc.aio import Channel, Server

from headrace.wire.errors import CannotListen
from headrace.wire.gate import Gate
from headrace.wire.identity import Role
from headrace.wire.trust import LOCAL, Trust

__all__ = ["MAX_MESSAGE_BYTES", "Channel", "Server", "listen", "make_server", "open_channel", "serve"]

MAX_MESSAGE_BYTES = 17 << 20
"""The largest message: one access unit of RTMP's largest message (2**24 - 1 bytes), and a batch of up to 1 MiB."""

LOOKAHEAD_BYTES = 256 << 10  # enough for 1 s at 2 Mbit/s, or a round trip of 50 ms at 40 Mbit/s
KEEPALIVE_S = 1
SILENCE_S = 3
HANDSHAKE_S = 10
REPORTS_KEEPALIVE_S = (
    10  # who only reports says something each second, and a ping of a thousand pods is a thousand wake-ups
)

_COMMON = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_timeout_ms", SILENCE_S * 1000),
    # What counts for a ping on its way, by default for a minute, whatever keepalive was told.
    ("grpc.http2.ping_timeout_ms", SILENCE_S * 1000),
    # A call without media is alive as well, so pings need no data in between.
    ("grpc.http2.max_pings_without_data", 0),
)

# Only the receiver's options bound what is under way: without the probe its windows do not grow.
_SERVER = (
    *_COMMON,
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", LOOKAHEAD_BYTES),
    # A message in one frame, where its window lets it: a batch of media is above HTTP/2's 16 KiB.
    ("grpc.http2.max_frame_size", LOOKAHEAD_BYTES),
    # Without these a C-core server answers a client's keepalive on an idle call with `too_many_pings`.
    ("grpc.http2.min_ping_interval_without_data_ms", 500),
    ("grpc.http2.max_ping_strikes", 0),
    # Who connects and does not greet: gRPC waits for two minutes.
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_S * 1000),
    # A second process on the same port must fail, not take every other connection.
    ("grpc.so_reuseport", 0),
)

_CLIENT = (
    *_COMMON,
    # Repeating a call is the caller's decision: an Ingest call must not be replayed behind the edge's back.
    ("grpc.enable_retries", 0),
    # Pods reach each other directly, whatever proxy the environment names.
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


def open_channel(
    target: str, keepalive_s: int = KEEPALIVE_S, *, trust: Trust = LOCAL, server: Role = Role.CONTROL
) -> Channel:
    """A channel to `target`, which is a `server`. It connects at the first call, and again when it must, with the
    certificate of now; `async with` closes it. Raises NoTrust.
    """
    return trust.dial(target, server, (*_CLIENT, _keepalive(keepalive_s)))


def make_server(keepalive_s: int = KEEPALIVE_S, *, trust: Trust = LOCAL) -> Server:
    """A server without services or address."""
    gates = () if trust.own is None else (Gate(trust.own),)
    return grpc.aio.server(interceptors=gates, options=(*_SERVER, _keepalive(keepalive_s)))


def listen(server: Server, target: str, *, trust: Trust = LOCAL) -> str:
    """Give `server` its address before it starts. Answers the target with the port that was had where 0 was asked for.

    Raises CannotListen, NoTrust.
    """
    try:
        port = trust.add_port(server, target)
    except RuntimeError as error:
        raise CannotListen(f"cannot listen for gRPC on {target}") from error
    if port == 0:
        raise CannotListen(f"cannot listen for gRPC on {target}")
    return target if target.startswith("unix:") else f"{target.rpartition(':')[0]}:{port}"


def _keepalive(seconds: int) -> tuple[str, int]:
    return "grpc.keepalive_time_ms", seconds * 1000


async def serve(server: Server, grace_s: float = 1.0) -> None:
    """Run `server` until cancelled; then new calls are refused and those under way get `grace_s`."""
    await server.start()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop(grace_s)
