"""The handshake: every pairing, every cut, and what is no RTMP at all."""

import hashlib
import hmac

import pytest

from headrace.core.rtmp import RANDOM_BYTES, HandshakeKind, RtmpError, RtmpUsageError, ServerConnection
from headrace.core.rtmp._handshake import ClientHandshake, ServerHandshake

CLIENT_RANDOM = bytes(range(256)) * 6
SERVER_RANDOM = CLIENT_RANDOM[::-1]
SERVER_KEY = b"Genuine Adobe Flash Media Server 001"
CLIENT_KEY = b"Genuine Adobe Flash Player 001"


def exchange(kind: HandshakeKind) -> tuple[ClientHandshake, ServerHandshake, list[bytes]]:
    """Both sides to the end; C0C1, S0S1S2 and C2 as they went over."""
    client, server = ClientHandshake(CLIENT_RANDOM, kind), ServerHandshake(SERVER_RANDOM)
    c1 = client.start()
    s1_s2 = server.receive(c1, 77)
    c2 = client.receive(s1_s2 + b"rest", 0)
    assert server.receive(c2 + b"chunks", 78) == b""
    return client, server, [c1, s1_s2, c2]


@pytest.mark.parametrize("kind", list(HandshakeKind))
def test_our_client_and_server_agree_on_every_handshake(kind: HandshakeKind) -> None:
    client, server, packets = exchange(kind)
    assert [len(packet) for packet in packets] == [1537, 3073, 1536]
    assert server.kind is kind
    assert server.leftover == b"chunks"
    assert client.leftover == b"rest"


def test_a_simple_handshake_echoes_to_the_byte() -> None:
    c1, s1_s2, c2 = exchange(HandshakeKind.SIMPLE)[2]
    assert s1_s2[1:5] == (77).to_bytes(4, "big")
    assert s1_s2[5:9] == bytes(4)
    assert s1_s2[1537:] == c1[1:]
    assert c2 == s1_s2[1:1537]


@pytest.mark.parametrize(("kind", "base"), [(HandshakeKind.DIGEST_0, 8), (HandshakeKind.DIGEST_1, 772)])
def test_a_signed_handshake_carries_the_digests_where_its_schema_says(kind: HandshakeKind, base: int) -> None:
    c1, s1_s2, c2 = exchange(kind)[2]
    digests = []
    for packet, key in ((c1[1:], CLIENT_KEY), (s1_s2[1:1537], SERVER_KEY)):
        place = sum(packet[base : base + 4]) % 728 + base + 4
        digests.append(packet[place : place + 32])
        assert digests[-1] == hmac.digest(key, packet[:place] + packet[place + 32 :], hashlib.sha256)
    salt = bytes.fromhex("f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae")
    for packet, key, digest in ((s1_s2[1537:], SERVER_KEY, digests[0]), (c2, CLIENT_KEY, digests[1])):
        proof = hmac.digest(hmac.digest(key + salt, digest, hashlib.sha256), packet[:1504], hashlib.sha256)
        assert packet[1504:] == proof


def test_a_client_that_claims_a_version_but_does_not_sign_gets_the_plain_echo() -> None:
    c1 = bytes(4) + bytes((9, 0, 124, 2)) + CLIENT_RANDOM[:RANDOM_BYTES]
    server = ServerHandshake(SERVER_RANDOM)
    assert server.receive(b"\x03" + c1, 0)[1537:] == c1
    assert server.kind is HandshakeKind.SIMPLE


def test_a_signing_client_echoes_a_server_that_does_not_sign() -> None:
    client = ClientHandshake(CLIENT_RANDOM, HandshakeKind.DIGEST_1)
    s1 = bytes(8) + SERVER_RANDOM[:RANDOM_BYTES]
    assert client.receive(b"\x03" + s1 + bytes(1536), 0) == s1


@pytest.mark.parametrize("kind", list(HandshakeKind))
def test_a_handshake_fed_byte_by_byte_is_the_same(kind: HandshakeKind) -> None:
    _, _, (c1, s1_s2, c2) = exchange(kind)
    client, server = ClientHandshake(CLIENT_RANDOM, kind), ServerHandshake(SERVER_RANDOM)
    assert b"".join(server.receive(bytes((byte,)), 77) for byte in c1 + c2) == s1_s2
    assert b"".join(client.receive(bytes((byte,)), 0) for byte in s1_s2) == c2
    assert (client.leftover, server.leftover) == (b"", b"")


def test_whatever_a_client_sends_as_c2_is_taken() -> None:
    server = ServerHandshake(SERVER_RANDOM)
    server.receive(b"\x03" + bytes(1536) + b"\xff" * 1536, 0)
    assert server.leftover == b""


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n", "http_on_rtmp_port"),
        (b"POST /open/1 HTTP/1.1\r\n", "http_on_rtmp_port"),
        (b"PRI * HTTP/2.0\r\n", "http_on_rtmp_port"),
        (bytes.fromhex("1603010200010001fc0303"), "tls_on_rtmp_port"),
        (b"\x06" + bytes(1536), "bad_version"),
        (b"\x00", "bad_version"),
        (b"\xff\xff", "bad_version"),
    ],
)
def test_another_protocol_on_the_port_is_named_and_answered_with_silence(data: bytes, code: str) -> None:
    for pieces in ([data], [data[:1]]):
        server = ServerConnection(random=SERVER_RANDOM)
        for _ in range(2):
            with pytest.raises(RtmpError) as caught:
                server.receive_data(pieces[0], 0)
            assert caught.value.code == code
        with pytest.raises(RtmpError):
            server.next_event()
        assert server.close_reason == code
        assert server.data_to_send() == b""


def test_too_little_randomness_is_our_own_error() -> None:
    with pytest.raises(RtmpUsageError):
        ServerConnection(random=bytes(RANDOM_BYTES - 1))
