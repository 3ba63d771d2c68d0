"""Where the parts of encoded rungs end, decided before the pictures are encoded.

Law: every picture is planned exactly once and in order; parts restart at segments, are never longer than P + 2 ms, and
never shorter than 85 % of PART-TARGET unless they end their segment. One cutter serves all encoded rungs of a run:
start it at the oldest of their positions. Neighbours: the worker encodes what is `Planned`; `dts` times what it made.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from headrace.core.broadcast import Plan
from headrace.core.hls.segmenter.fill import fill_times
from headrace.core.hls.segmenter.position import Position, Span
from headrace.core.hls.segmenter.rules import Rules
from headrace.core.hls.segmenter.segments import Segments


class Planned(NamedTuple):
    """One picture of the run's full-rate sequence, in presentation order.

    Show the `source`-th pushed picture (from 0) at `pts`; `repeat`: it was planned before, or stands in for a missing
    one. It is picture `ordinal` of part (`msn`, `part`), which starts at `start` in the segment of `segment_start` and
    `opened`. `idr`: an IDR in every rung (a segment's start, and a cutter's first picture). `left` pictures of the
    part follow, counted no further than the largest stride. Times in ticks.
    """

    pts: int
    source: int
    repeat: bool
    msn: int
    part: int
    start: int
    segment_start: int
    opened: bool
    ordinal: int
    idr: bool
    left: int

    def kept(self, stride: int) -> bool:
        """Whether a rung that shows every `stride`-th picture shows this one."""
        return self.ordinal % stride == 0

    def last(self, stride: int) -> bool:
        """Whether a kept picture is the part's last in a rung of `stride`: there it is forced to be a P frame."""
        return self.left < stride


@dataclass(frozen=True, slots=True)
class PartClosed(Span):
    """Every picture of a part has been planned; `pictures` are their pts in order, of all strides.

    A rung of stride s has `pictures[::s]`, and its last sample lasts to `end`.
    """

    pictures: tuple[int, ...]


class _Picture(NamedTuple):
    pts: int
    source: int
    repeat: bool
    keyframe: bool


class EncodedCutter:
    """Cuts decoded pictures into the parts of every encoded rung.

    Feed it from the source keyframe at or before `position`; what lies before the position is not planned again.
    A picture is planned when as many as the largest stride and one more have followed it. The caller bounds the gaps
    between pictures: each is filled at once.
    """

    def __init__(self, plan: Plan, position: Position) -> None:
        self.dropped = 0
        """Pictures that came with an equal or earlier pts than one before them."""
        self.reached = position.start
        """The part that is open now, or opens here, is known to end after this tick."""
        self._rules = Rules(plan)
        self._segments = Segments(self._rules, position)
        self._from = position.start
        self._msn, self._part, self._start = position.msn, position.part, position.start
        self._segment_start, self._opened = position.segment_start, position.opened
        self._idr = True  # the next picture to be planned
        self._pictures: list[int] = []  # pts in the open part
        self._held: deque[_Picture] = deque()  # the last of them, not emitted yet
        self._ahead: _Picture | None = None  # the one picture that is in no part yet
        self._last: int | None = None  # the newest pushed picture: its pts, its number
        self._last_source = -1
        self._pushed = 0
        self._out: list[Planned | PartClosed] = []

    def push(self, pts: int, keyframe: bool) -> list[Planned | PartClosed]:
        """The next decoded picture in presentation order; returns what is decided now."""
        source = self._pushed
        self._pushed += 1
        if self._last is None:
            self._last_source = source
            if pts > self._from:
                # Nothing was shown at the position: the first picture that there is stands in.
                self._arrive(_Picture(self._from, source, True, False))
                self._last = self._from
        elif pts <= self._last:
            self.dropped += 1
            return []
        self._fill(pts)
        self._arrive(_Picture(pts, source, False, keyframe))
        self._last, self._last_source = pts, source
        return self._taken()

    def finish(self, end: int) -> list[Planned | PartClosed]:
        """The run ends at `end`, until when the last picture is shown. Nothing may be pushed afterwards."""
        if self._last is None or end <= self._from:
            return []
        end = max(end, self._last + 1)
        self._fill(end)
        self._arrive(_Picture(end, self._last_source, True, False))
        self._close(end, segment_end=True)
        return self._taken()

    def _taken(self) -> list[Planned | PartClosed]:
        out, self._out = self._out, []
        return out

    def _fill(self, until: int) -> None:
        if self._last is not None:
            for pts in fill_times(self._last, until, self._rules.gap):
                self._arrive(_Picture(pts, self._last_source, True, False))

    def _arrive(self, picture: _Picture) -> None:
        """The next picture of the full sequence: decide where the one before it belongs."""
        if picture.pts < self._from:
            return
        if self._ahead is None and picture.pts > self._from:
            # The position lies between two pictures: the earlier one was repeated there.
            self._ahead = _Picture(self._from, self._last_source, True, False)
        if self._ahead is not None:
            self._decide(self._ahead, picture.pts)
        self._ahead = picture

    def _decide(self, picture: _Picture, following: int) -> None:
        """Put `picture` into its part, now that it is known when the next one comes."""
        rules, segments = self._rules, self._segments
        if segments.cut(picture.pts, picture.keyframe, following):
            self._close(picture.pts, segment_end=True)
        self._segment_start, self._opened = segments.start, segments.opened
        if following - self._start <= rules.part_fit:
            self._place(picture)
        elif picture.pts - self._start >= rules.part_least:
            self._close(picture.pts, segment_end=False)
            self._place(picture)
        else:
            # Without it the part is too short, with it too long: it is shown in this part and again in the next.
            self._place(picture)
            self._close(self._start + rules.part, segment_end=False)
            self._place(_Picture(self._start, picture.source, True, False))
        self.reached = following - 1

    def _place(self, picture: _Picture) -> None:
        self._pictures.append(picture.pts)
        self._held.append(picture)
        if len(self._held) > self._rules.stride:
            self._emit()

    def _emit(self) -> None:
        ordinal = len(self._pictures) - len(self._held)
        picture = self._held.popleft()
        self._out.append(
            Planned(
                picture.pts,
                picture.source,
                picture.repeat,
                self._msn,
                self._part,
                self._start,
                self._segment_start,
                self._opened,
                ordinal,
                self._idr or (ordinal == 0 and self._part == 0),
                len(self._held),
            )
        )
        self._idr = False

    def _close(self, end: int, segment_end: bool) -> None:
        while self._held:
            self._emit()
        place = (self._msn, self._part, self._start, end, self._segment_start, self._opened, segment_end)
        self._out.append(PartClosed(*place, tuple(self._pictures)))
        self._pictures.clear()
        self._start = end
        if segment_end:
            self._msn, self._part = self._msn + 1, 0
        else:
            self._part += 1
