"""How a run goes on in a log that lost everything.

Law: the segments of which readers may have seen a part, or should have, are marked as missing, the same in all rungs
and from their start, at numbers above any that was used; all that follow keep their cuts and are renumbered by one
shift. In a rung where media is missing nothing is published until something independent comes. Pure.
Neighbours: `writer` says what was shown, and sends everything through here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from headrace.core.broadcast import Gap, Part, Plan
from headrace.core.hls.segmenter import Position
from headrace.core.hls.segmenter.hole import missing, msn_above
from headrace.livelog.base import Append, RungPosition


class Shown:
    """Where the rungs of `plan` are after all that readers may have seen, and after what they surely could.

    `starts`: where the segments since then started, by MSN, and whether a source keyframe opened them.
    """

    def __init__(self, plan: Plan) -> None:
        self.places: dict[str, Position] = {}
        self.sure: dict[str, Position] = {}
        self.starts: dict[int, tuple[int, bool]] = {}
        self._rungs = plan.rung_names

    def know(self, rungs: Mapping[str, RungPosition]) -> None:
        """What a log says of its rungs."""
        for rung, at in rungs.items():
            self.places[rung] = Position(at.msn, at.part, at.start, at.segment_start, at.opened)
            self._begin(at.msn, at.segment_start, at.opened)
        self.confirm()

    def add(self, entry: Part | Gap) -> None:
        """The next entry of its rung."""
        self._begin(entry.msn, entry.segment_start, entry.opened)
        if entry.segment_end:
            at = Position(entry.msn + 1, 0, entry.end, entry.end, opened=True)
        else:
            at = Position(entry.msn, entry.part + 1, entry.end, entry.segment_start, entry.opened)
        self.places[entry.rung] = at

    def confirm(self) -> None:
        """All of it was surely published."""
        self.sure = dict(self.places)
        oldest = min((place.msn for place in self.sure.values()), default=0)
        for msn in [msn for msn in self.starts if msn < oldest]:
            del self.starts[msn]

    @property
    def through(self) -> int:
        """Every rendition has come so far, ticks."""
        if len(self.places) < len(self._rungs):
            return 0
        return min(at.start for at in self.places.values())

    @property
    def furthest(self) -> int:
        """The latest boundary that any rendition has reached, ticks."""
        return max((at.start for at in self.places.values()), default=0)

    def _begin(self, msn: int, start: int, opened: bool) -> None:
        self.starts[msn] = (start, opened)


@dataclass(frozen=True, slots=True)
class _Lost:
    """Segments from `first` to `last`, by their old numbers, with their starts; where the last one ends is awaited."""

    first: int
    last: int
    starts: tuple[tuple[int, bool], ...]
    used: int


class Renumbering:
    """Gives a worker's entries their places in the log. `dropped` counts the parts that have none any more."""

    def __init__(self, plan: Plan) -> None:
        self.dropped = 0
        self._plan = plan
        self._shift = 0
        self._from = 0  # what lies below this MSN is lost
        self._lost: _Lost | None = None
        self._broken: set[str] = set()  # rungs that wait for something independent

    def place(self, appends: Iterable[Append]) -> list[Append]:
        """What goes to the log for these."""
        return [placed for append in appends for placed in self._place(append)]

    def lose(self, shown: Shown, unseen: Iterable[Append]) -> list[Append]:
        """The log lost everything. `unseen`, which `place` gave, was not shown yet: what goes to the log for them."""
        places = shown.places.values()
        raw = [_numbered(append, -self._shift) for append in unseen]
        self._broken.update(self._plan.rung_names)
        if not places:
            return self.place(raw)
        last = max(at.msn if at.part else at.msn - 1 for at in places)
        # What was perhaps seen is not shown again, and marked all the same.
        first = min((at.msn for at in (shown.sure or shown.places).values()), default=0)
        first = min(first, last + 1)
        while first < last and not all(msn in shown.starts for msn in range(first, last + 1)):
            first += 1
        starts = tuple(shown.starts[msn] for msn in range(first, last + 1))
        self._lost = _Lost(first, last, starts, max(at.msn for at in places))
        end = next((at.start for at in places if at.msn == last + 1), None)
        closing = self._close(end) if end is not None else []
        return [*closing, *self.place(raw)]

    def _place(self, append: Append) -> list[Append]:
        append = _numbered(append, self._shift)
        entry = append.entry
        if not isinstance(entry, Part | Gap):
            return [append]
        if self._lost is not None or entry.msn < self._from:
            self.dropped += isinstance(entry, Part)
            if self._lost is not None and entry.segment_end and entry.msn == self._lost.last:
                return self._close(entry.end)
            return []
        if entry.rung not in self._broken:
            return [append]
        if isinstance(entry, Part) and entry.independent:
            self._broken.discard(entry.rung)
            return [append]
        self.dropped += isinstance(entry, Part)
        gap = Gap(
            entry.rung, entry.msn, entry.part, entry.start, entry.end, entry.segment_start, entry.opened,
            entry.segment_end, entry.discontinuity,
        )  # fmt: skip
        return [Append(gap)]

    def _close(self, end: int) -> list[Append]:
        """The last segment that is lost ends at `end`: mark all of them, and let what follows go on after them."""
        lost, self._lost = self._lost, None
        assert lost is not None
        shift = max(msn_above(self._plan, end), lost.used + 1) - lost.first
        self._shift += shift
        self._from = lost.last + 1 + shift
        ends = [*(start for start, _ in lost.starts), end][1:]
        return [
            Append(gap)
            for msn, (start, opened), until in zip(range(lost.first, lost.last + 1), lost.starts, ends, strict=True)
            for rung in self._plan.rung_names
            for gap in missing(self._plan, rung, Position(msn + shift, 0, start, start, opened), until)
        ]


def _numbered(append: Append, shift: int) -> Append:
    if shift and isinstance(append.entry, Part | Gap):
        return Append(replace(append.entry, msn=append.entry.msn + shift), append.data)
    return append
