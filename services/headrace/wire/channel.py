"""gRPC channels and servers, and all of their options, in one place.

Law: what a receiver does not read stays with the sender: at most a quarter of a megabyte lies in between for each call
(gRPC's defaults hide four). What may be said, and for how long nothing, is its `Link`'s. A target is `host:port` or
`unix:/path`. Neighbours: `media` and `control` add their services to a server and open calls on a channel; `trust` has
the certificates, without which there are sockets alone.
"""

import asyncio
from dataclasses import dataclass, replace

import grpc
from grpc.aio import Channel, Server

from headrace.wire.errors import CannotListen
from headrace.wire.gate import Gate
from headrace.wire.identity import Role
from headrace.wire.measuring import Measured
from headrace.wire.trust import LOCAL, Trust

__all__ = [
    "MEDIA",
    "QUESTIONS",
    "REPORTS",
    "Channel",
    "Link",
    "Server",
    "listen",
    "make_server",
    "open_channel",
    "serve",
]

LOOKAHEAD_BYTES = 256 << 10  # enough for 1 s at 2 Mbit/s, or a round trip of 50 ms at 40 Mbit/s
HANDSHAKE_S = 10

Options = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Link:
    """What two services may expect of each other.

    One that stands still is found within `keepalive_s` + `silence_s`. A message is at most `up_bytes` on its way to the
    server and `down_bytes` on its way back: of what is larger the receiver ends the call, with RESOURCE_EXHAUSTED.
    """

    keepalive_s: int
    silence_s: int
    up_bytes: int
    down_bytes: int

    @property
    def _pings(self) -> Options:
        return (
            ("grpc.keepalive_time_ms", self.keepalive_s * 1000),
            ("grpc.keepalive_timeout_ms", self.silence_s * 1000),
            # What counts for a ping on its way, by default for a minute, whatever keepalive was told.
            ("grpc.http2.ping_timeout_ms", self.silence_s * 1000),
            # A call without media is alive as well, so pings need no data in between.
            ("grpc.http2.max_pings_without_data", 0),
        )

    @property
    def server(self) -> Options:
        """For a server."""
        return (*self._pings, ("grpc.max_receive_message_length", self.up_bytes), *_SERVER)

    @property
    def client(self) -> Options:
        """For a channel."""
        return (*self._pings, ("grpc.max_receive_message_length", self.down_bytes), *_CLIENT)


# Up: one access unit of RTMP's largest message, 10 MiB, or a batch; down: progress, or a sentence. A process whose
# interpreter is busy answers pings all the same, for gRPC's threads do (docs/adr/0016): who is silent for 2 s is gone.
MEDIA = Link(keepalive_s=1, silence_s=2, up_bytes=11 << 20, down_bytes=64 << 10)

# Up: a hundred sessions to be renewed, each with a plan and with configurations of `MAX_CONFIG_BYTES`.
QUESTIONS = Link(keepalive_s=1, silence_s=3, up_bytes=4 << 20, down_bytes=1 << 20)

# Who only reports says something each second, and a ping of a thousand pods is a thousand wake-ups.
REPORTS = replace(QUESTIONS, keepalive_s=10)

# Only the receiver's options bound what is under way: without the probe its windows do not grow.
_SERVER = (
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
    # Repeating a call is the caller's decision: an Ingest call must not be replayed behind the edge's back.
    ("grpc.enable_retries", 0),
    # Pods reach each other directly, whatever proxy the environment names.
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


def open_channel(target: str, link: Link = MEDIA, *, trust: Trust = LOCAL, server: Role = Role.CONTROL) -> Channel:
    """A channel to `target`, which is a `server`. It connects at the first call, and again when it must, with the
    certificate of now; `async with` closes it. Raises NoTrust.
    """
    return trust.dial(target, server, link.client)


def make_server(link: Link = MEDIA, *, trust: Trust = LOCAL) -> Server:
    """A server without services or address."""
    gates = () if trust.own is None else (Gate(trust.own),)
    return grpc.aio.server(interceptors=(Measured(), *gates), options=link.server)


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


async def serve(server: Server, grace_s: float = 1.0) -> None:
    """Run `server` until cancelled; then new calls are refused and those under way get `grace_s`."""
    await server.start()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop(grace_s)
