"""What must not be: each gets its defined answer and a count, and the stream beside it never notices."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from headrace.core import rtmp
from tests.e2e.sources import BUNNY, MONO, Source
from tests.support.publishers import Pace, Publisher, publish
from tests.support.publishers_raw import RawPublisher
from tests.support.reader import Viewer, numbers
from tests.support.stack import Process, Stack, Stream, eventually

pytestmark = pytest.mark.timeout(60)

REFUSED = "headrace_edge_refused_publishes_total"
CLOSED = "headrace_edge_closed_connections_total"

MP3 = bytes([0x2F]) + bytes(100)
SPEEX = bytes([0xB2]) + bytes(100)
SORENSON = bytes([0x12]) + bytes(100)
HEVC = bytes([0x90]) + b"hvc1" + bytes(30)
AV1 = bytes([0x90]) + b"av01" + bytes(30)


class Bystander(NamedTuple):
    """A stream that is live all the while."""

    stream: Stream
    publisher: Process


@pytest.fixture(scope="module", autouse=True)
def bystander(stack: Stack, viewer: Viewer, clip: Callable[[Source], Path]) -> Iterator[Bystander]:
    stream = stack.create("bystander", "passthrough")
    with publish(Publisher.PYAV, Pace.REALTIME, clip(BUNNY), stream.publish_url) as publisher:
        eventually("live", lambda: stream.state == "live", 10)
        yield Bystander(stream, publisher)


@pytest.fixture
def counted(stack: Stack) -> Callable[..., None]:
    """`counted(metric, **labels)`: that it has grown by one since the test began."""
    before = stack.http.get("/metrics").text

    def grew(metric: str, **labels: str) -> None:
        was = Stack.metric_in(before, metric, **labels)
        eventually(f"{metric} {labels} counted", lambda: stack.metric(metric, **labels) == was + 1, 3)

    return grew


def refusal(publisher: RawPublisher) -> rtmp.PublishRefused:
    while isinstance(answer := publisher.answer(), rtmp.Connected):
        pass
    assert isinstance(answer, rtmp.PublishRefused)
    return answer


def started(publisher: RawPublisher) -> None:
    assert isinstance(publisher.answer(), rtmp.Connected)
    assert isinstance(publisher.answer(), rtmp.PublishStarted)


def test_a_wrong_key_is_denied(stack: Stack, counted: Callable[..., None]) -> None:
    with RawPublisher(stack.rtmp_url, "live", "not-a-key") as publisher:
        refused = refusal(publisher)
        assert refused.code == "NetStream.Publish.Denied"
        assert refused.description == "This stream key is not valid."
        publisher.closed_after(3)
    counted(REFUSED, reason="bad_key")


def test_an_encoder_with_a_wrong_key_says_so_to_its_user(stack: Stack, clip: Callable[[Source], Path]) -> None:
    with publish(Publisher.FFMPEG, Pace.FAST, clip(MONO), f"{stack.rtmp_url}/live/not-a-key") as publisher:
        assert publisher.wait(10) != 0
        assert "Server error: This stream key is not valid." in publisher.output


def test_an_unknown_application_is_refused(stack: Stack, counted: Callable[..., None]) -> None:
    stream = stack.create("right key, wrong door", "passthrough")
    with RawPublisher(stack.rtmp_url, "backstage", stream.key) as publisher:
        refused = refusal(publisher)
        assert refused.code == "NetConnection.Connect.InvalidApp"
        assert refused.description == "There is no such application here: use 'live'."
        publisher.closed_after(3)
    counted(REFUSED, reason="unknown_app")


def test_a_second_publisher_is_told_that_the_name_is_taken(
    stack: Stack, bystander: Bystander, counted: Callable[..., None]
) -> None:
    with RawPublisher(stack.rtmp_url, "live", bystander.stream.key) as publisher:
        refused = refusal(publisher)
        assert refused.code == "NetStream.Publish.BadName"
        assert refused.description == "The stream “bystander” is already being published."
        publisher.closed_after(3)
    counted(REFUSED, reason="busy")


@pytest.mark.parametrize(
    ("kind", "body", "named"),
    [
        ("video", HEVC, "HEVC"),
        ("video", AV1, "AV1"),
        ("video", SORENSON, "Sorenson"),
        ("audio", MP3, "MP3"),
        ("audio", SPEEX, "Speex"),
    ],
)
def test_a_codec_that_is_not_served_yet_is_named_in_the_refusal(
    stack: Stack, counted: Callable[..., None], kind: str, body: bytes, named: str
) -> None:
    stream = stack.create(named, "passthrough")
    with RawPublisher(stack.rtmp_url, "live", stream.key) as publisher:
        started(publisher)
        (publisher.client.send_video if kind == "video" else publisher.client.send_audio)(0, body)
        publisher.flush()
        refused = refusal(publisher)
        assert refused.code == "NetStream.Publish.Rejected"
        assert named in refused.description
        assert refused.description.endswith(" is not supported yet: please send H.264 (AVC) video and AAC audio")
        publisher.closed_after(3)
    counted(REFUSED, reason="unsupported_codec")
    eventually("idle", lambda: stream.state == "idle", 3)


@pytest.mark.parametrize(
    ("first_bytes", "reason"),
    [
        (bytes(range(200, 256)) * 30, "bad_version"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "http_on_rtmp_port"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), "tls_on_rtmp_port"),
    ],
)
def test_what_is_no_rtmp_is_closed_without_a_word(
    stack: Stack, counted: Callable[..., None], first_bytes: bytes, reason: str
) -> None:
    with RawPublisher(stack.rtmp_url) as publisher:
        publisher.send(first_bytes)
        publisher.closed_after(3)
    counted(CLOSED, reason=reason)


@pytest.mark.parametrize("accepted", [False, True], ids=["before publishing", "while publishing"])
def test_a_message_of_16_mb_is_not_waited_for(stack: Stack, counted: Callable[..., None], accepted: bool) -> None:
    stream = stack.create("large", "passthrough")
    with RawPublisher(stack.rtmp_url, "live", stream.key if accepted else "") as publisher:
        if accepted:
            started(publisher)
        else:
            assert isinstance(publisher.answer(), rtmp.Connected)
        length, video = 0xFFFFFF, 9
        publisher.send(struct.pack(">BI", 6, 0)[:4] + length.to_bytes(3) + bytes([video]) + struct.pack("<I", 1))
        publisher.closed_after(3)
    counted(CLOSED, reason="message_too_large")


def test_a_client_that_stops_in_the_middle_of_a_chunk_is_given_up(stack: Stack, counted: Callable[..., None]) -> None:
    stream = stack.create("stuck", "passthrough")
    with RawPublisher(stack.rtmp_url, "live", stream.key) as publisher:
        started(publisher)
        publisher.client.send_video(0, bytes([0x17, 1, 0, 0, 0]) + bytes(20_000))
        whole = publisher.client.data_to_send()
        publisher.client.send_video(40, bytes([0x27, 1, 0, 0, 0]) + bytes(20_000))
        publisher.send(whole + publisher.client.data_to_send()[:10_000])
        assert publisher.closed_after(14) >= 9
    counted(CLOSED, reason="media_idle")


def test_none_of_this_touched_the_stream_that_was_live_all_the_while(bystander: Bystander, viewer: Viewer) -> None:
    assert bystander.publisher.wait(40) == 0, bystander.publisher.output
    eventually("the run is over", lambda: bystander.stream.state == "idle", 20)
    (variant,) = viewer.multivariant(bystander.stream.hls_url).variants
    assert viewer.playlist(variant.url).ended
    assert numbers(variant.url) == {pts: n for n, pts in enumerate(BUNNY.pts)}
