"""Counts audio samples; the clock beside them is watched, not read.

Law: milliseconds cannot place a sample, so access units follow each other without a seam. Only a steady drift is taken
out, 16 samples at a time, and only a true hole makes time jump. Counts are odd, so that at 48 kHz no access unit starts
or ends exactly on a millisecond, where a segment may end: hls.js would stall there (docs/adr/0009).
"""

from collections import deque
from statistics import median
from typing import NamedTuple

DRIFT_MS = 10
JUMP_MS = 100
WATCH_S = 5
LOOK_EVERY = 32  # units; often enough for a clock that is 500 ppm off
CORRECTION = 16  # samples; a third of a millisecond, too short to hear


class Counted(NamedTuple):
    """An access unit's first sample, the samples that it spans, and whether time jumped just before it."""

    sample: int
    samples: int
    jump: bool


class AudioCount:
    """The count of one audio track at `rate` Hz, `frame_samples` per access unit."""

    def __init__(self, rate: int, frame_samples: int) -> None:
        self.rate = rate
        self.jumps = 0
        self._frame = frame_samples
        self._next: int | None = None
        self._unlooked = 0
        self._watched: deque[int] = deque(maxlen=max(1, WATCH_S * rate // frame_samples))

    def place(self, at_ms: int) -> Counted | None:
        """The unit that the clock puts at `at_ms` on the timeline; None where that is before 0."""
        told = round(at_ms * self.rate / 1000) | 1
        jump = False
        if self._next is None:
            if told < 0:
                return None
            self._next = told
        ahead = told - self._next  # > 0: the clock is ahead of the count
        if abs(ahead) * 1000 > JUMP_MS * self.rate:
            self._next = max(told, 1)
            self._watched.clear()
            self.jumps += 1
            jump, ahead = True, 0
        self._watched.append(ahead)
        counted = Counted(self._next, self._frame + self._correction(), jump)
        self._next += counted.samples
        return counted

    def _correction(self) -> int:
        """16 samples towards the clock where the watch's median has drifted, else 0."""
        self._unlooked += 1
        if self._unlooked < LOOK_EVERY or len(self._watched) < (self._watched.maxlen or 1):
            return 0
        self._unlooked = 0
        drift = median(self._watched)
        if abs(drift) * 1000 <= DRIFT_MS * self.rate:
            return 0
        step = CORRECTION if drift > 0 else -CORRECTION
        self._watched.extend([ahead - step for ahead in self._watched])
        return step
