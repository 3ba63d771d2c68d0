"""Describes a source to control: from sequence headers, metadata, and as many frames as the profile needs.

Law: the bitstream is believed before metadata, and nobody waits for what that promised, nor for what the run's plan has
decided already. Pure: frames and the deadline come in, a `Source` comes out. Neighbours: `session` feeds it,
`core.broadcast.plan` reads the result.
"""

from fractions import Fraction
from itertools import pairwise

from headrace.core.broadcast import AudioSource, Plan, Profile, Refused, Source, VideoSource
from headrace.core.broadcast.plan import GRID_SLACK
from headrace.core.broadcast.refusals import Reason
from headrace.core.codec import CodecError
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig, Sps
from headrace.core.flv import Metadata
from headrace.core.media import TICKS_PER_S, Frame, Kind

WAIT_FOR_AUDIO = TICKS_PER_S // 2  # interleaving is finer than this where sound comes at all
WAIT_FOR_PROMISED_AUDIO = 2 * TICKS_PER_S  # where metadata names an audio codec
RATE_FRAMES = 31  # 30 intervals
STANDARD_RATES = tuple(
    Fraction(n, d)
    for n, d in (
        *((24_000, 1001), (24, 1), (25, 1), (30_000, 1001), (30, 1), (48, 1), (50, 1), (60_000, 1001), (60, 1)),
        *((5, 1), (10, 1), (12, 1), (15, 1), (20, 1), (100, 1), (120_000, 1001), (120, 1)),
    )
)
MAX_FRAME_RATE = 240
UNKNOWN_RATE = Fraction(25)  # of a source that ended after its first picture
DECLARED_SPREAD = Fraction(1, 2500)  # 29.97 is 30000/1001, 30.0 is not
MEASURED_SPREAD = Fraction(1, 250)  # milliseconds over 30 intervals


