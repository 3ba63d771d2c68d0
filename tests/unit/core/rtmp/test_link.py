"""Below the commands: control messages, acknowledgements, pings, deadlines."""

import pytest

from headrace.core import rtmp
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._commands import command
from headrace.core.rtmp._messages import Message
from tests.unit.core.rtmp.pair import C0_C1_C2, RANDOM, RawPeer, live_peer
from tests.unit.core.rtmp.test_server import noise, video
from tests.vectors.rtmp_chunks import first


def test_the_handshake_is_the_first_event() -> None:
    server = rtmp.ServerConnection(random=RANDOM)
    server.receive_data(C0_C1_C2, 0)
    assert server.next_event() == rtmp.HandshakeCompleted(rtmp.HandshakeKind.SIMPLE)
    assert server.next_event() is None


# --- control messages


@pytest.mark.parametrize("csid", [2, 3, 6])
@pytest.mark.parametrize("stream_id", [0, 1])
def test_control_messages_are_obeyed_on_any_chunk_stream_and_message_stream(csid: int, stream_id: int) -> None:
    peer = live_peer()
    body = b"x" * 1000
    peer.feed(first(csid, 0, 4, m.SET_CHUNK_SIZE, stream_id) + (2000).to_bytes(4, "big"))
    assert peer.feed(first(4, 0, 1000) + body) == [rtmp.VideoReceived(1, 0, body)]


def test_a_chunk_size_set_before_connect_and_again_while_publishing_is_kept() -> None:
    peer = RawPeer()
    peer.feed(first(2, 0, 4, m.SET_CHUNK_SIZE, 0) + (4096).to_bytes(4, "big"))
    connect = command("connect", 1, {"app": "a" * 500}).payload
    assert len(peer.feed(first(3, 0, len(connect), m.COMMAND, 0) + connect)) == 1
    peer.server.accept(1)
    publish = command("publish", 5, None, "KEY", "live").payload
    peer.feed(first(3, 0, len(publish), m.COMMAND) + publish)
    peer.server.accept(2)
    peer.feed(first(2, 0, 4, m.SET_CHUNK_SIZE, 0) + (100).to_bytes(4, "big"))
    assert peer.feed(first(4, 0, 101) + b"x" * 100 + b"\xc4x") == [rtmp.VideoReceived(1, 0, b"x" * 101)]


def test_abort_drops_the_half_message_and_the_chunk_stream_goes_on() -> None:
    peer = live_peer()
    events = peer.feed(first(4, 0, 300) + b"x" * 128)
    events += peer.feed(first(2, 0, 4, m.ABORT, 0) + (4).to_bytes(4, "big"))
    assert noise(events) == {"message_dropped": 1}
    assert peer.feed(first(4, 5, 1) + b"y") == [rtmp.VideoReceived(1, 5, b"y")]


def test_control_messages_that_are_too_short_or_unknown_are_counted() -> None:
    peer = live_peer()
    events = peer.send(
        *(Message(kind, 0, 0, b"\0\0\0") for kind in (m.SET_CHUNK_SIZE, m.ABORT, m.ACKNOWLEDGEMENT, m.WINDOW_ACK_SIZE)),
        Message(m.USER_CONTROL, 0, 0, b"\0"),
        Message(m.USER_CONTROL, 0, 0, b"\0\x06\0"),
        Message(m.USER_CONTROL, 0, 0, bytes.fromhex("001f00000000")),
        Message(m.USER_CONTROL, 0, 0, bytes.fromhex("002000000000")),
        Message(m.USER_CONTROL, 0, 0, bytes.fromhex("00030000000100000bb8")),
        Message(m.SHARED_OBJECT, 1, 0, b"x"),
        Message(0, 0, 0, b"\0\0\0\0"),
        Message(200, 1, 0, b"x"),
    )
    assert noise(events) == {"short_control": 6, "unknown_user_control": 2, "unknown_message_type": 3}


def test_a_new_peer_bandwidth_is_answered_with_our_window() -> None:
    peer = live_peer()
    for _ in range(2):
        peer.send(Message(m.SET_PEER_BANDWIDTH, 0, 0, (5_000_000).to_bytes(4, "big") + b"\x02"))
    assert [(a.type, a.payload) for a in peer.received()] == [(m.WINDOW_ACK_SIZE, (5_000_000).to_bytes(4, "big"))]


