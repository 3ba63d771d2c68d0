"""The tail: a run's newest entries as one writer has them, so that what a log lost can be staged again.

Law: each entry has the integer and the chained id that the log gives it, so one look-up says whether a log's newest
entry is one of these and the log therefore holds all before it. What is not shown yet is always here; what is shown
goes once it is durable and old, or for want of room. Neighbours: `writer` stages from it.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from headrace.core.broadcast import Gap, Part
from headrace.core.media import TICKS_PER_S
from headrace.livelog.base import Append
from headrace.wire.log import entry_to_bytes

KEPT = 3 * TICKS_PER_S  # of media that is safe: a failover loses less (docs on the cluster, §1)
TAIL_BYTES = 32 << 20
ENTRY_BYTES = 512  # what an entry counts for beside its bytes


class _Kept(NamedTuple):
    id: str
    append: Append
    size: int


class Tail:
    """Entries that follow the log's entry (`n`, `id`), at most `max_bytes` of those that are shown."""

    def __init__(self, n: int, id: str, max_bytes: int = TAIL_BYTES) -> None:
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._before = n  # the integer before the oldest entry here
        self._before_id = id
        self._kept: deque[_Kept] = deque()

    @property
    def last(self) -> int:
        """The newest entry's integer."""
        return self._before + len(self._kept)

    @property
    def newest(self) -> Append | None:
        """The newest entry here."""
        return self._kept[-1].append if self._kept else None

    def add(self, appends: Iterable[Append]) -> None:
        """Entries that follow the newest."""
        last = self._kept[-1].id if self._kept else self._before_id
        for append in appends:
            size = len(append.data or b"") + ENTRY_BYTES
            last = hashlib.sha1(last.encode() + entry_to_bytes(append.entry), usedforsecurity=False).hexdigest()
            self._kept.append(_Kept(last, append, size))
            self.held_bytes += size

    def holds(self, n: int, id: str) -> bool:
        """Whether a log that ends with this entry has nothing else, and all that it lacks is here."""
        if n == self._before:
            return id == self._before_id
        return self._before < n <= self.last and self._kept[n - self._before - 1].id == id

    def between(self, after: int, through: int) -> list[Append]:
        """The entries after one integer and up to another; all must be here."""
        return [kept.append for kept in islice(self._kept, after - self._before, through - self._before)]

    def batch(self, after: int, max_bytes: int) -> list[Append]:
        """The next entries after an integer, with bytes of at most `max_bytes` (or one entry)."""
        taken: list[Append] = []
        size = 0
        for kept in islice(self._kept, after - self._before, None):
            size += len(kept.append.data or b"")
            if taken and size > max_bytes:
                break
            taken.append(kept.append)
        return taken

    def trim(self, durable: int, now: int) -> int:
        """Forget, all being shown, what is durable (up to this integer) and ends well before tick `now`.

        Returns how many more had to go that are not durable.
        """
        old = 0
        for index, kept in enumerate(islice(self._kept, max(0, durable - self._before)), 1):
            if isinstance(entry := kept.append.entry, Part | Gap):
                if entry.end > now - KEPT:
                    break
                old = index  # what is no part goes with the part after it
        for _ in range(old):
            self._forget()
        lost = 0
        while self.held_bytes > self._max_bytes:
            self._forget()
            lost += self._before > durable
        return lost

    def _forget(self) -> None:
        kept = self._kept.popleft()
        self.held_bytes -= kept.size
        self._before, self._before_id = self._before + 1, kept.id
