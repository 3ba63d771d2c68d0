"""The transcoders, as they report themselves.

Law: soft state in memory; who is silent for `silence_s` is forgotten, and after a restart the reports of as many
seconds rebuild everything. A promise to place a run counts until the transcoder reports the run itself, or `HOLD_S`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from headrace.control.decisions.placement import Candidate, choose_transcoders
from headrace.core.broadcast import RunId
from headrace.wire.control import PodReport

HOLD_S = 10.0  # an edge dials at once; what has not begun by then was never dialled


@dataclass(frozen=True, slots=True)
class _Hold:
    pod: str
    cost: int
    until_s: float


class Fleet:
    """`clock` gives monotonic seconds."""

    def __init__(self, silence_s: float, clock: Callable[[], float]) -> None:
        self._silence_s = silence_s
        self._clock = clock
        self._started_s = clock()
        self._reports: dict[str, tuple[PodReport, float]] = {}
        self._holds: dict[RunId, _Hold] = {}
        self._named_s: dict[RunId, float] = {}  # when a run was last reported; ahead while it may be on its way
        self._asked_s = self._started_s
        self._reported = asyncio.Event()

    def report(self, report: PodReport) -> None:
        """A pod's word, which replaces its last one."""
        self._reports[report.pod] = (report, self._clock())
        self._reported.set()
        for run in report.runs:
            self._holds.pop(run, None)
            self._named_s[run] = self._clock()

    async def serve(self, reports: AsyncIterator[PodReport]) -> None:
        """One pod's reports to their end, which is its goodbye: the handler of `wire.control`'s Fleet.

        A pod that is lost instead is forgotten by its silence: it may be calling again already.
        """
        pod = None
        async for report in reports:
            pod = report.pod
            self.report(report)
        if pod is not None:
            self._reports.pop(pod, None)

    def alive(self) -> Sequence[PodReport]:
        """Who has reported lately."""
        oldest_s = self._clock() - self._silence_s
        self._reports = {pod: seen for pod, seen in self._reports.items() if seen[1] > oldest_s}
        return [report for report, _ in self._reports.values()]

    @property
    def known(self) -> bool:
        """Whether every living transcoder had the time to report since this process started."""
        return bool(self._reports) or self._clock() - self._started_s >= self._silence_s

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until any transcoder takes new work, or for `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not any(report.ready for report in self.alive()):
                    self._reported.clear()
                    await self._reported.wait()

    def place(self, run: RunId, cost: int) -> tuple[str, ...]:
        """Targets for `run`: the first holds `cost` (pixels/s) from now on, the others are standbys. Empty: no room."""
        now_s = self._clock()
        self._holds = {r: h for r, h in self._holds.items() if h.until_s > now_s and r != run}
        chosen = choose_transcoders([self._candidate(report) for report in self.alive()], cost)
        self._named_s[run] = now_s + HOLD_S
        if chosen:
            self._holds[run] = _Hold(chosen[0].pod, cost, now_s + HOLD_S)
        return tuple(candidate.target for candidate in chosen)

    def missing(self, live: Iterable[RunId], for_s: float) -> frozenset[RunId]:
        """Those of the `live` runs that no transcoder has reported for `for_s`. To be asked more often than that.

        The time of a run that this process hears of for the first time begins now.
        """
        now_s = self._clock()
        if now_s - self._asked_s > self._silence_s:
            self._named_s.clear()  # this process stood still and heard nobody: that says nothing about them
        self._asked_s = now_s
        self._named_s = {run: self._named_s.get(run, now_s) for run in live}
        if not self.known:
            return frozenset()
        return frozenset(run for run, named_s in self._named_s.items() if now_s - named_s > for_s)

    def release(self, run: RunId) -> None:
        """The run is over or will not begin: nothing is held for it."""
        self._holds.pop(run, None)

    def _candidate(self, report: PodReport) -> Candidate:
        held = sum(hold.cost for hold in self._holds.values() if hold.pod == report.pod)
        return Candidate(report.pod, report.target, report.ready, report.capacity, report.used, held)
