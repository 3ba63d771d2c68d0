"""A publisher's media all the way through the edge: tag bodies to frames, a source, a plan, and what is sent of them.

Law: an input is a row of messages: kind (video, audio, metadata), milliseconds since the last one, length, body. What
comes of them is held within the buffer's bound, comes through the wire as it was, and makes a plan that can be obeyed.
"""

from collections.abc import Iterator

from headrace.core.amf import decode_values
from headrace.core.broadcast import Profile, Refused, RungSpec, make_plan
from headrace.core.broadcast.ids import RunId, StreamId
from headrace.core.errors import HeadraceError
from headrace.edge.budget import Budget
from headrace.edge.publish import Publish
from headrace.edge.replay import FRAME_BYTES, ReplayBuffer
from headrace.wire import steps
from headrace.wire.control import OpenedSession
from headrace.wire.types import plan_from_bytes, plan_to_bytes, source_from_bytes, source_to_bytes
from tests.fuzz.judge import Shape

BUFFER_BYTES = 1 << 18
PROFILES = (
    Profile(),
    Profile(source=True, auto=False),
    Profile(source=True),
    Profile(auto=False, rungs=(RungSpec(1080, fps=120), RungSpec(90, fps=1)), part_ms=200, segment_s=1),
)
VIDEO, AUDIO, METADATA = range(3)
ALLOWED: tuple[type[HeadraceError], ...] = (Refused,)


def publish(data: bytes) -> None:
    """`Publish` and what follows it."""
    choice = data[0] if data else 0
    profile = PROFILES[choice & 3]
    opened = OpenedSession(StreamId("s"), RunId("r"), 1, "i", profile, anchor_ms=1)
    buffer = ReplayBuffer(BUFFER_BYTES, Budget(BUFFER_BYTES))
    one = Publish(opened, buffer)
    timestamp = 0
    for kind, elapsed_ms, body in _messages(data[1:]):
        timestamp = (timestamp + elapsed_ms) & 0xFFFFFFFF
        if kind == METADATA:
            found = next((value for value in decode_values(body).values if isinstance(value, dict)), None)
            if found is not None:
                one.metadata(dict(found))
        elif kind == AUDIO:
            one.audio(timestamp, body)
        else:
            one.video(timestamp, body)
        if choice & 4:
            _plan(one, profile, now=False)
        buffer.published(one.furthest if choice & 8 else 0)
        if buffer.full:
            break
    _plan(one, profile, now=True)
    frames = buffer.take(2 * BUFFER_BYTES)
    last_dts = None
    for frame in frames:
        assert len(frame.data) + FRAME_BYTES <= buffer.held_bytes or choice & 8, "held and not counted"
        if frame.kind is frame.kind.VIDEO:
            assert last_dts is None or frame.dts > last_dts, "decode times do not rise"
            last_dts = frame.dts
    assert steps.up_from_bytes(steps.up_to_bytes(steps.Frames(frames))) == steps.Frames(frames), "frames are lost"
    buffer.trim(one.furthest)
    buffer.clear()
    assert not buffer.held_bytes, "bytes that nobody holds are counted"


def _plan(one: Publish, profile: Profile, *, now: bool) -> None:
    source = one.described(now=now)
    if source is None:
        return
    assert source_from_bytes(source_to_bytes(source)) == source, "the source is not what it was"
    plan = make_plan(profile, source)
    assert plan_from_bytes(plan_to_bytes(plan)) == plan, "the plan is not what it was"
    assert 0 < plan.part <= plan.segment, f"parts of {plan.part} ticks in segments of {plan.segment}"
    assert plan.part_target_ms > 0 < plan.target_duration_s, "targets of nothing"
    assert all(rung.width > 0 < rung.height and rung.frame_rate > 0 for rung in plan.video), "no picture"


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    while position + 5 <= len(data):
        elapsed_ms = int.from_bytes(data[position + 1 : position + 3], "big", signed=True)
        size = int.from_bytes(data[position + 3 : position + 5], "big")
        yield data[position] % 3, elapsed_ms, data[position + 5 : position + 5 + size]
        position += 5 + size


def message(kind: int, body: bytes, elapsed_ms: int = 0) -> bytes:
    """The opposite, for corpora."""
    return bytes((kind,)) + (elapsed_ms & 0xFFFF).to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


AVCC = bytes.fromhex("0142c01effe100096742c01eda02802dc801000468ce3c80")
_BEGUN = (
    message(VIDEO, b"\x17\x00\x00\x00\x00" + AVCC)
    + message(AUDIO, b"\xaf\x00\x12\x10")
    + message(VIDEO, b"\x17\x01\x00\x00\x00\x00\x00\x00\x01\x65")
)
SHAPES = (
    Shape(b"\x08" + _BEGUN, message(AUDIO, b"\xaf\x01x", 21)),
    Shape(b"\x09" + _BEGUN, message(VIDEO, b"\x17\x01\x00\x00\x00\x00\x00\x00\x01\x65", 40)),
    Shape(b"\x0d" + _BEGUN, message(VIDEO, b"\x27\x01\x7f\xff\xff\x00\x00\x00\x01\x41", -4000)),
    Shape(b"\x0c", message(METADATA, b"\x03\x00\x05width\x00" + bytes(8))),
    Shape(b"\x0d", message(VIDEO, b"\x17\x00\x00\x00\x00" + AVCC)),
)
