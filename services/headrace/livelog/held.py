"""One run as the memory log holds it: its fence, its entries in order, each rung's position, and its window.

Law: nothing here waits, so every operation is one step that nobody sees half of. What is staged is never taken back; a
published entry is never changed; only whole segments at the old end are forgotten, and six always stay.
Neighbours: `memory` is the interface and bounds all runs together.
"""

import hashlib
from collections import deque
from dataclasses import dataclass
from itertools import islice

from headrace.core.broadcast import Claim, End, Gap, Init, Part, RunStart
from headrace.livelog.base import (
    Append,
    Cursor,
    Fenced,
    OutOfStep,
    Published,
    Reading,
    RunEnded,
    RungPosition,
    Staged,
    StaleLog,
    Taken,
)
from headrace.livelog.places import after, may_be_first, place_of
from headrace.livelog.window import Window
from headrace.wire.log import entry_to_bytes

ENTRY_OVERHEAD_BYTES = 768  # a record, its entry and its place in the indexes, as Python objects: measured
RUN_OVERHEAD_BYTES = 16 << 10  # what a run keeps beside its entries: its head (plan and init sections), its containers

_START = Cursor(0, "")


@dataclass(frozen=True, slots=True)
class _Record:
    published: Published
    encoded: bytes
    data: bytes | None

    @property
    def size(self) -> int:
        return len(self.encoded) + len(self.data or b"") + ENTRY_OVERHEAD_BYTES


