"""The plan: every decision about a run that is made once and that every worker obeys.

Law: a pure function of profile and source, written to the log before the first part; equal plans give equal cuts and
equal decoder configurations on any worker. Times are ticks. Neighbours: `ladder` chooses rungs, `hls.segmenter` obeys
the timing.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from headrace.core.broadcast.ladder import Fitted, auto_ladder, explicit_ladder
from headrace.core.broadcast.profile import Profile
from headrace.core.broadcast.source import Source, VideoSource
from headrace.core.media import TICKS_PER_MS, TICKS_PER_S

FOLD_VERSION = 1  # how origins turn entries into playlists; raised when that changes
PRESET = "veryfast"
AAC_RATE = 48_000
AAC_SAMPLES = 1024
AAC_GRID = 1  # odd, as all counts of sound are: no access unit ends exactly where a segment does (docs/adr/0009)
GRID_SLACK = 250 * TICKS_PER_MS  # a source GOP this much shorter than D still makes a segment
SLOW_RATE = Fraction(18)  # below this rate parts of a third of a second hold too few frames
LONGEST_PART_S = Fraction(1)
LONGEST_FILL = 200 * TICKS_PER_MS
FILLS_IN_A_PART = 3  # so that delta is two thirds of a part: by a whole one hls.js would miss a part (docs/adr/0010)
SLACK_MS = 2  # the rounding of millisecond timestamps, both ways


class Cut(StrEnum):
    """What decides where segments start."""

    GRID = "grid"  # multiples of the segment length: every rung is encoded
    KEYFRAMES = "keyframes"  # the source's keyframes: some rung passes the source through


@dataclass(frozen=True, slots=True)
class Encoding:
    """x264, capped CRF: `maxrate_kbps` and `bufsize_kbps` are the VBV's."""

    crf: int
    maxrate_kbps: int
    bufsize_kbps: int
    preset: str = PRESET


@dataclass(frozen=True, slots=True)
class VideoRung:
    """One video encoding; `encoding` is None where the source passes through.

    It shows every `stride`-th picture of a part at `frame_rate` frames/s. `delta`: what its DTS lag behind its sorted
    pts, ticks.
    """

    name: str
    width: int
    height: int
    frame_rate: Fraction
    stride: int
    delta: int
    encoding: Encoding | None


@dataclass(frozen=True, slots=True)
class AudioRung:
    """The audio rendition; `kbps` 0 where the source passes through (then `codec_config` is the source's).

    Access units of `frame_samples` lie on sample `grid` + k * `frame_samples` of the timeline at `sample_rate` Hz.
    """

    name: str
    sample_rate: int
    channels: int
    frame_samples: int
    grid: int
    kbps: int

    @property
    def passthrough(self) -> bool:
        """Whether the encoder's own audio is published."""
        return self.kbps == 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan. Ticks: `segment` (D), `part` (P), `gap` (G, the longest time without a picture).

    `target_duration_s` and `part_target_ms` are the playlists' constants; `source_rate` is the declared frame rate of
    the source; `source_codec` and `source_config` name what the decoder gets.
    """

    cut: Cut
    video: tuple[VideoRung, ...]
    audio: AudioRung | None
    segment: int
    part: int
    gap: int
    target_duration_s: int
    part_target_ms: int
    source_rate: Fraction
    window_s: int
    fold_version: int = FOLD_VERSION

    @property
    def part_hold_back_ms(self) -> int:
        """Three part targets, rule 7 of the low-latency rules (RFC 8216bis §4.4.3.8)."""
        return 3 * self.part_target_ms

    @property
    def passthrough(self) -> VideoRung | None:
        """The rung that carries the source itself, if any."""
        return next((r for r in self.video if r.encoding is None), None)

    @property
    def encoded(self) -> tuple[VideoRung, ...]:
        """The rungs that are encoded, highest first."""
        return tuple(r for r in self.video if r.encoding is not None)

    @property
    def rung_names(self) -> tuple[str, ...]:
        """Every rendition's name, audio last."""
        return tuple(r.name for r in self.video) + ((self.audio.name,) if self.audio else ())


