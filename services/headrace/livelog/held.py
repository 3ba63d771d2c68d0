"""One run as the memory log holds it: its fence, its entries in order, each rung's position, and its window.

Law: nothing here waits, so every operation is one step that nobody sees half of. What is staged is never taken back; a
published entry is never changed; only whole segments at the old end are forgotten, and six always stay.
Neighbours: `memory` is the interface and bounds all runs together.
"""

import hashlib
from collections import deque
from dataclasses import dataclass
from itertools import islice

from headrace.core.broadcast import Claim, End, Entry, Gap, Init, Part, Plan, RunStart
from headrace.core.media import TICKS_PER_S
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
from headrace.wire.log import entry_to_bytes

LEAST_SEGMENTS = 6  # a playlist of fewer starves players (Apple's authoring specification, 8.11)
MARGIN_TARGET_DURATIONS = 3  # what has left a playlist is still asked for by players that hold an old one
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
        self._inits: dict[str, Init] = {}
        self._data: dict[tuple[str, int, int, str], bytes] = {}
        self._whole: dict[str, int] = {}  # each rung's newest MSN that is published whole
        self._segments: deque[tuple[int, int, int]] = deque()  # MSN, start, end; published whole in some rung
        self._longest = 0
        self._oldest = 0  # every segment below this MSN is forgotten

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
            return Reading(entries, after, oldest=self._oldest)
        head = (self._start,) if self._start else ()
        return Reading(entries, after, whole=True, head=(*head, *self._inits.values()), oldest=self._oldest)

    def part(self, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        """A published part's bytes."""
        return self._data.get((rung, msn, part, encoder))

    # Its window

    def trim(self) -> None:
        """Forget what lies behind the plan's window and its margin."""
        plan = self._start.plan if self._start else None
        while plan and self._spare and self._reach - self._segments[0][2] >= self._kept(plan):
            self.shrink()

    @property
    def duration(self) -> int:
        """How many ticks the whole segments span; 0 where none can go."""
        return self._reach - self._segments[0][1] if self._spare else 0

    def shrink(self) -> None:
        """Forget the oldest segment of every rung."""
        self._segments.popleft()
        self._oldest = self._segments[0][0]
        while self._trimmed.n < self._published and not _needed(self._records[0].published.entry, self._oldest):
            record = self._records.popleft()
            entry = record.published.entry
            if isinstance(entry, Part):
                del self._data[entry.rung, entry.msn, entry.part, entry.encoder]
            self.held_bytes -= record.size
            self._trimmed = Cursor(record.published.n, record.published.id)

    @property
    def _spare(self) -> bool:
        """Whether more than six segments are whole in every rung."""
        if not self._segments or len(self._whole) < len(self._rungs):
            return False
        return min(self._whole.values()) - self._segments[0][0] >= LEAST_SEGMENTS

    @property
    def _reach(self) -> int:
        """The end of the newest segment that is whole in every rung."""
        return self._segments[min(self._whole.values()) - self._segments[0][0]][2]

    def _kept(self, plan: Plan) -> int:
        """How much must follow a segment before it goes, ticks."""
        margin = MARGIN_TARGET_DURATIONS * plan.target_duration_s * TICKS_PER_S
        # What playlists show at the most: the window, three target durations, six segments.
        shown = max(plan.window_s * TICKS_PER_S, margin, LEAST_SEGMENTS * self._longest)
        return shown + margin + self._longest

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
            # Any segment may be a rung's first: a log that lost everything goes on above what was used.
            position = RungPosition(entry.msn, 0, entry.start, entry.start, opened=True, encoder="")
        place = (entry.msn, entry.part, entry.start, entry.segment_start)
        if place != (position.msn, position.part, position.start, position.segment_start):
            raise OutOfStep("position", f"{entry.rung} goes on at {position}, not at {place}")
        if isinstance(entry, Part) and not entry.independent and entry.encoder != position.encoder:
            raise OutOfStep("splice", f"{entry.rung} goes on in mid-GOP with {position.encoder!r} alone")
        end, encoder = entry.end, entry.encoder
        if entry.segment_end:
            after = RungPosition(entry.msn + 1, 0, end, end, opened=True, encoder=encoder)
        else:
            after = RungPosition(entry.msn, entry.part + 1, end, entry.segment_start, entry.opened, encoder)
        self._rungs[entry.rung] = after

    def _show(self, record: _Record) -> None:
        entry = record.published.entry
        if isinstance(entry, Part) and record.data is not None:
            self._data[entry.rung, entry.msn, entry.part, entry.encoder] = record.data
        if isinstance(entry, Part | Gap) and entry.segment_end:
            self._whole[entry.rung] = entry.msn
            if not self._segments or self._segments[-1][0] < entry.msn:
                self._segments.append((entry.msn, entry.segment_start, entry.end))
                self._longest = max(self._longest, entry.end - entry.segment_start)
        elif isinstance(entry, RunStart):
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


def _needed(entry: Entry | None, oldest_msn: int) -> bool:
    """Whether a window that begins with this segment holds `entry`."""
    return isinstance(entry, Part | Gap) and entry.msn >= oldest_msn
