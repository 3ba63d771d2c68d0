"""Passed-through video: bounded while it waits, continued with the same bytes, and listed whole where it is whole."""

from dataclasses import replace

import pytest

from headrace.core.broadcast import Claim, Entry, Epoch, Gap, Init, Part, Plan, RunId, RunStart, VideoSource
from headrace.core.codec.h264 import AvcConfig
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.segmenter import Position
from headrace.core.media import TICKS_PER_S, Frame, Kind
from headrace.livelog.base import Append, Cursor
from headrace.livelog.memory import MemoryLog
from headrace.transcoder.pipe import Made, Message, decode, encode
from headrace.transcoder.worker.passthrough import PassthroughVideo
from headrace.transcoder.writer import Writer
from tests.support.encode import encode_video
from tests.support.runs import parts_of, plan_of

FRAME = 3600
SOURCE = VideoSource("avc1", b"", 1920, 1080, 1, 25)  # type: ignore[arg-type]


def video(profile: str, start: Position, sent: list[Message]) -> PassthroughVideo:
    plan = plan_of(profile, audio=False)
    assert plan.passthrough is not None
    return PassthroughVideo(plan, plan.passthrough, SOURCE, start, start, None, sent.append)


def frames(count: int, gop: int) -> list[Frame]:
    """25 fps without reordering; the bytes say the number."""
    return [Frame(Kind.VIDEO, i % gop == 0, i * FRAME, i * FRAME, i.to_bytes(4, "big")) for i in range(count)]


def test_a_source_that_never_sends_another_keyframe_is_gaps_and_takes_no_memory() -> None:
    sent: list[Message] = []
    passed = video("source+auto", Position.initial(), sent)
    waiting = 0
    for frame in frames(25 * 120, gop=10**6):
        passed.push(frame)
        waiting = max(waiting, len(passed._data))
    assert isinstance(sent[-1], Gap)
    assert waiting < 25 * 5


def test_a_later_sessions_init_is_the_same_though_its_source_was_measured_anew() -> None:
    plan = plan_of("passthrough", audio=False)
    assert plan.passthrough is not None
    config = AvcConfig.from_annexb(encode_video()[0]).build()
    start = Position.initial()
    inits = {
        PassthroughVideo(plan, plan.passthrough, source, start, start, None, lambda _: None).init.data
        for source in (replace(SOURCE, config=config, kbps=kbps, delta=delta) for kbps, delta in [(0, 0), (900, 7200)])
    }
    assert len(inits) == 1


def test_a_continuation_makes_the_same_bytes() -> None:
    whole: list[Message] = []
    first = video("passthrough", Position.initial(), whole)
    for frame in frames(250, gop=50):
        first.push(frame)
    first.finish(250 * FRAME)
    last = whole[11]
    assert isinstance(last, Made)
    assert not last.part.segment_end
    at = last.part
    rest: list[Message] = []
    second = video("passthrough", Position(at.msn, at.part + 1, at.end, at.segment_start, at.opened), rest)
    for frame in frames(250, gop=50)[50:]:
        second.push(frame)
    second.finish(250 * FRAME)
    assert rest == whole[12:]


def through_the_pipe(message: Message) -> Message:
    data = b"".join(encode(message))
    return decode(data[0], data[5:])


async def logged(plan: Plan, messages: list[Message]) -> RunModel:
    """What a viewer gets of a worker's messages, by way of the pipe, a writer and the memory log.

    The other rungs have all their parts.
    """
    log, run = MemoryLog(), RunId("run")
    writer = Writer(log, run, Claim(Epoch(1, 1), "session", writer="w"), RunStart(plan, 0))
    await writer.take(0)
    inits = [Init(rung, "avc1.64001f", rung.encode()) for rung in plan.rung_names]
    entries: list[tuple[Entry, bytes | None]] = [(init, None) for init in inits]
    for message in map(through_the_pipe, messages):
        if isinstance(message, Made):
            entries.append((message.part, message.data))
        elif isinstance(message, Gap):
            entries.append((message, None))
    for msn in range(3):
        for rung in plan.rung_names[1:]:
            parts = parts_of(plan, rung, msn)
            entries += [(part, bytes(part.size)) for part in parts if isinstance(part, Part)]
    for entry in entries:
        await writer.append([Append(*entry)])
    reading = await log.read(run, Cursor(0, ""))
    return RunModel.read(reading.head, [(one.entry, one.id) for one in reading.entries if one.entry is not None])


@pytest.mark.parametrize("profile", ["passthrough", "source+auto"])
@pytest.mark.parametrize("missing", [3, 6, 9])
async def test_dropped_frames_leave_a_run_and_its_segments_whole(profile: str, missing: int) -> None:
    sent: list[Message] = []
    passed = video(profile, Position.initial(), sent)
    for i, frame in enumerate(frames(150, gop=50)):
        if not 80 <= i < 80 + missing:
            passed.push(frame)
    passed.finish(150 * FRAME)
    assert any(isinstance(message, Gap) for message in sent)
    model = await logged(plan_of(profile, audio=False), sent)
    playlist = model.playlist("source")
    assert playlist is not None
    assert [segment.gap for segment in playlist.segments] == [False] * 3


async def test_a_segment_without_a_single_byte_is_a_gap_though_the_picture_before_it_lasts() -> None:
    plan = plan_of("passthrough", audio=False)
    sent: list[Message] = []
    passed = video("passthrough", Position.initial(), sent)
    for frame in frames(400, gop=50):
        if not 3 * TICKS_PER_S <= frame.pts < 10 * TICKS_PER_S:
            passed.push(frame)
    passed.finish(400 * FRAME)
    playlist = (await logged(plan, sent)).playlist("source")
    assert playlist is not None
    empty = [segment for segment in playlist.segments if not segment.size]
    assert empty
    assert [segment for segment in playlist.segments if segment.gap] == empty


def test_only_where_media_is_missing_does_a_gap_name_no_encoder() -> None:
    waiting: list[Message] = []
    passed = video("source+auto", Position.initial(), waiting)
    for frame in frames(250, gop=10**6):
        passed.push(frame)
    gaps = [message for message in waiting if isinstance(message, Gap)]
    assert {(gap.opened, gap.encoder) for gap in gaps} == {(False, "")}

    begun_in_a_hole: list[Message] = []
    passed = video("passthrough", Position(0, 2, 30 * FRAME, 0, True), begun_in_a_hole)
    for frame in frames(250, gop=50)[50:]:
        passed.push(frame)
    gaps = [message for message in begun_in_a_hole if isinstance(message, Gap)]
    assert gaps
    assert {gap.encoder for gap in gaps} == {""}
