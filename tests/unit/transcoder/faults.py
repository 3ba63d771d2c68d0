"""A log in memory that fails as a log elsewhere does, and a reader that remembers all that it was ever shown.

Law: a call may be refused before it is done or after, its answer lost; what no wait confirmed may be rolled back, the
fence included, with or without anybody being told; everything may be forgotten.
"""

import copy
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import TypeVar

from headrace.core.broadcast import Claim, Gap, Part, RunId
from headrace.livelog.base import Append, Cursor, Published, Staged, Taken, Unreachable
from headrace.livelog.held import HeldRun
from headrace.livelog.memory import MemoryLog

T = TypeVar("T")


class Fault(Enum):
    """What a call meets."""

    NONE = auto()
    BEFORE = auto()
    """It is not done, and Unreachable."""
    AFTER = auto()
    """It is done, and Unreachable."""
    ROLLED_BACK = auto()
    """A failover: what no wait confirmed is gone, and Unreachable."""
    SILENT_ROLLBACK = auto()
    """The same, and the call goes on as if nothing had been, but for a wait."""
    EMPTIED = auto()
    """Everything is gone, and Unreachable."""
    SILENTLY_EMPTIED = auto()
    """Everything is gone, and the call goes on."""
    UNDURABLE = auto()
    """A wait in vain."""


class FaultyLog(MemoryLog):
    """`faults` are met by one call each; then nothing fails any more."""

    def __init__(self, faults: Iterator[Fault]) -> None:
        super().__init__()
        self.faults = faults
        self.viewers: list[Viewer] = []
        self.durable: HeldRun | None = None
        self.takes: dict[str, int] = {}
        self.met: list[tuple[str, Fault]] = []

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        last = self.takes.get(claim.writer, 0)
        assert claim.take > last or (open_new and claim.take == last), "each takeover has a higher take"
        self.takes[claim.writer] = claim.take
        after = self._meet(run, "takeover")
        return after(await super().takeover(run, claim, floor, open_new=open_new))

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        after = self._meet(run, "stage")
        return after(await super().stage(run, claim, n, *appends))

    async def wait(self, run: RunId) -> bool:
        after = self._meet(run, "wait")
        if self.met[-1][1] is Fault.UNDURABLE:
            return False
        if self.met[-1][1] is Fault.SILENT_ROLLBACK:
            raise Unreachable("a server that others follow does not lose what they have")
        if run in self._runs:
            self.durable = copy.deepcopy(self._runs[run])
        return after(True)

    async def publish(self, run: RunId, claim: Claim, n: int) -> None:
        after = self._meet(run, "publish")
        await super().publish(run, claim, n)
        for viewer in self.viewers:
            viewer.look(self._runs[run])
        after(None)

    def lose_all(self, run: RunId) -> None:
        """A primary that restarts empty."""
        self._runs.pop(run, None)
        self.durable = None
        for viewer in self.viewers:
            viewer.forget()

    def roll_back(self, run: RunId) -> None:
        """A failover to a replica."""
        if self.durable is None:
            self._runs.pop(run, None)
        elif run in self._runs:
            self._runs[run] = copy.deepcopy(self.durable)

    def _meet(self, run: RunId, call: str) -> Callable[[T], T]:
        fault = next(self.faults, Fault.NONE)
        self.met.append((call, fault))
        if fault in (Fault.ROLLED_BACK, Fault.SILENT_ROLLBACK):
            self.roll_back(run)
        if fault in (Fault.EMPTIED, Fault.SILENTLY_EMPTIED):
            self.lose_all(run)
        if fault in (Fault.BEFORE, Fault.ROLLED_BACK, Fault.EMPTIED):
            raise Unreachable(fault.name)

        def after(answer: T) -> T:
            if fault is Fault.AFTER:
                raise Unreachable(fault.name)
            return answer

        return after


class Viewer:
    """Keeps every entry that it was shown, by the log in which it was."""

    def __init__(self) -> None:
        self.logs: list[list[Published]] = [[]]
        self._may_differ = False

    def look(self, held: HeldRun) -> None:
        """Follow, as an origin does."""
        reading = held.read(Cursor(0, "")).entries
        if any(one.id != known.id for one, known in zip(reading, self.logs[-1], strict=False)):
            assert self._may_differ, "an integer has had two entries"
            self.logs.append([])
            self._may_differ = False
        known = self.logs[-1]
        for one in reading:
            if one.n > len(known):
                assert one.n == len(known) + 1
                known.append(one)

    def forget(self) -> None:
        """The log may be another one from now on."""
        self._may_differ = True

    def rung(self, name: str) -> list[list[Part | Gap]]:
        """What was shown of a rung, by log."""
        return [
            [one.entry for one in log if isinstance(one.entry, Part | Gap) and one.entry.rung == name]
            for log in self.logs
        ]
