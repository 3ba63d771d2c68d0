"""A run's log entries, folded into the playlists of all its renditions.

Law: a pure function of the entries: equal entries give equal playlists on every origin, wherever its reading began,
as long as the log still holds the window, and says what else it has forgotten. Nothing is listed before one segment is
whole in all renditions; from then on each lists a part, and a segment with its last part, as soon as it is published.
Segments leave all renditions in the same step: while what stays is at least the plan's window, three target durations,
and six segments long. They linger four target durations longer, unlisted, for players that still ask; those that the
log had no room for leave at once.
Source: RFC 8216bis §6.2.1, §6.2.2; Apple's authoring specification 8.11, 8.15. Neighbours: `rendition` is one rung's
share, `listing` has the values, `render` the text.
"""

from collections.abc import Iterable, Sequence

from headrace.core.broadcast import End, Entry, Gap, Init, Part, Plan, RunStart
from headrace.core.hls.listing import InitSection, MediaPlaylist, Piece, Place, Segment, init_name
from headrace.core.hls.rendition import Rendition
from headrace.core.media import TICKS_PER_S

LEAST_SEGMENTS = 6  # Apple's authoring specification, 8.11
LEAST_TARGET_DURATIONS = 3  # RFC 8216bis §6.2.2
LINGER_TARGET_DURATIONS = 4  # longer than any one segment plus the window's overhang (§6.2.2 asks for both)


