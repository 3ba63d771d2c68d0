"""Readings in any order, by those who follow and those who look again, of a log that forgets, loses and rewrites.

What is proved: nothing is told twice or left out, no playlist goes back, and in the end the log is believed.
"""

import hashlib
from contextlib import suppress
from itertools import count
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import Entry, Part, RunId
from headrace.livelog.base import Cursor, Published, Reading
from headrace.origin.followed import Disagreement, FollowedRun
from tests.support.playlists import read_playlist
from tests.support.runs import parts_of, plan_of, start_of

PLAN = plan_of("passthrough", window_s=20)
START = Cursor(0, "")
HEAD = len(start_of(PLAN))
HELD = 13  # whole segments: the window, and a margin
LOST = 8  # entries, at the most: two segments


class Log:
    """What is published now, and the heads of what was forgotten."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._encoders = count(1)
        self._next = start_of(PLAN)
        self._msn = 0
        self._most = 0
        self._published: list[Published] = []

    def grow(self) -> None:
        """Publish some more."""
        for _ in range(self._rng.randint(1, 8)):
            if not self._next:
                self._next = self._segment()
            entry = self._next.pop(0)
            said = f"{self.cursor.id}{entry!r}".encode()
            digest = hashlib.sha1(said, usedforsecurity=False).hexdigest()
            self._published.append(Published(self.cursor.n + 1, digest, entry))

    def lose(self) -> None:
        """Lose the newest entries; what comes is the same again, or by another encoder."""
        self._most = max(self._most, len(self._published))
        if len(self._published) < max(HEAD + LOST, self._most - LOST):
            return  # it never loses a whole window
        keep = len(self._published) - self._rng.randint(1, LOST)
        lost, self._published = self._published[keep:], self._published[:keep]
        if self._rng.random() < 0.5:
            self._next = [each.entry for each in lost if each.entry] + self._next
            return
        self._msn = max(0, *map(msn_of, self._published))
        while msn_of(self._published[-1]) == self._msn:
            self._published.pop()
        self._next = []

    def read(self, cursor: Cursor) -> Reading:
        """As a log does."""
        window = self._window()
        at = cursor.n - window[0].n if window else -1
        if 0 <= at < len(window) and window[at].id == cursor.id:
            return Reading(tuple(window[at + 1 :]), self.cursor)
        head = tuple(each.entry for each in self._published[:HEAD] if each.entry)
        return Reading(tuple(window), self.cursor, whole=True, head=head)

    @property
    def cursor(self) -> Cursor:
        """Its end."""
        return Cursor(self._published[-1].n, self._published[-1].id) if self._published else START

    def _window(self) -> list[Published]:
        newest = max(map(msn_of, self._published), default=0)
        if newest <= HELD:
            return self._published
        return self._published[next(n for n, each in enumerate(self._published) if msn_of(each) > newest - HELD) :]

    def _segment(self) -> list[Entry]:
        encoder = f"e{next(self._encoders)}"
        entries = [
            e for rung in PLAN.rung_names for e in parts_of(PLAN, rung, self._msn, of=2, count=2, encoder=encoder)
        ]
        self._msn += 1
        return entries


def msn_of(each: Published) -> int:
    return each.entry.msn if isinstance(each.entry, Part) else -1


def text(followed: FollowedRun) -> str:
    page = followed.pages.media("source", "") if followed.read and followed.model.rungs else None
    return page.plain.decode() if page else ""


def begun() -> FollowedRun:
    return FollowedRun(RunId("r1"))


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None, phases=(Phase.generate,))
def test_however_it_is_read_the_log_is_believed_and_nothing_goes_back(rng: Random) -> None:
    log, followed = Log(rng), begun()
    at = followed.cursor  # that of the one who follows, which may be behind
    first = -1
    for _ in range(150):
        rng.choice((log.grow, log.grow, log.grow, log.grow, log.grow, log.lose))()
        match rng.choice(("follow", "follow", "look", "nothing")):
            case "follow":
                reading = log.read(at)
                at = reading.cursor
                try:
                    followed.take(reading)
                except Disagreement:
                    at = followed.cursor
            case "look":
                with suppress(Disagreement):
                    followed.take(log.read(followed.cursor))
        if listed := text(followed):
            assert read_playlist(listed).segments[0].msn >= first
            first = read_playlist(listed).segments[0].msn
    for _ in range(12):
        log.grow()
    for _ in range(3):
        with suppress(Disagreement):
            followed.take(log.read(followed.cursor))
    fresh = begun()
    fresh.take(log.read(START))
    assert followed.cursor == fresh.cursor == log.cursor
    if first <= read_playlist(text(fresh)).segments[0].msn:
        assert text(followed) == text(fresh)
