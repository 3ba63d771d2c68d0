"""Counts audio samples; the clock beside them is watched, not read.

Law: milliseconds cannot place a sample, so access units follow each other without a seam. Only a steady drift is taken
out, 16 samples at a time, and only a true hole makes time jump. Counts are odd, so that at 48 kHz no access unit starts
or ends exactly on a millisecond, where a segment may end: hls.js would stall there (docs/adr/0009). A run that goes on
has a grid already: access units lie on it, at most half of one beside the clock.
Neighbours: `timeline` feeds it.
"""

from collections import deque
from statistics import median
from typing import NamedTuple

from headrace.core.media.ticks import TICKS_PER_S, ticks_from_ms

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
    """The count of one audio track at `rate` Hz, `frame_samples` per access unit.

    It starts at tick `starts_at` of the timeline or later, on sample `grid` + k * `frame_samples` where one is given.
    """

    def __init__(self, rate: int, frame_samples: int, starts_at: int = 0, grid: int | None = None) -> None:
        self.rate = rate
        self.jumps = 0
        self._frame = frame_samples
        self._starts_at = starts_at
        self._grid = grid
        self._next: int | None = None
        self._aside = 0  # how far the grid moved the count from the clock: no drift
        self._unlooked = 0
        self._watched: deque[int] = deque(maxlen=max(1, WATCH_S * rate // frame_samples))

    def place(self, at_ms: int) -> Counted | None:
        """The unit that the clock puts `at_ms` after the start; None where that is before the start."""
        told = round((self._starts_at + ticks_from_ms(at_ms)) * self.rate / TICKS_PER_S)
        jump = False
        if self._next is None:
            if self._nearest(told) < self._least:
                return None
            self._next = self._begin(told)
        ahead = told + self._aside - self._next  # > 0: the clock is ahead of the count
        if abs(ahead) * 1000 > JUMP_MS * self.rate:
            self._next = max(self._begin(told), self._least)
            self._watched.clear()
            self.jumps += 1
            jump, ahead = True, 0
        self._watched.append(ahead)
        counted = Counted(self._next, self._frame + self._correction(), jump)
        self._next += counted.samples
        return counted

    @property
    def _least(self) -> int:
        """The first count at or after the start."""
        start = -(-self._starts_at * self.rate // TICKS_PER_S)
        if self._grid is None:
            return start | 1
        return self._grid - (self._grid - start) // self._frame * self._frame

    def _nearest(self, told: int) -> int:
        """The count nearest to `told`."""
        if self._grid is None:
            return told | 1
        return self._grid + (told - self._grid + self._frame // 2) // self._frame * self._frame

    def _begin(self, told: int) -> int:
        nearest = self._nearest(told)
        self._aside = nearest - told
        return nearest

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
