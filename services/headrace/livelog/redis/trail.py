"""How far a follower has come, and how it gets further: by what it reads, and by what it is pushed.

Law: pure. Entries are told once and in order, each chained to the one before it. A log that is shorter and equal is
waited for; one that differs is told whole, for the log wins. Neighbours: `following` reads and listens.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from headrace.core.broadcast import Entry
from headrace.livelog.base import Cursor, Published, Reading
from headrace.livelog.redis.answers import Found, entry_of
from headrace.livelog.redis.subscriptions import Push

REMEMBERED = 256  # ids: more than a failover can take back


class Trail:
    """A follower of one run."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._oldest = 0
        self._told = False
        self._ids: OrderedDict[int, str] = OrderedDict({0: "", cursor.n: cursor.id})

    def agrees(self, shown: int, shown_id: str) -> bool:
        """Whether a log whose last published entry is this one has nothing new to tell."""
        return shown <= self.cursor.n and self._ids.get(shown) == shown_id

    def take(self, found: Found) -> Reading | None:
        """What was read, as it is to be told; None where there is no news."""
        if found.whole and self.cursor.n and self.agrees(found.shown, found.shown_id):
            found = replace(found, whole=False, entries=(), head=())
        elif found.whole:
            self._ids = OrderedDict({0: ""})
            self.cursor = Cursor(0, "")
        if self._told and not found.whole and not found.entries and found.oldest == self._oldest:
            return None
        self._oldest = found.oldest
        for each in found.entries:
            self._step(each.n, each.id)
        return self._reading(found.entries, whole=found.whole, head=found.head)

    def follow(self, pushes: Iterable[Push]) -> tuple[Reading | None, bool]:
        """What was pushed, as it is to be told, and whether the log must be read: something is missing or differs."""
        entries: list[Published] = []
        missed = False
        for n, entry_id, data in pushes:
            said_id = entry_id.decode()
            if n <= self.cursor.n and self._ids.get(n) == said_id:
                continue
            if n != self.cursor.n + 1 or said_id != _chained(self.cursor.id, data):
                missed = True
                break
            entries.append(Published(n, said_id, entry_of(data)))
            self._step(n, said_id)
        return self._reading(tuple(entries)) if entries else None, missed

    def _step(self, n: int, entry_id: str) -> None:
        self.cursor = Cursor(n, entry_id)
        self._ids[n] = entry_id
        while len(self._ids) > REMEMBERED + 1:
            # The beginning (0) stays: a log that begins anew is one that is shorter and equal.
            del self._ids[next(each for each in self._ids if each)]

    def _reading(self, entries: tuple[Published, ...], *, whole: bool = False, head: tuple[Entry, ...] = ()) -> Reading:
        self._told = True
        return Reading(entries, self.cursor, whole, head, self._oldest)


def _chained(last_id: str, entry: bytes) -> str:
    return hashlib.sha1(last_id.encode() + entry, usedforsecurity=False).hexdigest()
