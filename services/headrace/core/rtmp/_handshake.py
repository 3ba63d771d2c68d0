"""The RTMP handshake, both sides, simple and digest.

Law: bytes in, bytes out; randomness and time are arguments. A server looks for a digest by both schemas and falls back
to the plain echo, because encoders disagree about which they need; nobody's echo (C2, S2) is verified, because many
write it wrongly. Source: Adobe RTMP 1.0 §5.2; the digest is the well-known Flash Player 9 extension.
Neighbours: `_link` feeds this until `leftover` is not None, then the chunk streams begin.
"""

import hashlib
import hmac
from abc import ABC, abstractmethod
from enum import StrEnum

from headrace.core.rtmp.errors import RtmpError, RtmpUsageError

VERSION = 3
PACKET_BYTES = 1536
RANDOM_BYTES = PACKET_BYTES - 8
"""How many random bytes either side needs. They guard nothing: the digest only proves knowledge of public constants."""

_DIGEST_BYTES = 32
_SALT = bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
_CLIENT_NAME = b"Genuine Adobe Flash Player 001"
_SERVER_NAME = b"Genuine Adobe Flash Media Server 001"
_CLIENT_VERSION = bytes((10, 0, 32, 18))  # any Flash version from 9.0.124 on means "I sign"
_SERVER_VERSION = bytes((4, 5, 0, 1))


class HandshakeKind(StrEnum):
    """The handshakes that exist without encryption."""

    SIMPLE = "simple"
    DIGEST_0 = "digest_0"
    """Signed, the digest's place given by bytes 8–11."""
    DIGEST_1 = "digest_1"
    """Signed, the digest's place given by bytes 772–775."""


_SCHEMA_BASE = {HandshakeKind.DIGEST_0: 8, HandshakeKind.DIGEST_1: 772}


def _digest_place(packet: bytes, kind: HandshakeKind) -> int:
    """Where the digest lies: behind four bytes whose sum, mod 728, is its offset in a block of 764."""
    base = _SCHEMA_BASE[kind]
    return sum(packet[base : base + 4]) % 728 + base + 4


def _sign(key: bytes, *pieces: bytes) -> bytes:
    return hmac.digest(key, b"".join(pieces), hashlib.sha256)


def _find_digest(packet: bytes, name: bytes) -> tuple[HandshakeKind, bytes]:
    """The schema by which `packet` is signed with `name`, and its digest; SIMPLE and b"" if it is not."""
    for kind in (HandshakeKind.DIGEST_1, HandshakeKind.DIGEST_0):
        place = _digest_place(packet, kind)
        found = packet[place : place + _DIGEST_BYTES]
        if hmac.compare_digest(found, _sign(name, packet[:place], packet[place + _DIGEST_BYTES :])):
            return kind, found
    return HandshakeKind.SIMPLE, b""


def _first_packet(kind: HandshakeKind, time_ms: int, version: bytes, random: bytes, name: bytes) -> bytes:
    """C1 or S1. A version of zero says "not signed"."""
    time = (time_ms & 0xFFFFFFFF).to_bytes(4, "big")
    if kind is HandshakeKind.SIMPLE:
        return time + bytes(4) + random[:RANDOM_BYTES]
    packet = time + version + random[:RANDOM_BYTES]
    place = _digest_place(packet, kind)
    before, after = packet[:place], packet[place + _DIGEST_BYTES :]
    return before + _sign(name, before, after) + after


def _second_packet(peer_digest: bytes, random: bytes, name: bytes) -> bytes:
    """A signed C2 or S2: its last 32 bytes prove that we saw the peer's digest."""
    body = random[: PACKET_BYTES - _DIGEST_BYTES]
    return body + _sign(_sign(name + _SALT, peer_digest), body)


class _Handshake(ABC):
    """What both sides share: collecting bytes, refusing what is no RTMP, and the order of packets."""

    def __init__(self, random: bytes, kind: HandshakeKind) -> None:
        if len(random) < RANDOM_BYTES:
            raise RtmpUsageError(f"the handshake needs {RANDOM_BYTES} random bytes, not {len(random)}")
        self._random = random
        self._buffer = bytearray()
        self._answered = False
        self.kind = kind
        self.leftover: bytes | None = None
        """None until the handshake is over; then the bytes that came after it."""

    def receive(self, data: bytes, now_ms: int) -> bytes:
        """Take bytes, give the bytes to send. Raises RtmpError for another protocol, at its first byte."""
        self._buffer += data
        if self._buffer and self._buffer[0] != VERSION:
            raise _not_rtmp(self._buffer[0])
        out = b""
        if not self._answered and len(self._buffer) > PACKET_BYTES:
            out = self._answer(bytes(self._buffer[1 : 1 + PACKET_BYTES]), now_ms)
            self._answered = True
        if len(self._buffer) > 2 * PACKET_BYTES:
            self.leftover = bytes(self._buffer[1 + 2 * PACKET_BYTES :])
            self._buffer.clear()
        return out

    @abstractmethod
    def _answer(self, peer_first: bytes, now_ms: int) -> bytes:
        """What to send on the peer's first packet."""


def _not_rtmp(version: int) -> RtmpError:
    if version == 0x16:  # TLS record type "handshake"
        return RtmpError("a TLS client on the RTMP port", code="tls_on_rtmp_port")
    if ord("A") <= version <= ord("Z"):  # GET, POST, HEAD, OPTIONS, PRI; version 80 is "P"
        return RtmpError("an HTTP request on the RTMP port", code="http_on_rtmp_port")
    return RtmpError(f"RTMP version {version} is not supported", code="bad_version")


class ServerHandshake(_Handshake):
    """C0 C1 → S0 S1 S2, then C2. `kind` is the client's choice, known once C1 is here."""

    def __init__(self, random: bytes) -> None:
        super().__init__(random, HandshakeKind.SIMPLE)

    def _answer(self, peer_first: bytes, now_ms: int) -> bytes:
        self.kind, digest = _find_digest(peer_first, _CLIENT_NAME)
        s1 = _first_packet(self.kind, now_ms, _SERVER_VERSION, self._random, _SERVER_NAME)
        # Unsigned clients may compare S2 with their C1: echo it to the byte.
        s2 = _second_packet(digest, self._random, _SERVER_NAME) if digest else peer_first
        return bytes((VERSION,)) + s1 + s2


class ClientHandshake(_Handshake):
    """C0 C1, then S0 S1 → C2, then S2."""

    def start(self) -> bytes:
        """C0 and C1. The time is 0: the server only echoes it."""
        return bytes((VERSION,)) + _first_packet(self.kind, 0, _CLIENT_VERSION, self._random, _CLIENT_NAME)

    def _answer(self, peer_first: bytes, now_ms: int) -> bytes:
        digest = b"" if self.kind is HandshakeKind.SIMPLE else _find_digest(peer_first, _SERVER_NAME)[1]
        return _second_packet(digest, self._random, _CLIENT_NAME) if digest else peer_first
