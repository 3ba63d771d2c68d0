"""Client and server joined in memory: what one sends the other receives, and nothing but our own errors escapes."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import rtmp
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._commands import command, on_status, status
from headrace.core.rtmp._messages import Message
from headrace.core.rtmp._writer import ChunkWriter
from tests.unit.core.rtmp.pair import C0_C1_C2, RANDOM, ConnectionPair
from tests.vectors.rtmp_chunks import VECTORS

FRAMES = [bytes(range(256)) * size for size in (1, 20, 400)]


def whole(data: bytes) -> Iterable[bytes]:
    return [data] if data else []


def byte_by_byte(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def broadcast(pair: ConnectionPair) -> list[rtmp.ServerEvent]:
    """Publish, send some of everything, end; what the server saw."""
    pair.publish("KEY?a=b")
    pair.client.send_metadata(0, {"width": 640.0})
    for index, frame in enumerate(FRAMES):
        pair.client.send_video(index * 40, frame)
        pair.client.send_audio(index * 40 + 3, frame[:200])
    pair.client.request_ping(pair.now_ms)
    pair.pump()
    pair.client.end()
    pair.pump()
    return pair.server_events


@pytest.mark.parametrize("kind", list(rtmp.HandshakeKind))
def test_what_the_client_sends_is_what_the_server_receives(kind: rtmp.HandshakeKind) -> None:
    pair = ConnectionPair(kind)
    opened, connect, publish, metadata, *media, ended = broadcast(pair)
    assert opened == rtmp.HandshakeCompleted(kind)
    assert isinstance(connect, rtmp.ConnectRequested)
    assert isinstance(publish, rtmp.PublishRequested)
    assert publish.target == rtmp.parse_publish_target("rtmp://host/live", "live", "KEY?a=b")
    assert metadata == rtmp.MetadataReceived(1, 0, {"width": 640.0})
    expected: list[rtmp.ServerEvent] = []
    for index, frame in enumerate(FRAMES):
        expected += [rtmp.VideoReceived(1, index * 40, frame), rtmp.AudioReceived(1, index * 40 + 3, frame[:200])]
    assert media == expected
    assert ended == rtmp.PublishEnded(1, rtmp.EndReason.FC_UNPUBLISH)
    kinds = [type(event) for event in pair.client_events]
    assert kinds == [rtmp.HandshakeCompleted, rtmp.Connected, rtmp.PublishStarted, rtmp.PongReceived]


@pytest.mark.parametrize("cut", [byte_by_byte, lambda data: (data[at : at + 777] for at in range(0, len(data), 777))])
def test_the_events_do_not_depend_on_how_the_bytes_were_cut(cut: Callable[[bytes], Iterable[bytes]]) -> None:
    one, other = ConnectionPair(), ConnectionPair(cut=cut)
    assert broadcast(one) == broadcast(other)
    assert one.client_events == other.client_events


def test_a_client_hears_why_it_was_refused() -> None:
    pair = ConnectionPair(answer=False)
    pair.publish()
    pair.server.accept(1)
    pair.pump()
    pair.server.reject(2, "NetStream.Publish.BadName", "This key is in use.")
    pair.pump()
    assert pair.client_events[-1] == rtmp.PublishRefused("NetStream.Publish.BadName", "This key is in use.")
    with pytest.raises(rtmp.RtmpUsageError):
        pair.client.send_video(0, b"x")


def test_a_client_hears_that_its_connect_was_refused() -> None:
    pair = ConnectionPair(answer=False)
    pair.publish()
    pair.server.reject(1, "NetConnection.Connect.InvalidApp", "no")
    pair.pump()
    assert pair.client_events[-1] == rtmp.PublishRefused("NetConnection.Connect.InvalidApp", "no")


def test_a_client_hears_that_its_publish_was_ended() -> None:
    pair = ConnectionPair()
    pair.publish()
    pair.server.end_publish(1, "NetStream.Publish.Rejected", "codec")
    pair.pump()
    assert pair.client_events[-1] == rtmp.PublishRefused("NetStream.Publish.Rejected", "codec")


def test_a_client_that_misuses_its_connection_gets_our_own_error() -> None:
    client = rtmp.ClientConnection(random=RANDOM)
    client.connect("live", "rtmp://host/live")
    client.publish("KEY")
    with pytest.raises(rtmp.RtmpUsageError):
        client.connect("live", "rtmp://host/live")
    with pytest.raises(rtmp.RtmpUsageError):
        client.publish("KEY")
    with pytest.raises(rtmp.RtmpUsageError):
        client.send_audio(0, b"x")
    with pytest.raises(rtmp.RtmpUsageError):
        client.request_ping(0)


def test_a_client_bears_a_talkative_server_and_errors_about_courtesies() -> None:
    pair = ConnectionPair()
    pair.publish()
    out, writer = bytearray(), ChunkWriter()
    writer.chunk_size = 4096
    for message in (
        command("onBWDone", 0, None),
        command("_error", 3, None, status("error", "NetConnection.Call.Failed", "FCPublish?")),
        command("news", 0, None),
        on_status(1, "status", "NetStream.Publish.Start", "again"),
        Message(m.AUDIO, 1, 0, b"x"),
    ):
        writer.write(out, 3, message)
    pair.client.receive_data(bytes(out), 0)
    events = []
    while (event := pair.client.next_event()) is not None:
        events.append(event)
    assert {event.kind for event in events if isinstance(event, rtmp.PeerNoise)} == {
        "unknown_command",
        "unknown_message_type",
    }
    assert len(events) == 2
    pair.client.send_video(0, b"x")


def feed_and_answer(
    server: rtmp.ServerConnection, pieces: Iterable[bytes]
) -> tuple[list[rtmp.ServerEvent], str | None]:
    """Everything a shell does, saying yes to all; the events but noise, and the error's code."""
    events: list[rtmp.ServerEvent] = []
    try:
        for piece in pieces:
            server.receive_data(piece, 0)
            while (event := server.next_event()) is not None:
                if not isinstance(event, rtmp.PeerNoise):
                    events.append(event)
                if isinstance(event, (rtmp.ConnectRequested, rtmp.PublishRequested)):
                    server.accept(event.id)
    except (rtmp.RtmpError, rtmp.RtmpLimitExceeded) as error:
        return events, error.code
    return events, None


