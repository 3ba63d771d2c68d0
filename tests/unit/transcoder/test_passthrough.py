"""Passed-through video: the bytes that wait for a part are bounded, and a continuation makes the same bytes."""

from headrace.core.broadcast import Gap, VideoSource
from headrace.core.hls.segmenter import Position
from headrace.core.media import Frame, Kind
from headrace.transcoder.pipe import Made, Message
from headrace.transcoder.worker.passthrough import PassthroughVideo
from tests.support.runs import plan_of

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
