"""Video sources as the segmenter sees them: times and keyframe flags, in decode and in presentation order.

Law: pure functions of their arguments; ticks on a timeline whose zero is the first keyframe's pts.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

from headrace.core.broadcast import AudioSource, Plan, Profile, Source, VideoSource, make_plan

TICKS = 90_000
RATES = {
    "23.976": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "50": Fraction(50),
    "59.94": Fraction(60000, 1001),
    "60": Fraction(60),
}
CLIP_GOPS_S = (10.4, 1.5, 3.9, 7.3)  # the 1080p24 clip's


class Shot(NamedTuple):
    """One sample of a source."""

    dts: int
    pts: int
    keyframe: bool


@dataclass(frozen=True)
class Pattern:
    """A source's samples in decode order, and when its last picture ends."""

    rate: Fraction
    shots: tuple[Shot, ...]
    end: int

    @property
    def shown(self) -> list[Shot]:
        """In presentation order."""
        return sorted(self.shots, key=lambda shot: shot.pts)

    @property
    def delta(self) -> int:
        return self.shots[0].pts - self.shots[0].dts

    def from_keyframe_before(self, t: int) -> "Pattern":
        """What an edge replays for a position at `t`: everything from the last keyframe that is wholly before it."""
        delta = self.delta
        keys = [i for i, shot in enumerate(self.shots) if shot.keyframe and max(shot.pts, shot.dts + delta) <= t]
        return Pattern(self.rate, self.shots[keys[-1] if keys else 0 :], self.end)

    def plan(self, profile: str | dict[str, object], audio: AudioSource | None = None, height: int = 720) -> Plan:
        """The plan that an edge's description of this source leads to."""
        parsed = Profile.parse(profile)
        shown = self.shown
        times = [shot.pts for shot in shown]
        least = parsed.segment_s * TICKS - TICKS // 4
        first = next((shot.pts for shot in shown if shot.keyframe and shot.pts >= least), 0)
        video = VideoSource(
            "avc1",
            b"",
            height * 16 // 9,
            height,
            Fraction(1),
            self.rate,
            delta=self.delta,
            first_segment=first if first <= parsed.max_gop_s * TICKS else 0,
            intervals=tuple(b - a for a, b in pairwise(times[:31])),
        )
        return make_plan(parsed, Source(video, audio))


def steady(rate: Fraction, seconds: float, gops_s: Sequence[float], *, ms: bool = False, reorder: int = 2) -> Pattern:
    """Constant frame rate; GOPs of these lengths in turn, to the nearest frame; in whole milliseconds if `ms`."""
    count = max(2, round(rate * Fraction(seconds)))
    times = [tick(i, rate, ms=ms) for i in range(count + 1)]
    keys = set()
    at = 0
    for gop in _turns(gops_s):
        if at >= count:
            break
        keys.add(at)
        at += max(1, round(rate * Fraction(gop)))
    return arranged(rate, times, keys, reorder=reorder)


def tick(i: int, rate: Fraction, *, ms: bool) -> int:
    """When frame `i` is shown."""
    units, each = (1000, 90) if ms else (TICKS, 1)
    return each * ((2 * units * i * rate.denominator + rate.numerator) // (2 * rate.numerator))


def arranged(rate: Fraction, times: Sequence[int], keys: set[int], *, reorder: int) -> Pattern:
    """Closed GOPs of pictures at all but the last of `times`, which is the end; `keys` are indices of keyframes.

    Each non-key anchor is decoded before `reorder` pictures shown before it; decode times lag as x264's do.
    """
    shown = list(times[:-1])
    order: list[int] = []
    starts = sorted(keys | {0})
    for start, stop in zip(starts, [*starts[1:], len(shown)], strict=True):
        order.append(start)
        at = start + 1
        while at < stop:
            anchor = min(at + reorder, stop - 1)
            order += [anchor, *range(at, anchor)]
            at = anchor + 1
    lag = 1 if reorder else 0
    lead = [shown[0] - (times[lag] - times[0]) + (shown[i] - shown[0]) for i in range(lag)]
    decode = [*lead, *shown][: len(shown)]
    shots = (Shot(dts, shown[i], i in keys or i == 0) for dts, i in zip(decode, order, strict=True))
    return Pattern(rate, tuple(shots), times[-1])


def keys_every(times: Sequence[int], gops: Sequence[float]) -> set[int]:
    """Indices of the pictures at which GOPs of these lengths (ticks, in turn for ever) start."""
    keys: set[int] = set()
    at = 0.0
    for gop in _turns(gops):
        index = bisect_left(times, at)
        if index >= len(times) - 1:
            return keys
        keys.add(index)
        at = max(times[index] + gop, at + 1)
    return keys


def uneven(seed: int, seconds: float, gops_s: Sequence[float], *, ms: bool = False, reorder: int = 2) -> Pattern:
    """A screen capture's frame rate: 30 frames/s declared, halves, doubles, jitter, and now and then a long gap."""
    rng = Random(seed)
    rate = Fraction(30)
    gap_s = rng.choice((0.3, 1, 6))
    times = [0]
    at = 0.0
    while at < seconds * TICKS:
        step = 3000 * rng.choice((0.5, 1, 1, 1, 1, 2)) * rng.uniform(0.8, 1.25)
        if rng.random() < 0.01:
            step += rng.uniform(0, gap_s) * TICKS
        at += step
        times.append(90 * round(at / 90) if ms else round(at))
    return arranged(rate, times, keys_every(times, [round(gop * TICKS) for gop in gops_s]), reorder=reorder)


@st.composite
def patterns(draw: st.DrawFn, max_seconds: float = 20) -> Pattern:
    """Any source: every rate, constant or not, any GOPs of 0.5 to 12 s."""
    some = st.lists(st.floats(0.5, 12), min_size=1, max_size=4)
    gops = draw(st.sampled_from([(0.5,), (1,), (2,), (2.002,), (5,), (10,), CLIP_GOPS_S]) | some)
    seconds, ms, reorder = draw(st.floats(3, max_seconds)), draw(st.booleans()), draw(st.integers(0, 3))
    if draw(st.booleans()):
        return steady(draw(st.sampled_from(list(RATES.values()))), seconds, gops, ms=ms, reorder=reorder)
    return uneven(draw(st.integers(0, 2**32)), seconds, gops, ms=ms, reorder=reorder)


def _turns(lengths: Sequence[float]) -> Iterator[float]:
    while True:
        yield from lengths