def spoken() -> st.SearchStrategy[bytes]:
    """Wire bytes of a conversation: real commands, vectors, control messages and rubbish in any order."""
    names = st.sampled_from(
        ["connect", "createStream", "publish", "deleteStream", "FCUnpublish", "closeStream", "FCPublish", "play", "x"]
    )
    arguments = st.sampled_from([(None,), (None, "KEY", "live"), (None, 1.0), ({"app": "live"},), (None, float("nan"))])
    commands = st.builds(
        lambda name, said, stream: command(name, 1, *said, stream_id=stream), names, arguments, st.integers(0, 2)
    )
    others = st.builds(
        Message, st.integers(0, 23), st.integers(0, 2), st.integers(0, 2**32 - 1), st.binary(max_size=40)
    )

    def write(message: Message) -> bytes:
        out = bytearray()
        ChunkWriter().write(out, 3, message)
        return bytes(out)

    wires = st.one_of(st.one_of(commands, others).map(write), st.sampled_from([vector.wire for vector in VECTORS]))
    greeting = write(command("connect", 1, {"app": "live"})) + write(command("publish", 2, None, "K", stream_id=1))
    rubbish = st.one_of(wires, wires, st.binary(max_size=6))
    return st.tuples(st.sampled_from([b"", greeting]), st.lists(rubbish, max_size=10)).map(
        lambda parts: parts[0] + b"".join(parts[1])
    )


@settings(max_examples=100)
@given(spoken(), st.integers(1, 30))
def test_whatever_a_peer_says_gives_the_same_events_whole_and_cut_and_no_other_error(data: bytes, step: int) -> None:
    results = []
    for cut in ([data], [data[at : at + step] for at in range(0, len(data), step)]):
        server = rtmp.ServerConnection(random=RANDOM)
        server.receive_data(C0_C1_C2, 0)
        results.append(feed_and_answer(server, cut))
    if data:
        assert repr(results[0]) == repr(results[1])  # NaN is not equal to itself


@settings(max_examples=40)
@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_from_the_first_one_never_raise_anything_else(data: bytes, version: bool) -> None:
    data = (b"\x03" + data) if version else data
    feed_and_answer(rtmp.ServerConnection(random=RANDOM), [data, data * 40])
    client = rtmp.ClientConnection(random=RANDOM)
    client.connect("live", "rtmp://host/live")
    client.publish("KEY")
    try:
        for piece in (data, data * 40):
            client.receive_data(piece, 0)
            while client.next_event() is not None:
                pass
    except (rtmp.RtmpError, rtmp.RtmpLimitExceeded) as error:
        assert error.code  # noqa: PT017 - any of our own codes will do
