"""Puts a publisher's timestamps on the run's timeline: the one place where RTMP's milliseconds become ticks.

Law: integer ticks from the run's zero, which is the pts of its first session's first keyframe; a later session's first
keyframe is shown where the session starts. Video times are repaired, audio is counted and its clock only watched.
Neighbours: `repair` mends millisecond clocks, `audio_count` counts samples.
"""

from headrace.core.media.audio_count import AudioCount
from headrace.core.media.frame import Frame, Kind
from headrace.core.media.repair import Clock
from headrace.core.media.ticks import samples_to_ticks, ticks_from_ms

MAX_COMPOSITION_MS = 5_000  # further than any encoder reorders; what is behind waits for such a picture


class Timeline:
    """One session's part of a run's timeline from tick `starts_at` on, fed in the order of arrival."""

    def __init__(self, starts_at: int = 0) -> None:
        self._starts_at = starts_at
        self._clock = Clock()
        self._zero_ms: int | None = None
        self._last_dts: int | None = None
        self._early_ms = 0
        self._audio: AudioCount | None = None

    @property
    def started(self) -> bool:
        """Whether the first keyframe has come."""
        return self._zero_ms is not None

    @property
    def repairs(self) -> int:
        """How often a timestamp was moved: back-steps and jumps, both tracks."""
        return self._clock.repairs + (self._audio.jumps if self._audio else 0)

    def describe_audio(self, rate: int, frame_samples: int, grid: int | None = None) -> None:
        """The audio track's sample rate in Hz and samples per access unit; counting starts with the next unit.

        `grid`: units lie on sample `grid` + k * `frame_samples`, where the run has such a grid already.
        """
        self._audio = AudioCount(rate, frame_samples, self._starts_at, grid)

    def video(self, timestamp: int, composition_ms: int, *, keyframe: bool, data: bytes) -> Frame | None:
        """A picture at RTMP `timestamp` (ms, any 32 bits of it) shown `composition_ms` later (at most 5 s).

        None before the first keyframe.
        """
        dts_ms = self._clock.video(timestamp)
        composition_ms = max(-MAX_COMPOSITION_MS, min(composition_ms, MAX_COMPOSITION_MS))
        if self._zero_ms is None:
            if not keyframe:
                return None
            self._zero_ms = dts_ms + composition_ms
        pts_ms = dts_ms - self._zero_ms + composition_ms
        # An encoder that counts composition times from the wrong side gets earlier decode times, its pictures theirs.
        self._early_ms = max(self._early_ms, -composition_ms)
        dts = self._starts_at + ticks_from_ms(dts_ms - self._zero_ms - self._early_ms)
        if self._last_dts is not None:
            dts = max(dts, self._last_dts + 1)
        self._last_dts = dts
        return Frame(Kind.VIDEO, keyframe, dts, self._starts_at + ticks_from_ms(pts_ms), data)

    def audio(self, timestamp: int, data: bytes) -> Frame | None:
        """An access unit at RTMP `timestamp` (ms). None before the first keyframe or without `describe_audio`."""
        at_ms = self._clock.audio(timestamp)
        if self._zero_ms is None or self._audio is None:
            return None
        counted = self._audio.place(at_ms - self._zero_ms)
        if counted is None:
            return None
        at = samples_to_ticks(counted.sample, self._audio.rate)
        return Frame(Kind.AUDIO, True, at, at, data, counted.sample, counted.samples, counted.jump)