def make_plan(profile: Profile, source: Source) -> Plan:
    """The one plan for `profile` and `source`.

    `source.video.frame_rate` must be known (> 0).
    """
    video = source.video
    segment = profile.segment_s * TICKS_PER_S
    keep_source = profile.source and (not profile.encodes or _joins_encoded(video, segment))
    fitted: tuple[Fitted, ...] = ()
    if profile.auto:
        fitted = auto_ladder(video)
    elif profile.rungs:
        fitted = explicit_ladder(profile.rungs, video)
    cut = Cut.KEYFRAMES if keep_source else Cut.GRID
    slowest = min((video.frame_rate / f.stride for f in fitted), default=video.frame_rate)
    audio = _audio(profile, source, encodes=bool(fitted))
    audio_ms = Fraction(1000 * audio.frame_samples, audio.sample_rate) if audio else Fraction(0)
    part = _part(profile, video, slowest, audio_ms, passthrough_only=not fitted)
    gap = min(LONGEST_FILL, part // (FILLS_IN_A_PART * max((f.stride for f in fitted), default=1)))
    rungs = [_encoded(f, video, gap) for f in fitted]
    if keep_source:
        rungs.insert(
            0,
            VideoRung(
                "source",
                video.width,
                video.height,
                video.frame_rate,
                1,
                video.delta,
                None,
            ),
        )
    return Plan(
        cut=cut,
        video=tuple(rungs),
        audio=audio,
        segment=segment,
        part=part,
        gap=gap,
        target_duration_s=_target_duration(profile, video, segment, cut),
        part_target_ms=_ceil(Fraction(part, TICKS_PER_MS) + audio_ms + SLACK_MS),
        source_rate=video.frame_rate,
        window_s=profile.window_s,
    )


def _joins_encoded(video: VideoSource, segment: int) -> bool:
    """Whether the source's GOPs may define the cuts of encoded rungs: closed, and short enough to be segments."""
    return video.closed and 0 < video.first_segment <= segment + GRID_SLACK


def _part(
    profile: Profile, video: VideoSource, slowest: Fraction, audio_ms: Fraction, *, passthrough_only: bool
) -> int:
    """P = round(p * f) / f: a whole number of the slowest rung's frames, at most a second long, or half a segment."""
    # PART-TARGET is an access unit longer than P: with long units P grows until it is 85 % of PART-TARGET all the same.
    least_s = (85 * (audio_ms + SLACK_MS + 1) + 100 * SLACK_MS) / 15_000
    wanted = Fraction(profile.part_ms, 1000)
    longest = min(LONGEST_PART_S, max(wanted, Fraction(profile.segment_s, 2)))
    if slowest < SLOW_RATE:
        wanted = longest
    spread = max(video.intervals) - min(video.intervals) if video.intervals else 0
    if passthrough_only and spread > Fraction(15, 100) * profile.part_ms * TICKS_PER_MS - 18 * TICKS_PER_MS:
        wanted = longest
    # Where no whole frame fits, parts go by what fills the time between two: repeats, or gaps in the list.
    rate = max(slowest, 1 / longest)
    fitting = int((longest + Fraction(SLACK_MS, 1000)) * rate)
    frames = max(min(max(1, round(wanted * rate)), fitting), _ceil(least_s * rate))
    return round(Fraction(frames) / rate * TICKS_PER_S)


def _target_duration(profile: Profile, video: VideoSource, segment: int, cut: Cut) -> int:
    at_least = _ceil(Fraction(segment, TICKS_PER_S))
    if cut is Cut.GRID:
        return at_least
    if not video.first_segment:
        return max(at_least, profile.max_gop_s)
    return max(at_least, _ceil(Fraction(video.first_segment - GRID_SLACK, TICKS_PER_S)))


def _encoded(f: Fitted, video: VideoSource, gap: int) -> VideoRung:
    # x264 reorders over at most two pictures, and no two kept pictures are more than stride * gap apart.
    delta = 2 * gap * f.stride
    return VideoRung(
        f.name,
        f.width,
        f.height,
        video.frame_rate / f.stride,
        f.stride,
        delta,
        Encoding(f.crf, f.maxrate_kbps, f.maxrate_kbps),
    )


def _audio(profile: Profile, source: Source, *, encodes: bool) -> AudioRung | None:
    audio = source.audio
    if audio is None:
        return None
    if encodes:
        return AudioRung(
            "audio",
            AAC_RATE,
            min(audio.channels, 2),
            AAC_SAMPLES,
            AAC_GRID,
            profile.audio_kbps,
        )
    return AudioRung("audio", audio.sample_rate, audio.channels, audio.frame_samples, audio.grid, 0)


def _ceil(x: Fraction) -> int:
    return -(-x.numerator // x.denominator)
