"""The edge on real sockets: encoders on one side, a control and a transcoder of the tests' own on the other."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from fractions import Fraction

import pytest

from headrace.core import flv, rtmp
from headrace.core.broadcast import MAX_CONFIG_BYTES
from headrace.core.media import Kind
from headrace.edge import forwarder
from headrace.edge.pace import Pace
from headrace.edge.replay import FRAME_BYTES
from headrace.wire import media
from headrace.wire.control import ReleaseReason
from tests.integration.edge.harness import AAC, AVC, DEADLINE_S, READ_BYTES, REPLAY_BYTES, Encoder, Stack, until


async def test_every_frame_arrives_once_and_in_order_and_the_end_is_told(stack: Stack) -> None:
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish("a"), rtmp.PublishStarted)
    encoder.describe()
    for i in range(200):
        encoder.frame(i)
    encoder.rtmp.end()
    await encoder.flush()
    await until(lambda: "a" in stack.transcoder.ends and len(stack.control.released) == 2)
    pictures = [f for f in stack.transcoder.frames["a"] if f.kind is Kind.VIDEO]
    assert [f.pts for f in pictures] == [3600 * i for i in range(200)]
    assert [f.keyframe for f in pictures] == [i % 50 == 0 for i in range(200)]
    assert isinstance(stack.transcoder.ends["a"], media.End)
    assert stack.transcoder.opens[0].source.video.frame_rate == Fraction(25)
    session_id = stack.transcoder.opens[0].session_id
    assert stack.control.released == [
        (session_id, ReleaseReason.ENDED, False),
        (session_id, ReleaseReason.ENDED, True),
    ]


async def test_a_lost_socket_is_a_hold_and_a_release_that_says_lost(stack: Stack) -> None:
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    await encoder.flush()
    await until(lambda: len(stack.transcoder.frames.get("a", ())) == 60)
    encoder.writer.transport.abort()
    await until(lambda: len(stack.control.released) == 2)
    assert stack.transcoder.ends["a"] == media.Hold(29 * 3600)
    assert {reason for _, reason, _ in stack.control.released} == {ReleaseReason.LOST}


async def test_a_worker_that_does_not_read_stops_one_publishers_socket_and_no_other(stack: Stack) -> None:
    stack.transcoder.held_up.add("slow")
    slow, fast = await Encoder.dial(stack), await Encoder.dial(stack)
    await slow.publish("slow")
    await fast.publish("fast")
    slow.describe()
    fast.describe()
    sent = 0

    async def push() -> None:
        nonlocal sent
        for i in range(4000):  # 40 MB, far beyond every bound and every socket buffer
            slow.frame(i, 10_000)
            await slow.flush()
            sent = i + 1

    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(push())
        before = -1
        async with asyncio.timeout(DEADLINE_S):
            while before != sent or not sent:  # the socket has stopped once nothing moves for half a second
                before = sent
                await asyncio.sleep(0.5)
        assert sent < 4000
        # Bounded: the replay buffer and one read of the socket, with what its frames cost besides their bytes.
        assert stack.edge.held_bytes <= REPLAY_BYTES + READ_BYTES + READ_BYTES // 5_000 * FRAME_BYTES
        for i in range(500):
            fast.frame(i)
            await fast.flush()
        fast.rtmp.end()
        await fast.flush()
        await until(lambda: "fast" in stack.transcoder.ends)
        assert len([f for f in stack.transcoder.frames["fast"] if f.kind is Kind.VIDEO]) == 500
        assert sent < 4000
        stack.transcoder.go_on.set()
        await pushing
    slow.rtmp.end()
    await slow.flush()
    await until(lambda: "slow" in stack.transcoder.ends)
    pictures = [f.pts for f in stack.transcoder.frames["slow"] if f.kind is Kind.VIDEO]
    assert pictures == [3600 * i for i in range(4000)]


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Among how many publishers a socket was read, and whether it rested then."""
    rest, seen = Pace.rest, []

    def watched(pace: Pace, wake: Callable[[], None], among: int) -> bool:
        rested = rest(pace, wake, among)
        seen.append((among, rested))
        return rested

    monkeypatch.setattr(Pace, "rest", watched)
    return seen