class HeldRun:
    """A run's entries from the oldest segment that is kept to the newest staged one."""

    def __init__(self, claim: Claim) -> None:
        self.held_bytes = RUN_OVERHEAD_BYTES
        self.end_published = False
        self._claim = claim
        self._records: deque[_Record] = deque()
        self._trimmed = _START  # the last entry that was forgotten
        self._last = _START  # the newest staged entry
        self._published = 0
        self._ended = False
        self._rungs: dict[str, RungPosition] = {}
        self._start: RunStart | None = None
        self._inits: dict[str, Init] = {}  # each rung's current one
        self._opening: dict[str, Init] = {}  # each rung's last one that is forgotten: the window begins with it
        self._data: dict[tuple[str, int, int, str], bytes] = {}
        self._window = Window()

    # What writers do

    def take(self, claim: Claim, floor: int) -> Taken:
        """The takeover of a run that is there. Raises Fenced, RunEnded, StaleLog."""
        held, epoch = self._claim, claim.epoch
        if epoch < held.epoch or (epoch.session == held.epoch.session and claim.session_id != held.session_id):
            raise Fenced(held.epoch)
        if epoch == held.epoch and (claim.writer != held.writer or claim.take < held.take):
            raise Fenced(held.epoch)
        # An End that its writer staged and did not live to publish is there for the next one to publish.
        if self._ended and self._published == self._last.n:
            raise RunEnded("the run has ended")
        if min((position.start for position in self._rungs.values()), default=0) < floor:
            raise StaleLog(f"the log does not reach tick {floor}")
        self._claim = claim
        return Taken(self._last.n, self._published, self._last.id, dict(self._rungs))

    def stage(self, claim: Claim, n: int, append: Append) -> Staged:
        """Store the n-th entry. Raises Fenced, RunEnded, OutOfStep; ValueError for a Part without its bytes."""
        entry, data = append
        self._check(claim)
        if self._ended:
            raise RunEnded("the run has ended")
        encoded = entry_to_bytes(entry)
        if n <= self._last.n:
            return self._replayed(n, encoded)
        if n > self._last.n + 1:
            raise OutOfStep("behind", f"entry {n} after {self._last.n}")
        if isinstance(entry, Part) and (data is None or len(data) != entry.size):
            raise ValueError("a part is staged with its bytes, all of them")
        if isinstance(entry, Part | Gap):
            self._place(entry)
        chained = hashlib.sha1(self._last.id.encode() + encoded, usedforsecurity=False).hexdigest()
        record = _Record(Published(n, chained, entry), encoded, data)
        self._records.append(record)
        self.held_bytes += record.size
        self._last = Cursor(n, chained)
        self._ended = isinstance(entry, End)
        return Staged(n, chained)

    def publish(self, claim: Claim, n: int) -> bool:
        """Show everything up to the n-th entry; whether that was news. Raises Fenced, OutOfStep."""
        self._check(claim)
        if n > self._last.n:
            raise OutOfStep("behind", f"entry {n} is not staged, {self._last.n} is the last")
        if n <= self._published:
            return False
        first = self._published - self._trimmed.n
        for record in islice(self._records, first, n - self._trimmed.n):
            self._show(record)
        self._published = n
        return True

    # What readers see

    def read(self, cursor: Cursor) -> Reading:
        """Published entries after `cursor`, or the whole window."""
        whole = not self._knows(cursor)
        skip = 0 if whole else cursor.n - self._trimmed.n
        entries = tuple(r.published for r in islice(self._records, skip, self._published - self._trimmed.n))
        after = Cursor(entries[-1].n, entries[-1].id) if entries else _START if whole else cursor
        if not whole:
            return Reading(entries, after, oldest=self._window.oldest)
        start = (self._start,) if self._start else ()
        newer = (init for rung, init in self._inits.items() if self._opening.get(rung) is not init)
        head = (*start, *self._opening.values(), *newer)
        return Reading(entries, after, whole=True, head=head, oldest=self._window.oldest)

    def part(self, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        """A published part's bytes."""
        return self._data.get((rung, msn, part, encoder))

    # Its window

    def trim(self) -> None:
        """Forget what lies behind the plan's window and its margin."""
        if self._window.trim():
            self._forget()

    @property
    def duration(self) -> int:
        """How many ticks the whole segments span; 0 where none can go."""
        return self._window.duration

    def shrink(self) -> None:
        """Forget the oldest segment of every rung."""
        self._window.shrink()
        self._forget()

    def _forget(self) -> None:
        while self._trimmed.n < self._published and not self._window.needs(self._records[0].published.entry):
            record = self._records.popleft()
            entry = record.published.entry
            if isinstance(entry, Part):
                del self._data[entry.rung, entry.msn, entry.part, entry.encoder]
            elif isinstance(entry, Init):
                self._opening[entry.rung] = entry
            self.held_bytes -= record.size
            self._trimmed = Cursor(record.published.n, record.published.id)

    # The rules

    def _check(self, claim: Claim) -> None:
        if claim != self._claim:
            raise Fenced(self._claim.epoch)

    def _replayed(self, n: int, encoded: bytes) -> Staged:
        index = n - self._trimmed.n - 1
        if index < 0 or self._records[index].encoded != encoded:
            raise OutOfStep("conflict", f"entry {n} is another one")
        return Staged(n, self._records[index].published.id)

    def _place(self, entry: Part | Gap) -> None:
        """Move the rung's position past `entry`. Raises OutOfStep where that is not the rung's next."""
        position = self._rungs.get(entry.rung)
        if position is None:
            next_place, encoder = place_of(entry) if may_be_first(entry) else None, ""
        else:
            next_place = (position.msn, position.part, position.start, position.segment_start)
            encoder = position.encoder
        if place_of(entry) != next_place:
            raise OutOfStep("position", f"{entry.rung} goes on at {position}, not at {place_of(entry)}")
        if isinstance(entry, Part) and not entry.independent and entry.encoder != encoder:
            raise OutOfStep("splice", f"{entry.rung} goes on in mid-GOP with {encoder!r} alone")
        self._rungs[entry.rung] = after(entry)

    def _show(self, record: _Record) -> None:
        entry = record.published.entry
        if isinstance(entry, Part) and record.data is not None:
            self._data[entry.rung, entry.msn, entry.part, entry.encoder] = record.data
        self._window.show(entry)
        if isinstance(entry, RunStart):
            self._start = entry
        elif isinstance(entry, Init):
            self._inits[entry.rung] = entry
        elif isinstance(entry, End):
            self.end_published = True

    def _knows(self, cursor: Cursor) -> bool:
        """Whether `cursor` stands at an entry of this log, so that reading can go on after it."""
        if cursor.n == self._trimmed.n:
            return cursor.n > 0 and cursor == self._trimmed
        if not self._trimmed.n < cursor.n <= self._published:
            return False
        return self._records[cursor.n - self._trimmed.n - 1].published.id == cursor.id
