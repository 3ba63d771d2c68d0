"""Passed-through sound in the parts of the video: late, missing, and in step with its bytes."""

from fractions import Fraction

import pytest

from headrace.core.broadcast import AudioSource, Gap
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.hls.segmenter import PassthroughCutter, Position, Span
from headrace.transcoder.pipe import Made, Message
from headrace.transcoder.worker.audio import AacFrame
from headrace.transcoder.worker.soundtrack import FURTHEST_S, SoundPackager, SoundRunsAway
from tests.support.boxes import read_boxes, read_run
from tests.support.media_patterns import arranged
from tests.support.runs import plan_of

PART = 30_000
START = Position.initial()


def sound(sent: list[Message], position: Position = START) -> SoundPackager:
    audio = plan_of("passthrough").audio
    assert audio is not None
    return SoundPackager(audio, position, "source", AudioSpecificConfig(48_000, 2).build(), sent.append)


def span(part: int) -> Span:
    return Span(part // 6, part % 6, part * PART, (part + 1) * PART, part // 6 * 6 * PART, True, part % 6 == 5)


def unit(k: int) -> AacFrame:
    return AacFrame(k * 1024, k.to_bytes(4, "big"))


def numbers(message: Message) -> list[int]:
    """Which units a part holds, by their bytes."""
    assert isinstance(message, Made)
    size = len(read_run(read_boxes(message.data)[0]).samples)
    media = message.data[-4 * size :]
    return [int.from_bytes(media[at : at + 4], "big") for at in range(0, len(media), 4)]


def test_sound_that_is_always_too_late_is_a_gap_and_does_not_gather() -> None:
    sent: list[Message] = []
    packager = sound(sent)
    for k in range(100 * 48_000 // 1024):
        if k * 1024 * 90 // 48 % PART < 1920:
            part = k * 1920 // PART
            packager.follow([span(part)], (part + 1) * PART)
        if (late := k - 9 * 48_000 // 1024) >= 0:
            packager.push(unit(late), 1024)
    assert len(sent) > 200
    assert all(isinstance(message, Gap) for message in sent)


def test_sound_that_comes_back_in_time_is_heard_with_its_own_bytes() -> None:
    sent: list[Message] = []
    packager = sound(sent)
    for part in range(30):
        packager.follow([span(part)], (part + 1) * PART)
    for k in (0, 1, 2, 300, 301, 290):  # too late, then too early for a part, then out of order
        packager.push(unit(k), 1024)
    for k in range(302, 500):
        packager.push(unit(k), 1024)
    packager.finish()
    heard = [number for message in sent if isinstance(message, Made) for number in numbers(message)]
    assert heard == list(range(300, 469))


def test_units_before_the_position_of_a_continuation_are_not_in_its_first_part() -> None:
    sent: list[Message] = []
    packager = sound(sent, Position(0, 2, 2 * PART, 0, True))
    for k in range(60):
        packager.push(unit(k), 1024)
    packager.follow([span(2)], 3 * PART + 5000)
    assert numbers(sent[0]) == list(range(32, 47))


def test_sound_without_pictures_ends_the_run_before_it_fills_the_memory() -> None:
    packager = sound([])
    most = FURTHEST_S * 48_000 // 1024
    for k in range(most):
        packager.push(unit(k), 1024)
    with pytest.raises(SoundRunsAway):
        packager.push(unit(most), 1024)


@pytest.mark.parametrize("missing", [3, 6, 9])
def test_a_short_part_of_the_sound_beside_a_gap_of_the_pictures_is_independent_and_so_allowed(missing: int) -> None:
    times = [3600 * i for i in range(250) if i < 50 or not 30 <= i % 50 < 30 + missing]
    pattern = arranged(Fraction(25), times, {i for i, t in enumerate(times) if t % 180_000 == 0}, reorder=0)
    config = AudioSpecificConfig(48_000, 2).build()
    plan = pattern.plan("passthrough", AudioSource("mp4a", config, 48_000, 2, 1024))
    assert plan.passthrough is not None
    assert plan.audio is not None
    sent: list[Message] = []
    packager = SoundPackager(plan.audio, START, "source", config, sent.append)
    cutter = PassthroughCutter(plan, plan.passthrough, START)
    for k in range(pattern.end // 1920 + 1):
        packager.push(unit(k), 1024)
    for shot in pattern.shots:
        packager.follow(cutter.push(*shot), cutter.reached)
    packager.follow(cutter.finish(pattern.end), cutter.reached)
    packager.finish()
    parts = [message.part for message in sent if isinstance(message, Made)]
    assert sum(len(numbers(message)) for message in sent if isinstance(message, Made)) == pattern.end // 1920 + 1
    assert any(part.duration * 100 < 85 * 90 * plan.part_target_ms and not part.segment_end for part in parts)
    for part in parts:
        assert part.duration <= 90 * plan.part_target_ms
        assert part.independent or part.segment_end or part.duration * 100 >= 85 * 90 * plan.part_target_ms