class Describer:
    """One source in the making. `source()` answers once enough is known.

    Its media starts at tick `starts_at`; `plan` is the run's, where it has one.
    """

    def __init__(self, profile: Profile, starts_at: int = 0, plan: Plan | None = None) -> None:
        self._profile = profile
        self._starts_at = starts_at
        self._plan = plan
        self._metadata = Metadata()
        self._sps: Sps | None = None
        self._avc_bytes = b""
        self._aac: AudioSpecificConfig | None = None
        self._aac_bytes = b""
        self._grid: int | None = None
        self._delta = 0
        self._pts: list[int] = []
        self._furthest = 0
        self._keyframe_pts: list[int] = []
        self._settled_keyframes = 0
        self._newest_dts = 0
        self._closed = True
        self._video_bytes = 0

    def metadata(self, metadata: Metadata) -> None:
        """What the encoder announces."""
        self._metadata = metadata

    def video_config(self, config: bytes) -> None:
        """The avcC. Raises Refused."""
        try:
            self._sps = AvcConfig.parse(config).picture
        except CodecError as error:
            raise Refused(Reason.BAD_SOURCE, f"the H.264 configuration cannot be read: {error}") from error
        self._avc_bytes = config

    def audio_config(self, config: bytes) -> AudioSpecificConfig:
        """The AudioSpecificConfig. Raises Refused."""
        try:
            self._aac = AudioSpecificConfig.parse(config)
        except CodecError as error:
            raise Refused(Reason.BAD_SOURCE, f"the AAC configuration cannot be read: {error}") from error
        self._aac_bytes = config
        return self._aac

    def frame(self, frame: Frame) -> None:
        """A frame on the timeline, in the order of arrival."""
        if frame.kind is Kind.AUDIO:
            if self._grid is None:
                self._grid = frame.sample
            return
        pts, dts = frame.pts - self._starts_at, frame.dts - self._starts_at
        if not self._keyframe_pts:
            self._delta = pts - dts
        if frame.keyframe:
            self._settled_keyframes = len(self._keyframe_pts)
            self._keyframe_pts.append(pts)
        elif pts < self._keyframe_pts[-1]:
            self._closed = False
        else:  # a keyframe's leading pictures come before the first one that is shown after it
            self._settled_keyframes = len(self._keyframe_pts)
        self._newest_dts = dts
        if len(self._pts) < 2 * RATE_FRAMES:
            self._pts.append(pts)
        self._furthest = max(self._furthest, pts)
        self._video_bytes += len(frame.data)

    def gops_are_open(self) -> None:
        """A picture came after the first keyframe and is shown before it."""
        self._closed = False

    def source(self, *, now: bool = False) -> Source | None:
        """The source, once it is described; `now`: with what there is, if that is enough at all."""
        sps = self._sps
        if sps is None or not self._keyframe_pts:
            return None
        rate = self._frame_rate(sps, now)
        if rate is None or not (now or self._audio_settled()):
            return None
        first_segment = self._first_segment(now)
        if first_segment is None:
            return None
        video = VideoSource(
            "avc1",
            self._avc_bytes,
            sps.width,
            sps.height,
            sps.sar,
            rate,
            self._kbps(),
            self._delta,
            first_segment,
            self._closed,
            self._intervals()[: RATE_FRAMES - 1],
        )
        return Source(video, self._audio())

    def _audio(self) -> AudioSource | None:
        aac = self._aac
        if aac is None:
            return None
        kbps = int(self._metadata.audio_kbps or 0)
        return AudioSource(
            "mp4a", self._aac_bytes, aac.sample_rate, aac.channels, aac.frame_samples, kbps, self._grid or 0
        )

    def _audio_settled(self) -> bool:
        if self._aac is not None:
            return self._grid is not None or self._profile.encodes or self._furthest >= WAIT_FOR_PROMISED_AUDIO
        wait = WAIT_FOR_PROMISED_AUDIO if self._metadata.audio_codec else WAIT_FOR_AUDIO
        return self._furthest >= wait

    def _frame_rate(self, sps: Sps, now: bool) -> Fraction | None:
        for declared in (sps.frame_rate, self._metadata.frame_rate):
            if declared and 1 <= declared <= MAX_FRAME_RATE:
                return nearest_rate(Fraction(declared).limit_denominator(10_000), DECLARED_SPREAD)
        if self._plan is not None:
            return self._plan.source_rate
        intervals = self._intervals()
        if len(intervals) < RATE_FRAMES - 1 and not now:
            return None
        if not intervals:
            return UNKNOWN_RATE
        return nearest_rate(Fraction(TICKS_PER_S * len(intervals), sum(intervals)), MEASURED_SPREAD)

    def _intervals(self) -> tuple[int, ...]:
        # Pictures that are shown after the newest decode time may still be overtaken.
        settled = sorted(pts for pts in self._pts if pts <= self._newest_dts)[: RATE_FRAMES + 1]
        return tuple(b - a for a, b in pairwise(settled) if b > a)

    def _first_segment(self, now: bool) -> int | None:
        """Its length in ticks; 0 where nobody needs it or none is whole in time; None: wait."""
        if not self._profile.source or self._plan is not None:
            return 0
        least = self._profile.segment_s * TICKS_PER_S - GRID_SLACK
        longest = self._profile.max_gop_s * TICKS_PER_S
        if self._profile.encodes:
            longest = least + 2 * GRID_SLACK  # a longer one cannot be cut together with encoded rungs
        for i, pts in enumerate(self._keyframe_pts):
            if pts > longest:
                return 0  # however many frames came at once, the answer is the same
            if pts >= least:
                return pts if now or i < self._settled_keyframes else None
        if self._furthest > longest:
            return 0
        return self._furthest if now else None

    def _kbps(self) -> int:
        if self._metadata.video_kbps:
            return int(self._metadata.video_kbps)
        if self._furthest < TICKS_PER_S:
            return 0
        return self._video_bytes * 8 * TICKS_PER_S // self._furthest // 1000


def nearest_rate(rate: Fraction, spread: Fraction) -> Fraction:
    """The standard frame rate within `spread` (relative) of `rate`, else `rate` with a denominator of at most 1001."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) <= nearest * spread:
        return nearest
    return rate.limit_denominator(1001)