class RunModel:
    """The fold. `apply` each published entry in order; or `read` a whole window at once."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.anchor_ms = 0
        self.traceparent = ""  # the run's own; nothing that a playlist shows
        self.ended = False
        self.version = 0  # grows with every change that a playlist can show
        self._renditions: dict[str, Rendition] = {}
        self._first: int | None = None  # MSN of the first listed segment, in every rendition
        self._last = 0
        self._floor = 0  # no segment below this MSN is listed any more

    @classmethod
    def read(cls, head: Iterable[Entry], entries: Sequence[tuple[Entry, str]]) -> "RunModel":
        """The model after `entries`, (entry, chained id) each, of a log whose beginning may be trimmed away.

        `head` is the run's RunStart and each rung's Inits in order: the first is that of the oldest segments.
        """
        model = cls()
        begun: set[str] = set()
        for entry in head:
            if isinstance(entry, Init):
                if entry.rung in begun:
                    continue
                begun.add(entry.rung)
            model.apply(entry, "")
        for entry, entry_id in entries:
            model.apply(entry, entry_id)
        return model

    def apply(self, entry: Entry, entry_id: str) -> None:
        """Take the next published entry and its chained id (hex). Kinds that no playlist shows change nothing."""
        match entry:
            case RunStart() if self.plan is None:
                self.plan, self.anchor_ms, self.traceparent = entry.plan, entry.anchor_ms, entry.traceparent
                self._renditions = {name: Rendition() for name in entry.plan.rung_names}
            case Init() if rendition := self._renditions.get(entry.rung):
                hinted = rendition.init_hint
                rendition.init = _init_section(entry)
                self.version += rendition.init_hint != hinted
            case Part() | Gap() if rendition := self._renditions.get(entry.rung):
                self._add(rendition, entry, entry_id)
            case End() if not self.ended:
                self.ended = True
                self.version += 1
                for rendition in self._renditions.values():
                    rendition.close()

    def forget(self, below_msn: int) -> None:
        """No segment below this MSN is listed any more, though its time has not come: the log has it no longer."""
        self._floor = max(self._floor, below_msn)
        if self._first is None or below_msn <= self._first:
            return
        self._first = min(below_msn, self._last)
        self.version += 1
        for rendition in self._renditions.values():
            rendition.forget(self._first, rendition.segments[-1].end)

    @property
    def first_msn(self) -> int:
        """MSN of the first listed segment; 0 where nothing is listed."""
        return self._first or 0

    @property
    def rungs(self) -> tuple[str, ...]:
        """The names of all renditions, audio last; empty before the plan is known."""
        return tuple(self._renditions)

    def lists(self, rung: str) -> bool:
        """Whether the rung has a playlist. Raises KeyError."""
        return self._lists(self._renditions[rung])

    @property
    def end(self) -> int:
        """The nominal boundary at which the furthest of all listed parts ends; 0 where nothing is listed."""
        listed = (each.last for each in self._renditions.values() if self._lists(each))
        return max((segment.end for segment in listed if segment), default=0)

    def playlist(self, rung: str) -> MediaPlaylist | None:
        """The rung's playlist as it stands now, or None while it has nothing to list. Raises KeyError."""
        rendition = self._renditions[rung]
        segments = self._listed(rendition)
        if not segments or self.plan is None:
            return None
        listed = {name: other.newest for name, other in self._renditions.items() if self._lists(other)}
        return MediaPlaylist(
            rung,
            segments,
            rendition.open,
            self.plan.target_duration_s,
            self.plan.part_target_ms,
            self.plan.part_hold_back_ms,
            self.anchor_ms,
            independent=bool(self.plan.encoded),
            ended=self.ended,
            hint="" if self.ended else rendition.hint,
            init_hint="" if self.ended else rendition.init_hint,
            others=tuple((name, newest) for name, newest in listed.items() if name != rung),
            trimmed=0 < self._floor == segments[0].msn,
        )

    def newest(self, rung: str) -> Place:
        """Where the rung's last part stands; before any, and in rungs that do not exist, MSN -1."""
        rendition = self._renditions.get(rung)
        return rendition.newest if rendition else Place(-1, 0)

    def hint(self, rung: str) -> str:
        """The file name of the rung's next part, "" where there will be none or its name is not known."""
        rendition = self._renditions.get(rung)
        return rendition.hint if rendition and not self.ended else ""

    def part(self, rung: str, msn: int, number: int) -> Piece | None:
        """A part that is listed, was until lately, or soon will be."""
        rendition = self._renditions.get(rung)
        if rendition is None:
            return None
        holder = next(iter(rendition.between(msn, msn)), rendition.open)
        return holder.pieces[number] if holder and holder.msn == msn and number < len(holder.pieces) else None

    def segment(self, rung: str, msn: int) -> Segment | None:
        """A whole segment that is listed, was until lately, or soon will be."""
        rendition = self._renditions.get(rung)
        return next(iter(rendition.between(msn, msn)), None) if rendition else None

    def init(self, rung: str, name: str) -> InitSection | None:
        """The rung's init section of this file name, while a segment needs it or will."""
        rendition = self._renditions.get(rung)
        if rendition is None:
            return None
        if rendition.init and rendition.init.name == name:
            return rendition.init
        holders = (*rendition.segments, rendition.open) if rendition.open else rendition.segments
        return next((holder.init for holder in holders if holder.init.name == name), None)

    def _add(self, rendition: Rendition, part: Part | Gap, entry_id: str) -> None:
        if not rendition.follows(part):
            if part.part:
                return  # the log was trimmed within this segment: it cannot be whole any more
            # A log that lost everything goes on at a higher MSN: nothing before it is left to be played.
            for each in self._renditions.values():
                each.clear()
            self._first = None
            self.version += 1
        if rendition.add(part, entry_id):
            self._advance()
        if self._first is not None:
            self.version += 1

    def _lists(self, rendition: Rendition) -> bool:
        return bool(rendition.segments) and (self._first is not None or self.ended)

    def _listed(self, rendition: Rendition) -> tuple[Segment, ...]:
        if not self._lists(rendition):
            return ()
        first = self._floor if self._first is None else self._first
        return rendition.between(first, rendition.last_msn)

    def _advance(self) -> None:
        """Move the window over what is now whole in every rendition."""
        renditions = tuple(self._renditions.values())
        if self.plan is None or not all(rendition.segments for rendition in renditions):
            return
        oldest = max(self._floor, *(rendition.first_msn for rendition in renditions))
        last = min(rendition.last_msn for rendition in renditions)
        if last < oldest or (self._first is not None and last == self._last):
            return
        target = self.plan.target_duration_s
        keep = max(self.plan.window_s, LEAST_TARGET_DURATIONS * target) * TICKS_PER_S
        guide = renditions[0].between(oldest, last)
        first = oldest if self._first is None else max(self._first, oldest)
        while last - first >= LEAST_SEGMENTS and guide[-1].end - guide[first + 1 - oldest].start >= keep:
            first += 1
        self._first, self._last = first, last
        horizon = guide[first - oldest].start - LINGER_TARGET_DURATIONS * target * TICKS_PER_S
        for rendition in renditions:
            rendition.forget(first, horizon)


def _init_section(init: Init) -> InitSection:
    name = init_name(init.data)
    return InitSection(name, init.data, init.codecs, init.width, init.height, init.frame_rate, init.channels)