async def test_connections_that_publish_nothing_make_no_publisher_wait(
    stack: Stack, rests: list[tuple[int, bool]]
) -> None:
    for _ in range(30):
        await Encoder.dial(stack)
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    encoder.rtmp.end()
    await encoder.flush()
    await until(lambda: "a" in stack.transcoder.ends)
    assert set(rests) == {(1, False)}


async def test_where_many_publish_sockets_rest_and_yet_every_frame_arrives_in_order(
    stack: Stack, rests: list[tuple[int, bool]]
) -> None:
    keys = [f"p{i}" for i in range(20)]
    encoders = [await Encoder.dial(stack) for _ in keys]
    for encoder, key in zip(encoders, keys, strict=True):
        await encoder.publish(key)
        encoder.describe()
    for i in range(100):
        for encoder in encoders:
            encoder.frame(i, 20_000 if i % 50 == 0 else 500)
            await encoder.flush()
    for encoder in encoders:
        encoder.rtmp.end()
        await encoder.flush()
    await until(lambda: all(key in stack.transcoder.ends for key in keys))
    for key in keys:
        assert [f.pts for f in stack.transcoder.frames[key] if f.kind is Kind.VIDEO] == [3600 * i for i in range(100)]
    assert (len(keys), True) in rests


@pytest.mark.parametrize(
    ("app", "key", "code"),
    [
        ("live", "wrong", "NetStream.Publish.Denied"),
        ("live", "busy", "NetStream.Publish.BadName"),
        ("other", "a", "NetConnection.Connect.InvalidApp"),
    ],
)
async def test_a_refused_publish_is_told_why_and_then_closed(stack: Stack, app: str, key: str, code: str) -> None:
    encoder = await Encoder.dial(stack)
    refused = await encoder.publish(key, app)
    assert isinstance(refused, rtmp.PublishRefused)
    assert refused.code == code
    assert refused.description
    async with asyncio.timeout(DEADLINE_S):
        while await encoder.reader.read(65_536):
            pass


@pytest.mark.parametrize("kind", ["video", "audio"])
async def test_a_configuration_larger_than_any_is_refused_before_control_has_to_carry_it(
    stack: Stack, kind: str
) -> None:
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish("a"), rtmp.PublishStarted)
    if kind == "video":
        encoder.rtmp.send_video(0, flv.encode_video(flv.VideoConfig(AVC + bytes(MAX_CONFIG_BYTES))))
    else:
        encoder.rtmp.send_audio(0, flv.encode_audio(flv.AudioConfig(AAC + bytes(MAX_CONFIG_BYTES))))
    answer = await encoder.wait_for((rtmp.PublishRefused,))
    assert isinstance(answer, rtmp.PublishRefused)
    assert answer.code == "NetStream.Publish.Rejected"
    assert answer.description == f"the {kind} configuration is larger than 16 KiB"


async def test_a_transcoder_that_makes_no_progress_is_lost_though_it_answers_pings(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "STALL_S", 0.5)
    stack.transcoder.held_up.add("a")
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish("a"), rtmp.PublishStarted)
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    encoder.rtmp.end()
    await encoder.flush()
    await until(lambda: stack.control.released and stack.control.released[-1][2])
    assert stack.control.released[-1][1] is ReleaseReason.FAILED
    assert (stack.transcoder.frames["a"], stack.transcoder.ends) == ([], {})


