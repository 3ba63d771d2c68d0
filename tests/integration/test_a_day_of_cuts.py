"""A whole day on the timeline, in virtual time: cuts neither drift nor stumble.

Beside the unit tests because it takes a minute or two; it opens no socket.
"""

from fractions import Fraction

import pytest

from headrace.core.broadcast import Plan, Profile, Source, VideoSource, make_plan
from headrace.core.hls.durations import extinf, round_half_up_seconds
from headrace.core.hls.segmenter import (
    EncodedCutter,
    GapPart,
    PartClosed,
    PassthroughCutter,
    PassthroughPart,
    Position,
    Span,
)
from headrace.core.media import TICKS_PER_MS, TICKS_PER_S

DAY_S = 24 * 3600
RATES = ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"]


def plan_for(profile: str, rate: Fraction, first_segment: int = 0) -> Plan:
    video = VideoSource("avc1", b"", 1280, 720, Fraction(1), rate, first_segment=first_segment)
    return make_plan(Profile.parse(profile), Source(video))


class Watch:
    """Sees every part once and keeps what the playlists would add up."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.at = Position.initial()
        self.segments = self.parts = self.short = 0
        self.listed = Fraction(0)

    def see(self, span: Span) -> None:
        assert (span.msn, span.part, span.start, span.segment_start) == (
            self.at.msn, self.at.part, self.at.start, self.at.segment_start,
        )  # fmt: skip
        length = span.end - span.start
        target = self.plan.part_target_ms * TICKS_PER_MS
        assert 0 < length <= target
        self.short += length * 100 < 85 * target and not span.segment_end
        self.parts += 1
        if span.segment_end:
            assert round_half_up_seconds(span.end - span.segment_start) <= self.plan.target_duration_s
            self.listed += Fraction(extinf(span.segment_start, span.end))
            self.segments += 1
        self.at = span.after

    def sums_up(self) -> bool:
        """Whether the printed durations still add up to the timeline, to its printed digit."""
        return abs(self.listed - Fraction(self.at.segment_start, TICKS_PER_S)) <= Fraction(1, 100_000)


def milliseconds(i: int, rate: Fraction) -> int:
    """The i-th picture's time as RTMP tells it, in ticks."""
    return (2000 * i * rate.denominator + rate.numerator) // (2 * rate.numerator) * TICKS_PER_MS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fps", RATES)
def test_encoded_rungs_cut_a_day_on_the_grid(fps: str) -> None:
    rate = Fraction(fps)
    plan = plan_for("auto", rate)
    cutter, watch, shown = EncodedCutter(plan, Position.initial()), Watch(plan), 0
    frames = int(DAY_S * rate)
    push, see = cutter.push, watch.see
    for i in range(frames):
        for one in push(milliseconds(i, rate), False):
            if isinstance(one, PartClosed):
                see(one)
            else:
                shown += 1
    for one in cutter.finish(milliseconds(frames, rate)):
        if isinstance(one, PartClosed):
            see(one)
        else:
            shown += 1
    assert shown == frames
    assert cutter.dropped == 0
    assert watch.short == 0
    assert watch.segments == DAY_S // 2
    assert watch.sums_up()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("fps", "gop"), [("30000/1001", 60), ("24", 250)])
def test_a_passed_through_rung_cuts_a_day_at_its_keyframes(fps: str, gop: int) -> None:
    rate = Fraction(fps)
    plan = plan_for("passthrough", rate, first_segment=milliseconds(gop, rate))
    (rung,) = plan.video
    cutter, watch, samples = PassthroughCutter(plan, rung, Position.initial()), Watch(plan), 0
    frames = int(DAY_S * rate) // gop * gop
    for i in range(frames):
        at = milliseconds(i, rate)
        for part in cutter.push(at, at, i % gop == 0):
            assert isinstance(part, PassthroughPart)
            watch.see(part)
            samples += len(part.samples)
    for part in cutter.finish(milliseconds(frames, rate)):
        assert not isinstance(part, GapPart)
        watch.see(part)
        samples += len(part.samples)
    assert samples == frames
    assert watch.short == 0
    assert watch.segments == frames // gop
    assert watch.sums_up()
