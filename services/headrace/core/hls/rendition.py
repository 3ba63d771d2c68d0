"""One rung's segments as its entries make them: those that are whole, the one that is open, and what comes next.

Law: what a segment's first part says holds for all of it, and nothing that was said of a part is ever taken back.
Neighbours: `playlist` folds all rungs together and decides what is listed.
"""

from dataclasses import replace

from headrace.core.broadcast import Gap, Part
from headrace.core.hls.listing import InitSection, Piece, Place, Segment, part_name


class Rendition:
    """One rung's segments: contiguous MSNs, and the one that is open, whose init section is that of its first part."""

    __slots__ = ("_encoder", "_id", "init", "open", "segments")

    def __init__(self) -> None:
        self.init: InitSection | None = None
        self.segments: list[Segment] = []
        self.open: Segment | None = None
        self._id = ""
        self._encoder = ""

    @property
    def last(self) -> Segment | None:
        """The segment of the newest part."""
        return self.open or (self.segments[-1] if self.segments else None)

    @property
    def newest(self) -> Place:
        """Where the last part stands; before any, MSN -1."""
        return Place(self.last.msn, len(self.last.pieces) - 1) if self.last else Place(-1, 0)

    @property
    def hint(self) -> str:
        """The file name of the next part, if its encoder is the one before it; "" before any part."""
        if self.last is None:
            return ""
        after = Place(self.open.msn, len(self.open.pieces)) if self.open else Place(self.last.msn + 1, 0)
        return part_name(*after, self._encoder)

    @property
    def init_hint(self) -> str:
        """The file name of the next part's init section, "" if it is that of the part before it."""
        if self.init is None or self.last is None or self.init.name == self.last.init.name:
            return ""
        return self.init.name

    @property
    def first_msn(self) -> int:
        """MSN of the first whole segment; there must be one."""
        return self.segments[0].msn

    @property
    def last_msn(self) -> int:
        """MSN of the last whole segment; there must be one."""
        return self.segments[-1].msn

    def between(self, first: int, last: int) -> tuple[Segment, ...]:
        """The segments of these MSNs, both included, as far as they are here."""
        if not self.segments:
            return ()
        return tuple(self.segments[max(0, first - self.first_msn) : max(0, last + 1 - self.first_msn)])

    def follows(self, part: Part | Gap) -> bool:
        """Whether `part` has its place right after what is here."""
        if self.open:
            return (part.msn, part.part) == (self.open.msn, len(self.open.pieces))
        return part.part == 0 and (not self.segments or part.msn == self.last_msn + 1)

    def add(self, part: Part | Gap, entry_id: str) -> bool:
        """Whether `part`, which follows, made a segment whole."""
        if self.init is None:
            return False
        self._id = entry_id
        self._encoder = part.encoder or self._encoder  # it goes on after what is missing, if it can
        piece = _piece(part, self._encoder)
        if self.open:
            self.open = replace(self.open, pieces=(*self.open.pieces, piece))
        else:
            self.open = Segment(part.msn, (piece,), part.discontinuity, self.init, "")
        return part.segment_end and self.close()

    def close(self) -> bool:
        """Make what is there of the open segment a whole one; False where nothing is."""
        if self.open is None:
            return False
        self.segments.append(replace(self.open, id=self._id))
        if all(piece.missing for piece in self.open.pieces):
            self._encoder = ""  # or names would depend on how far back one has read
        self.open = None
        return True

    def clear(self) -> None:
        """Forget all but the init section."""
        self.segments.clear()
        self.open = None
        self._encoder = ""

    def forget(self, below_msn: int, until: int) -> None:
        """Let go of the segments below an MSN that end at or before a tick."""
        count = 0
        while self.segments[count].msn < below_msn and self.segments[count].end <= until:
            count += 1
        del self.segments[:count]


def _piece(part: Part | Gap, encoder: str) -> Piece:
    if isinstance(part, Gap):
        return Piece(part.start, part.end, False, 0, encoder, gap=True, missing=not part.encoder)
    return Piece(part.start, part.end, part.independent, part.size, encoder, gap=False, missing=False)
