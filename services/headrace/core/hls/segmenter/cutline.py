"""Segment starts of a passed-through rung, found before its samples are cut into parts.

Law: points on the timeline are put in order, each once no later sample can come before it, and the segment rules run
over them. A source keyframe's point is its pts. Any other sample's is its DTS + delta; where encoded rungs go along it
is its pts, and long gaps are filled, so that these segments are the encoded rungs' to the tick. Neighbours:
`passthrough` feeds it samples and sorts them into the segments.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from headrace.core.hls.segmenter.fill import fill_times
from headrace.core.hls.segmenter.position import Position
from headrace.core.hls.segmenter.rules import Rules
from headrace.core.hls.segmenter.segments import Segments
from headrace.core.media import TICKS_PER_MS


class SegmentCut(NamedTuple):
    """A segment starts at `at`; `opened`: with the source keyframe of this pts, and no sample before it."""

    at: int
    opened: bool


class CutLine:
    """Finds segment starts after `position`. `fill`: encoded rungs go along.

    `cuts`: what was found, in order, for the reader to take away; every one before tick `known` is there. `opened`: a
    source keyframe has the position's very tick, once `known` is past it.
    """

    def __init__(self, rules: Rules, position: Position, fill: bool) -> None:
        self.cuts: deque[SegmentCut] = deque()
        self.known = position.start
        self.opened = False
        self._rules = rules
        self._segments = Segments(rules, position)
        self._from = position.start
        self._fill = fill
        self._waiting: list[tuple[int, bool]] = []  # a heap of (tick, not a keyframe)
        self._keyframe = position.start  # the newest keyframe's point
        self._last: int | None = None
        self._ahead = (position.start, False)  # the newest point, undecided

    def push(self, point: int, keyframe: bool, dts: int) -> None:
        """A sample's point; no later sample's point is before its `dts`, which ascend.

        In whole milliseconds none can come between that and the next millisecond either; waiting for the sample after
        it would make a steady source's parts late by a frame wherever its rounded intervals are short.
        """
        if not self._fill:
            # Samples follow a keyframe in decode order, wherever their DTS + delta lies: so do their points.
            if keyframe:
                self._waiting = [waiting for waiting in self._waiting if waiting[0] < point]
                heapify(self._waiting)
                self._keyframe = point
            elif point <= self._keyframe:
                return
        heappush(self._waiting, (point, not keyframe))
        while self._waiting and self._waiting[0][0] <= dts + TICKS_PER_MS:
            self._release()

    def finish(self, end: int) -> None:
        """The run ends at `end`, which becomes the last of the cuts, with no sample behind it."""
        while self._waiting and self._waiting[0][0] < end:
            self._release()
        self._extend(end)
        self._point(end, False)
        self.cuts.append(SegmentCut(end, True))
        self.known = end + 1

    def _release(self) -> None:
        point, delta_frame = heappop(self._waiting)
        if self._last is not None and point <= self._last:
            return
        self._extend(point)
        self._point(point, not delta_frame)
        self._last = point

    def _extend(self, until: int) -> None:
        if not self._fill:
            return
        if self._last is None:
            self._last = min(self._from, until)
        for point in fill_times(self._last, until, self._rules.gap):
            self._point(point, False)

    def _point(self, t: int, keyframe: bool) -> None:
        if t < self._from:
            return
        if t > self._from:
            at, key = self._ahead
            if self._segments.cut(at, key, t):
                self.cuts.append(SegmentCut(at, key))
            elif at == self._from:
                self.opened = key
            while self._segments.cut_inside(t):
                self.cuts.append(SegmentCut(self._segments.start, False))
            self.known = t
        self._ahead = (t, keyframe)
