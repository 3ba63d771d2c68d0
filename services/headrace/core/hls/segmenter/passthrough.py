"""Where the parts of a passed-through rung end: the source's own samples, in decode order, none changed but in its DTS.

Law: inside a segment a sample stands at its DTS + delta; a part lasts P + 2 ms at most and 85 % of PART-TARGET at
least, or it is listed shorter than its samples last and a gap lists the rest. Each sample's duration reaches the next
DTS. After a forced cut that encoded rungs share, everything is a gap until the next keyframe. Neighbours: `cutline`
finds the segments.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from headrace.core.broadcast import Plan, VideoRung
from headrace.core.hls.segmenter.cutline import CutLine, SegmentCut
from headrace.core.hls.segmenter.position import GapPart, Position, Span
from headrace.core.hls.segmenter.rules import SLACK, Rules
from headrace.core.media import TICKS_PER_MS


class Sample(NamedTuple):
    """The `source`-th pushed sample (from 0), in ticks; `dts` is repaired, `duration` reaches the next sample's."""

    source: int
    dts: int
    pts: int
    duration: int
    keyframe: bool

    @property
    def cts(self) -> int:
        """Composition offset."""
        return self.pts - self.dts


@dataclass(frozen=True, slots=True)
class PassthroughPart(Span):
    """A part and its samples in decode order; `independent`: one of them is a keyframe."""

    independent: bool
    samples: tuple[Sample, ...]


