"""Where a rung goes on, and the place of one part.

Law: a `Position` comes from the log and is all that a new cutter needs beside the plan and the media since the source
keyframe before it. Times are ticks on the run's timeline. Neighbours: every cutter starts from a `Position` and emits
`Span`s; `broadcast.entries` are the same places in the log.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """The next part to make is (`msn`, `part`), from boundary `start`, in the segment that starts at `segment_start`.

    `opened`: that segment opened on a source keyframe. Of part 0 nothing is published yet: its cutter reads `opened`
    from the media, and `segment_start` is `start`.
    """

    msn: int
    part: int
    start: int
    segment_start: int
    opened: bool

    @classmethod
    def initial(cls) -> "Position":
        """Where every rung of a new run starts."""
        return cls(0, 0, 0, 0, opened=True)


@dataclass(frozen=True, slots=True)
class Span:
    """One part's place: from boundary `start` to `end`; `segment_end`: it is the last of its segment."""

    msn: int
    part: int
    start: int
    end: int
    segment_start: int
    opened: bool
    segment_end: bool

    @property
    def place(self) -> tuple[int, int, int, int, int, bool, bool]:
        """The fields of a `Span`, whatever else this one is."""
        return self.msn, self.part, self.start, self.end, self.segment_start, self.opened, self.segment_end

    @property
    def after(self) -> Position:
        """Where the rung goes on after this part."""
        if self.segment_end:
            return Position(self.msn + 1, 0, self.end, self.end, opened=True)
        return Position(self.msn, self.part + 1, self.end, self.segment_start, self.opened)


@dataclass(frozen=True, slots=True)
class GapPart(Span):
    """A part without media that anybody can fetch: it holds its place in time.

    `filled`: nothing is missing, as the media of the part before it lasts until its end.
    """

    filled: bool