async def test_a_codec_that_is_not_supported_yet_is_refused_in_a_sentence_that_names_it(stack: Stack) -> None:
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.rtmp.send_video(0, b"\x90hvc1" + bytes(20))
    refused = await encoder.wait_for((rtmp.PublishRefused,))
    assert isinstance(refused, rtmp.PublishRefused)
    assert refused.code == "NetStream.Publish.Rejected"
    assert "HEVC" in refused.description
    await until(lambda: stack.control.released)
    assert stack.control.released[-1][1] is ReleaseReason.FAILED


@pytest.mark.parametrize("key", ["dies", "refused"])
async def test_a_lost_or_unwilling_transcoder_ends_that_publish_with_a_status(stack: Stack, key: str) -> None:
    other = await Encoder.dial(stack)
    await other.publish("other")
    other.describe()
    encoder = await Encoder.dial(stack)
    await encoder.publish(key)
    encoder.describe()
    for i in range(100):
        encoder.frame(i)
        other.frame(i)
    await other.flush()
    refused = await encoder.wait_for((rtmp.PublishRefused,))
    assert isinstance(refused, rtmp.PublishRefused)
    assert refused.code in ("NetStream.Failed", "NetStream.Publish.Rejected")
    await until(lambda: len(stack.transcoder.frames.get("other", ())) == 200)


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", bytes(9000)]
)
async def test_what_is_not_rtmp_is_closed_without_a_word(stack: Stack, junk: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.edge.rtmp_port)
    writer.write(junk)
    async with asyncio.timeout(DEADLINE_S):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


async def test_stopping_ends_a_publish_and_flushes_it(stack: Stack) -> None:
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    await encoder.flush()
    await until(lambda: len(stack.transcoder.frames.get("a", ())) == 60)
    stack.edge.stop()
    await until(lambda: len(stack.control.released) == 2)
    assert isinstance(stack.transcoder.ends["a"], media.End)


async def test_a_refused_second_publish_leaves_the_first_on_its_connection_alone(stack: Stack) -> None:
    encoder = await Encoder.dial(stack)
    await encoder.publish("a")
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    encoder.command("createStream", 20, None)
    encoder.command("publish", 21, None, "wrong", "live", stream_id=2)
    await encoder.flush()
    await until(lambda: len(stack.transcoder.frames.get("a", ())) == 60)
    for i in range(30, 60):
        encoder.frame(i)
        await encoder.flush()
    await until(lambda: len(stack.transcoder.frames["a"]) == 120)


async def test_a_connection_that_is_reset_at_once_is_no_error(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.connect(("127.0.0.1", stack.edge.rtmp_port))
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish("a"), rtmp.PublishStarted)
    assert not [r for r in caplog.records if r.exc_info]


async def test_a_flood_before_publishing_is_closed_and_slows_nobody(stack: Stack) -> None:
    flood = await Encoder.dial(stack)
    flood.rtmp.connect("live", "rtmp://127.0.0.1/live")
    await flood.wait_for((rtmp.Connected,))
    empty_sound = bytes((4, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0))
    flood.writer.write(empty_sound + b"\xc4" * 1_000_000)
    other = await Encoder.dial(stack)
    async with asyncio.timeout(2):
        assert isinstance(await other.publish("a"), rtmp.PublishStarted)
    async with asyncio.timeout(DEADLINE_S):
        with contextlib.suppress(OSError):
            while await flood.reader.read(65_536):
                pass


async def test_a_publish_that_is_withdrawn_at_once_does_not_ask_control(stack: Stack) -> None:
    encoder = await Encoder.dial(stack)
    encoder.rtmp.connect("live", "rtmp://127.0.0.1/live")
    await encoder.wait_for((rtmp.Connected,))
    for transaction in (10, 20):
        encoder.command("createStream", transaction, None)
        encoder.command("publish", transaction + 1, None, "a", "live", stream_id=1)
        if transaction == 10:
            encoder.command("deleteStream", 12, None, 1.0)
    await encoder.flush()
    await until(lambda: stack.control.opened)
    await asyncio.sleep(0.1)
    assert stack.control.opened == 1