class PassthroughCutter:
    """Cuts a source's samples into the parts of the rung that passes it through.

    Feed it from the last source keyframe whose pts and DTS + delta are both at or before `position`; what lies before
    the position is not listed again. A part is emitted once no later sample can lie in it: the source's reordering and
    two samples after its end. The caller bounds composition offsets, which samples wait for.
    """

    def __init__(self, plan: Plan, rung: VideoRung, position: Position) -> None:
        self.reached = position.start
        """The part that is open now, or opens here, is known to end after this tick."""
        self._rules = Rules(plan)
        self._delta = rung.delta
        self._shared = bool(plan.encoded)
        self._line = CutLine(self._rules, position, fill=self._shared)
        self._fresh = position.part == 0
        self._begun = False
        self._preceded = False  # a sample has come before the next one: it lasts until then
        self._msn, self._part, self._start = position.msn, position.part, position.start
        self._segment_start, self._opened = position.segment_start, position.opened
        self._from = position.start
        self._samples: list[Sample] = []  # of the open part
        self._listed: int | None = None  # where the open part's listing ends, if before its samples' end
        self._queue: deque[Sample] = deque()  # in no part yet; durations unknown
        self._pushed = 0
        self._dts: int | None = None
        self._out: list[PassthroughPart | GapPart] = []

    def push(self, dts: int, pts: int, keyframe: bool) -> list[PassthroughPart | GapPart]:
        """The next sample in decode order; returns what is decided now."""
        if self._dts is not None:
            dts = max(dts, self._dts + 1)
        self._dts = dts
        self._line.push(pts if keyframe or self._shared else dts + self._delta, keyframe, dts)
        self._queue.append(Sample(self._pushed, dts, pts, 0, keyframe))
        self._pushed += 1
        # A millisecond's rounding decides nothing here: or parts would come a frame early, and those after them late.
        while len(self._queue) > 1 and self._line.known - TICKS_PER_MS > max(map(self._latest, self._first_two())):
            self._sort_next()
        self._pass_time()
        return self._taken()

    def finish(self, end: int) -> list[PassthroughPart | GapPart]:
        """The run ends at `end`. Nothing may be pushed afterwards."""
        if self._dts is None or end <= self._from:
            return []
        self._line.finish(end)
        while self._queue:
            self._sort_next()
        if self._fresh and not self._begun:
            self._opened = self._line.opened
        while self._line.cuts:
            self._end_segment(self._line.cuts.popleft())
        return self._taken()

    def _taken(self) -> list[PassthroughPart | GapPart]:
        out, self._out = self._out, []
        return out

    def _first_two(self) -> tuple[Sample, Sample]:
        return self._queue[0], self._queue[1]

    def _latest(self, sample: Sample) -> int:
        """The latest tick at which `sample` may stand."""
        return max(sample.dts + self._delta, sample.pts) if sample.keyframe else sample.dts + self._delta

    def _opens(self, sample: Sample) -> bool:
        return sample.keyframe and any(cut.opened and cut.at == sample.pts for cut in self._line.cuts)

    def _sort_next(self) -> None:
        """Put the queue's first sample where it belongs; every segment start up to the next one's place is known."""
        sample = self._queue.popleft()
        cuts = self._line.cuts
        t = sample.dts + self._delta
        opens = self._opens(sample)
        if not self._begun:
            if not opens and self._published(sample, t):
                self._preceded = True
                return
            self._begun = True
            self._opened = self._line.opened if self._fresh else self._opened
        while cuts and (opens or (t >= cuts[0].at and not cuts[0].opened)):
            cut = cuts.popleft()
            self._end_segment(cut)
            if cut.at == sample.pts and cut.opened:
                break
        if self._shared and not self._opened:
            return
        if self._queue:
            then = self._queue[0]
            end = then.dts + self._delta
            if cuts and (end >= cuts[0].at or self._opens(then)):
                end = cuts[0].at
            sample = sample._replace(duration=then.dts - sample.dts)
        else:
            end = cuts[0].at
            sample = sample._replace(duration=max(end - t, 1))
        if self._opened_segment(sample):
            t = self._start
        elif cuts and t >= cuts[0].at:
            # It stands behind the keyframe that opens the next segment, but is decoded before it.
            if self._samples:
                self._samples.append(sample)
            return
        self._place(sample, t, end)

    def _published(self, sample: Sample, t: int) -> bool:
        """Whether `sample` lies before the position."""
        if any(map(self._opened_segment, self._queue)):
            return True  # decoded before the keyframe that opened the segment, wherever its DTS + delta lies
        return not self._fresh if self._opened_segment(sample) else t < self._from

    def _opened_segment(self, sample: Sample) -> bool:
        """Whether the present segment opened on `sample`."""
        return sample.keyframe and sample.pts == self._segment_start

    def _place(self, sample: Sample, t: int, end: int) -> None:
        """Put `sample`, which stands from `t` to `end`, into the open part or a new one."""
        rules = self._rules
        if self._listed is not None:
            self._close(self._listed, segment_end=False)
        if not self._samples and t > self._start:
            self._gap(t, segment_end=False)
        if self._samples and end - self._start > rules.part_fit and t - self._start >= rules.part_least:
            self._close(t, segment_end=False)
        self._samples.append(sample)
        self._preceded = True
        if end - self._start > rules.part_fit:
            # Too short without it, too long with it: the list says less than the samples last, and a gap the rest.
            self._listed = end = min(max(self._start + rules.part, t + SLACK), end)
        self.reached = end - 1

    def _pass_time(self) -> None:
        """While the rung waits for a keyframe its gaps are listed as time goes by."""
        if self._begun and self._shared and not self._opened:
            until = self._line.cuts[0].at if self._line.cuts else self._line.known
            while until - self._start > self._rules.part_fit:
                self._emit_gap(self._start + self._rules.part, segment_end=False)

    def _end_segment(self, cut: SegmentCut) -> None:
        if self._listed is not None and self._listed < cut.at:
            self._close(self._listed, segment_end=False)
        if self._samples:
            self._close(cut.at, segment_end=True)
        else:
            self._gap(cut.at, segment_end=True)
        self._segment_start, self._opened = cut.at, cut.opened

    def _gap(self, until: int, segment_end: bool) -> None:
        """Gaps from the last part's end, none longer than a part.

        They list what the samples before them last, but where the rung waits for a keyframe or began in a hole.
        """
        while until - self._start > self._rules.part_fit:
            self._emit_gap(self._start + self._rules.part, segment_end=False)
        self._emit_gap(until, segment_end)

    def _emit_gap(self, end: int, segment_end: bool) -> None:
        filled = self._preceded and (self._opened or not self._shared)
        self._out.append(GapPart(*self._advance(end, segment_end), filled))

    def _close(self, end: int, segment_end: bool) -> None:
        place = self._advance(end, segment_end)
        independent = any(sample.keyframe for sample in self._samples)
        self._out.append(PassthroughPart(*place, independent, tuple(self._samples)))
        self._samples.clear()
        self._listed = None

    def _advance(self, end: int, segment_end: bool) -> tuple[int, int, int, int, int, bool, bool]:
        """The fields of a part that goes from the last one's end to `end`."""
        place = (self._msn, self._part, self._start, end, self._segment_start, self._opened, segment_end)
        self._start = end
        if segment_end:
            self._msn, self._part = self._msn + 1, 0
        else:
            self._part += 1
        return place
