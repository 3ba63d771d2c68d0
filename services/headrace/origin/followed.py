"""One run as this origin knows it: the fold of what it read, its pages, and those who wait for it to grow.

Law: every entry is folded in once, in order and with none left out, whoever read it. A log that became shorter and is
otherwise equal changes nothing; one that differs replaces everything: the log wins. Even then no playlist goes back
behind the segment that it began with, unless the log lost a whole window.
Neighbours: `follower` reads the log, `core.hls.playlist` is the fold.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from headrace.core.broadcast import Entry, Hold, Part, RunId
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import date_ms
from headrace.livelog.base import Cursor, LogError, Published, Reading
from headrace.origin.metrics import FIRST_PLAYLIST, PART_AGE, UNKNOWN_ENTRIES
from headrace.origin.pages import Pages
from headrace.runtime.aio.clock import monotonic_s, unix_ms, unix_ns
from headrace.runtime.telemetry.traces import Span, Tracer

IDS_KEPT = 4096  # minutes of entries: a log that lost its newest ones lost the last seconds of them
START_MS = 60_000  # what an origin first shows of a run that is older is no part of how the run started
SEGMENT_TARGET_DURATIONS = 1.5  # in which a new segment appears (RFC 8216bis §6.2.1)

_START = Cursor(0, "")
_tracer = Tracer("origin")


class Disagreement(LogError):
    """A reading does not go on where the one before it ended: the next one must be whole."""

    code = "log_disagreement"


class FollowedRun:
    """One run's fold, and its pages as they are now."""

    def __init__(self, run: RunId) -> None:
        self.run = run
        self.model = RunModel()
        self.pages = Pages(self.model)
        self.cursor = _START
        self.readings = 0  # how many were taken
        self.over = False  # followed no longer: unknown to the log, or the origin stops
        self.used_s = self._read_s = monotonic_s()
        self._newest_end: int | None = None  # of a part's, ticks; None while the source has stopped
        self._lists = False
        self._followed_ns = unix_ns()
        # The newest entries' chained ids, by their integers. A plain dict gives up its first in time that grows.
        self._ids: OrderedDict[int, str] = OrderedDict()
        self._waiters: dict[str, asyncio.Event] = {}  # by rung; "" for what is no rung's own
        self._waiting = 0

    def take(self, reading: Reading) -> None:
        """Fold a reading in. Raises Disagreement, and then knows what it knew; the next one is to be whole."""
        model, version = self.model, self.model.version
        newest = {rung: model.newest(rung) for rung in self._waiters}
        if reading.whole:
            self._take_whole(reading)
        else:
            self._take_more(reading)
        self.model.forget(reading.oldest)
        self.readings += 1
        self._read_s = monotonic_s()
        self._note_first_playlist()
        if (self.model, self.model.version) != (model, version):
            self.pages = Pages(self.model)
        all_new = self.model is not model or self.model.ended
        for rung, before in newest.items():
            if all_new or not rung or self.model.newest(rung) != before:
                self._wake(rung)

    @property
    def read(self) -> bool:
        """Whether anything was read of it."""
        return self.readings > 0

    @property
    def stale(self) -> bool:
        """Whether something new of it should have been read by now, one segment at least."""
        plan = self.model.plan
        if plan is None or self.model.ended:
            return False
        return monotonic_s() - self._read_s > SEGMENT_TARGET_DURATIONS * plan.target_duration_s

    def edge_age_s(self, now_ms: int) -> float | None:
        """How old its newest part is; None where it has none, has ended, or its source has stopped."""
        if self._newest_end is None or self.model.ended:
            return None
        return max(0, now_ms - date_ms(self.model.anchor_ms, self._newest_end)) / 1000

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for news of it."""
        return self._waiting > 0

    def wake(self) -> None:
        """Let all who wait look again."""
        for rung in tuple(self._waiters):
            self._wake(rung)

    async def until(self, ready: Callable[[], bool], timeout_s: float, rung: str = "") -> bool:
        """Wait for `ready` to hold; False when the time is over, or the run is.

        It is asked after each reading, or only after those that bring a new part of `rung`.
        """
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                while not (is_ready := ready()) and not self.over:
                    await self._waiters.setdefault(rung, asyncio.Event()).wait()
                return is_ready
        except TimeoutError:
            return ready()
        finally:
            self._waiting -= 1

    def _take_whole(self, reading: Reading) -> None:
        if self.readings and (reading.cursor == _START or self._knows(reading.cursor)):
            return  # nothing was taken back of what it has, it only lost the newest: they may come again
        self._ids.clear()
        first = self.model.first_msn
        told = self._told(reading.entries)
        self.model = RunModel.read(reading.head, told)
        self._newest_end = None
        for entry, _ in told:
            self._note_edge(entry)
        self.model.forget(first)
        self.cursor = reading.cursor

    def _take_more(self, reading: Reading) -> None:
        known = [each for each in reading.entries if each.n <= self.cursor.n]
        new = reading.entries[len(known) :]
        goes_on = (new[0].n == self.cursor.n + 1) if new else True
        before = Cursor(known[-1].n, known[-1].id) if known else None
        if not goes_on or (before and not self._knows(before)):
            self.cursor = _START
            raise Disagreement(f"run {self.run}: a reading does not fit to what was read before it")
        for entry, entry_id in self._told(new):
            self.model.apply(entry, entry_id)
            if isinstance(entry, Part):
                PART_AGE.observe(max(0, unix_ms() - date_ms(self.model.anchor_ms, entry.end)) / 1000)
            self._note_edge(entry)
        if new:
            self.cursor = reading.cursor

    def _note_edge(self, entry: Entry) -> None:
        if isinstance(entry, Part):
            self._newest_end = max(entry.end, self._newest_end or 0)
        elif isinstance(entry, Hold):
            self._newest_end = None

    def _note_first_playlist(self) -> None:
        """Who was here before there was anything to list had to wait for it."""
        if self._lists:
            return
        self._lists = any(self.model.lists(rung) for rung in self.model.rungs)
        if not self._lists or self.model.ended:
            return
        age_ms = max(0, unix_ms() - self.model.anchor_ms)
        if self.readings > 1:
            FIRST_PLAYLIST.observe(age_ms / 1000)
        if age_ms < START_MS:
            parent, since_ns = self.model.traceparent, self._followed_ns
            _tracer.of_run(self.run, Span.FIRST_PLAYLIST, parent=parent, start_ns=since_ns).end()

    def _told(self, entries: tuple[Published, ...]) -> list[tuple[Entry, str]]:
        """Entries and their ids, without those that this version does not know; all are remembered."""
        self._ids.update((each.n, each.id) for each in entries)
        while len(self._ids) > IDS_KEPT:
            self._ids.popitem(last=False)
        told = [(each.entry, each.id) for each in entries if each.entry is not None]
        UNKNOWN_ENTRIES.inc(len(entries) - len(told))
        return told

    def _knows(self, cursor: Cursor) -> bool:
        return self._ids.get(cursor.n) == cursor.id

    def _wake(self, rung: str) -> None:
        self._waiters.pop(rung).set()
