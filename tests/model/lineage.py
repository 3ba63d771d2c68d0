"""What a log can hold: every sequence of entries that the model has met, each known by one number.

Law: a number stands for an entry and all before it, as the chained id does in the log; equal numbers, equal histories.
The rules that an entry must obey are checked here for what was stored, whatever the log's own checks let pass.
Neighbours: `log` has the operations; nothing here is taken from the real log.
"""

from typing import Any, NamedTuple

EncoderId = tuple[int, int, int, int]  # session, attempt, session id, take: whose encoders, and which of its own
NOBODY: EncoderId = (0, 0, 0, 0)  # after a gap
EMPTY_LOG = 0  # its node
SEGMENT = 2  # parts; a keyframe stands at the start of each

PART, GAP, END = "part", "gap", "end"


class Place(NamedTuple):
    """A part's place: its segment's number, its number in it, and its time (in parts since the run's start)."""

    msn: int
    part: int
    at: int

    @property
    def after(self) -> "Place":
        """The place that follows."""
        if (self.at + 1) % SEGMENT == 0:
            return Place(self.msn + 1, 0, self.at + 1)
        return Place(self.msn, self.part + 1, self.at + 1)


class Entry(NamedTuple):
    """One entry. `end` has no place of its own."""

    kind: str
    rung: int
    place: Place
    encoder: EncoderId = NOBODY
    independent: bool = False


class Position(NamedTuple):
    """Where a rung goes on, and who wrote its last entry."""

    next: Place
    encoder: EncoderId


class Node(NamedTuple):
    """An entry and all before it. `rungs`: None where a rung has not begun. `first`: where the first one did."""

    before: int
    entry: Entry | None
    n: int
    rungs: tuple[Position | None, ...]
    ended: bool
    first: Place | None = None

    @property
    def reach(self) -> int:
        """Everything before this time is there in every rung."""
        return min(position.next.at if position else 0 for position in self.rungs)

    @property
    def begun_reach(self) -> int:
        """The same of the rungs that have begun: a log knows no others."""
        return min((position.next.at for position in self.rungs if position), default=0)


class Violation(Exception):
    """Something happened that must never happen. `label` is the step at which it did, where the step is not over."""

    label: tuple[Any, ...] | None = None


class Lineage:
    """All nodes of one search; node 0 is the empty log. Unless `obeyed`, only the log itself checks its entries."""

    def __init__(self, rungs: int, *, obeyed: bool = True) -> None:
        self._obeyed = obeyed
        self.nodes = [Node(0, None, 0, (None,) * rungs, False)]
        self._numbers: dict[tuple[int, Entry], int] = {}

    def extend(self, tip: int, entry: Entry) -> int:
        """`tip` and one entry more. Raises Violation for a hole, a splice, or rungs that number differently."""
        key = (tip, entry)
        found = self._numbers.get(key)
        if found is None:
            before = self.nodes[tip]
            if self._obeyed:
                _obey(before, entry)
            rungs = list(before.rungs)
            if entry.kind != END:
                rungs[entry.rung] = Position(entry.place.after, entry.encoder)
            found = len(self.nodes)
            ended = before.ended or entry.kind == END
            first = before.first or (None if ended else entry.place)
            self.nodes.append(Node(tip, entry, before.n + 1, tuple(rungs), ended, first))
            self._numbers[key] = found
        return found

    def at(self, tip: int, n: int) -> int:
        """The node of the n-th entry on the way to `tip`."""
        nodes = self.nodes
        while nodes[tip].n > n:
            tip = nodes[tip].before
        return tip

    def holds(self, tip: int, old: int) -> bool:
        """Whether `old` is on the way to `tip`."""
        return self.at(tip, self.nodes[old].n) == old

    def between(self, old: int, tip: int) -> list[Entry]:
        """The entries after `old`, in order."""
        entries = []
        while tip != old:
            node = self.nodes[tip]
            assert node.entry is not None
            entries.append(node.entry)
            tip = node.before
        return entries[::-1]


def first_place(node: Node, opens: int) -> Place:
    """Where a rung begins that has nothing yet: where the first one did, else at MSN ⌈4·`opens`/D⌉."""
    return node.first or Place(-(-4 * opens // SEGMENT), 0, opens)


def _obey(before: Node, entry: Entry) -> None:
    if before.ended:
        raise Violation("something follows the end")
    if entry.kind == END:
        return
    position = before.rungs[entry.rung]
    if position is None:
        if entry.place.part != 0:
            raise Violation(f"a rung begins in the middle of a segment, at {entry.place}")
    elif entry.place != position.next:
        raise Violation(f"positions are not consecutive: {entry.place} where {position.next} comes next")
    if entry.kind == PART and not entry.independent and (position is None or position.encoder != entry.encoder):
        raise Violation(f"two encoders are spliced in mid-GOP, at {entry.place}")
    for other in before.rungs:
        # One time, one MSN: renditions are switched by it.
        together = other and other.next.at - other.next.part == entry.place.at - entry.place.part
        if other and together and other.next.msn != entry.place.msn:
            raise Violation(f"rungs number one segment differently, at {entry.place}")