# --- acknowledgements


def acknowledgements(peer: RawPeer) -> list[int]:
    return [int.from_bytes(a.payload, "big") for a in peer.received() if a.type == m.ACKNOWLEDGEMENT]


def test_bytes_are_acknowledged_every_half_window_from_the_handshakes_first_byte_even_if_nobody_asked() -> None:
    peer = live_peer()
    total, sent = 0, []
    for _ in range(100):
        data = first(4, 0, 100_000) + (b"x" * 128 + b"\xc4") * 781 + b"x" * 32
        peer.feed(data)
        total += len(data)
        sent += acknowledgements(peer)
    assert len(sent) == 7
    assert all(1_250_000 <= b - a < 1_250_000 + len(data) for a, b in zip([0, *sent], sent, strict=False))
    assert total - sent[-1] < 1_250_000
    assert sent[0] > 13 * len(data) + 3073  # the handshake and the commands count too


def test_the_peers_own_window_decides_when_it_names_one() -> None:
    peer = live_peer()
    peer.send(Message(m.WINDOW_ACK_SIZE, 0, 0, (10_000).to_bytes(4, "big")))
    acknowledgements(peer)
    peer.send(video(b"x" * 5000))
    assert len(acknowledgements(peer)) == 1
    peer.send(video(b"x" * 2000))
    assert acknowledgements(peer) == []


def test_the_acknowledged_count_wraps_at_2_to_the_32() -> None:
    peer = live_peer()
    peer.server._link._received += 2**32 - 10_000
    peer.send(video(b"x" * 20_000))
    (count,) = acknowledgements(peer)
    assert 10_000 < count < 30_000


# --- pings


def test_a_ping_is_answered_with_its_own_time() -> None:
    peer = live_peer()
    peer.send(Message(m.USER_CONTROL, 0, 0, bytes.fromhex("0006deadbeef")))
    assert peer.received()[0].payload == bytes.fromhex("0007deadbeef")


def test_our_ping_gives_the_round_trip() -> None:
    peer = live_peer()
    peer.server.request_ping(2**32 + 5000)
    (ping,) = peer.received()
    assert ping.payload == bytes.fromhex("000600001388")
    pong = Message(m.USER_CONTROL, 0, 0, b"\0\x07" + ping.payload[2:])
    assert peer.send(pong, now_ms=2**32 + 5042) == [rtmp.PongReceived(42)]
    assert noise(peer.send(pong)) == {"unasked_pong": 1}


def test_no_ping_before_the_handshake_is_over() -> None:
    with pytest.raises(rtmp.RtmpUsageError):
        rtmp.ServerConnection(random=RANDOM).request_ping(0)


def test_a_connected_peer_is_pinged_every_interval_when_the_timer_says() -> None:
    peer = live_peer()
    pings = 0
    now_ms = 0
    for _ in range(5):
        due = peer.server.get_timer()
        assert due is not None
        peer.server.handle_timer(due - 1)
        assert peer.received() == []
        peer.server.handle_timer(due)
        pings += len(peer.received())
        now_ms = due
    assert (pings, now_ms) == (5, 50_000)


# --- deadlines


def test_a_peer_that_never_finishes_the_handshake_runs_into_its_deadline() -> None:
    server = rtmp.ServerConnection(random=RANDOM)
    assert server.get_timer() is None
    server.handle_timer(1000)
    server.receive_data(C0_C1_C2[:2000], 5000)
    assert server.get_timer() == 11_000
    server.handle_timer(10_999)
    with pytest.raises(rtmp.RtmpError) as caught:
        server.handle_timer(11_000)
    assert caught.value.code == server.close_reason == "handshake_timeout"


def test_a_peer_that_never_asks_to_publish_runs_into_its_deadline() -> None:
    server = rtmp.ServerConnection(random=RANDOM)
    server.handle_timer(0)
    server.receive_data(C0_C1_C2, 2000)
    assert server.get_timer() == 32_000
    with pytest.raises(rtmp.RtmpError) as caught:
        server.handle_timer(32_000)
    assert caught.value.code == "publish_timeout"


def test_a_peer_that_has_asked_to_publish_has_no_deadline_here() -> None:
    peer = live_peer()
    peer.server.handle_timer(10**9)
    assert peer.server.close_reason is None
