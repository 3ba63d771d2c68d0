"""Media and metadata of an accepted publish, in all the wrappings that encoders use."""

import pytest

from headrace.core import rtmp
from headrace.core.amf import EcmaArray, Value, encode_values
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._messages import MAX_AGGREGATE_PARTS, Message
from tests.unit.core.rtmp.pair import live_peer
from tests.unit.core.rtmp.test_server import noise, video

PROPERTIES: dict[str, Value] = {"width": 1920.0, "encoder": "obs"}


@pytest.mark.parametrize(
    "message",
    [
        Message(m.DATA, 1, 7, encode_values("@setDataFrame", "onMetaData", PROPERTIES)),
        Message(m.DATA, 1, 7, encode_values("@setDataFrame", "onMetaData", EcmaArray(PROPERTIES))),
        Message(m.DATA, 1, 7, encode_values("onMetaData", PROPERTIES)),
        Message(m.DATA_AMF3, 1, 7, encode_values("onMetaData", PROPERTIES)),
        Message(m.DATA_AMF3, 1, 7, b"\0" + encode_values("@setDataFrame", "onMetaData", PROPERTIES)),
        Message(m.DATA, 1, 7, encode_values("onMetaData", PROPERTIES)[:-3] + bytes.fromhex("0001 7a 7e ffff")),
    ],
    ids=["setDataFrame", "ecma array", "bare", "type 15", "type 15 with a format byte", "unknown marker at the end"],
)
def test_metadata_is_found_in_every_wrapping(message: Message) -> None:
    assert live_peer().send(message) == [rtmp.MetadataReceived(1, 7, PROPERTIES)]


@pytest.mark.parametrize(
    "payload", [b"", b"\x7f", encode_values("onTextData", PROPERTIES), encode_values("onMetaData"), bytes(300_000)]
)
def test_other_data_is_counted_and_the_session_goes_on(payload: bytes) -> None:
    peer = live_peer()
    assert noise(peer.send(Message(m.DATA, 1, 0, payload))) == {"unknown_data": 1}
    assert peer.send(video(b"x")) == [rtmp.VideoReceived(1, 0, b"x")]


def test_empty_audio_is_silence_and_empty_video_is_nothing() -> None:
    peer = live_peer()
    events = peer.send(Message(m.AUDIO, 1, 5, b""), video(b""))
    assert events[0] == rtmp.AudioReceived(1, 5, b"")
    assert noise(events) == {"empty_video": 1}
    assert len(events) == 2


def test_time_is_handed_on_as_it_wraps() -> None:
    peer = live_peer()
    events = peer.send(*(video(b"x", timestamp=t & 0xFFFFFFFF) for t in range(2**32 - 80, 2**32 + 80, 40)), csid=6)
    assert [event.timestamp for event in events if isinstance(event, rtmp.VideoReceived)] == [
        2**32 - 80, 2**32 - 40, 0, 40]  # fmt: skip


def tag(kind: int, timestamp: int, body: bytes, back: bool = True) -> bytes:
    head = bytes((kind,)) + len(body).to_bytes(3, "big") + (timestamp & 0xFFFFFF).to_bytes(3, "big")
    return head + bytes((timestamp >> 24, 0, 0, 0)) + body + ((len(body) + 11).to_bytes(4, "big") if back else b"")


def test_an_aggregate_is_split_and_moved_to_its_own_time() -> None:
    metadata = encode_values("onMetaData", PROPERTIES)
    body = tag(9, 0xFFFFFF00, b"v1") + tag(8, 0xFFFFFF10, b"a1") + tag(18, 0xFFFFFF11, metadata) + tag(22, 0, b"x")
    peer = live_peer()
    events = peer.send(Message(m.AGGREGATE, 1, 1000, body + tag(9, 0x28, b"v2", back=False)), video(b"next"))
    assert events == [
        rtmp.VideoReceived(1, 1000, b"v1"),
        rtmp.AudioReceived(1, 1016, b"a1"),
        rtmp.MetadataReceived(1, 1017, PROPERTIES),
        rtmp.VideoReceived(1, 1000 + 0x128, b"v2"),
        rtmp.VideoReceived(1, 0, b"next"),
    ]


@pytest.mark.parametrize(
    "body", [b"\x09", tag(9, 0, b"x") + b"\x09\0\0", tag(9, 0, b"abc")[:12], tag(8, 0, b"") * (MAX_AGGREGATE_PARTS + 1)]
)
def test_a_broken_aggregate_is_counted(body: bytes) -> None:
    peer = live_peer()
    assert noise(peer.send(Message(m.AGGREGATE, 1, 0, body))) == {"bad_aggregate": 1}
    assert peer.send(video(b"x")) == [rtmp.VideoReceived(1, 0, b"x")]


def test_media_on_a_stream_that_nobody_publishes_is_counted() -> None:
    assert noise(live_peer().send(video(b"x", 7), Message(m.AUDIO, 0, 0, b"x"))) == {"data_without_publish": 2}
