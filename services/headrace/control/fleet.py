"""The pods, as they report themselves to this replica.

Law: soft state in memory, rebuilt by the reports of `silence_s`. Who is silent for that long is suspect: it gets
nothing new; after `FORGET_S` it is forgotten. A report costs next to nothing: it is kept, and what changed looked at.
Neighbours: `accounts` carries what changed into the database, `placing` asks for room, `leases` for who is heard.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from headrace.control.decisions.placement import Candidate
from headrace.control.decisions.rooms import Rooms
from headrace.control.model import Pod, PodState
from headrace.core.broadcast import RunId
from headrace.wire.control import PodKind, PodReport, SessionReport

FORGET_S = 60.0
MANY_DROPPED = 10_000  # runs that left their transcoders and were not accounted for yet: the next round finds the rest


class Heard:
    """A pod's last report and when it came, monotonic seconds."""

    __slots__ = ("report", "seen_s")

    def __init__(self, report: PodReport, seen_s: float) -> None:
        self.report = report
        self.seen_s = seen_s


class Fleet:
    """`clock` gives monotonic seconds."""

    def __init__(self, silence_s: float, clock: Callable[[], float]) -> None:
        self._silence_s = silence_s
        self._clock = clock
        self._started_s = clock()
        self._pods: dict[str, Heard] = {}
        self._named: dict[RunId, float] = {}  # when a transcoder last named it
        self._sessions: dict[str, tuple[SessionReport, float]] = {}
        self._held: dict[str, int] = {}  # by pod, as the database has it
        self.rooms = Rooms()
        self.unwritten: set[str] = set()  # transcoders whose rows are not as they say
        self.dropped: deque[tuple[str, RunId, float]] = deque(maxlen=MANY_DROPPED)  # pod, run, when it was last named
        self.news = asyncio.Event()  # for `accounts`: something changed
        self._room = asyncio.Event()

    # What pods say

    def report(self, report: PodReport) -> None:
        """A pod's word, which replaces its last one."""
        now_s = self._clock()
        heard = self._pods.get(report.pod)
        before = None
        if heard is None:
            heard = self._pods[report.pod] = Heard(report, now_s)
        else:
            before = heard.report
        before_s, heard.report, heard.seen_s = heard.seen_s, report, now_s
        if report.kind is PodKind.EDGE:
            for session in report.sessions:
                self._sessions[session.session_id] = (session, now_s)
        elif report.kind is PodKind.TRANSCODER:
            for run in report.runs:
                self._named[run] = now_s
            if before is not None and before.runs != report.runs:
                self._drop_runs(report.pod, set(before.runs) - set(report.runs), before_s)
            self._note_room(report, before)

    async def serve(self, reports: AsyncIterator[PodReport]) -> None:
        """One pod's reports to their end, which is its goodbye: the handler of `wire.control`'s Fleet.

        A pod that is lost instead is forgotten by its silence: it may be calling again already.
        """
        pod = None
        async for report in reports:
            pod = report.pod
            self.report(report)
        if pod is not None and (heard := self._pods.get(pod)) is not None:
            heard.seen_s = min(heard.seen_s, self._clock() - self._silence_s)
            self.rooms.drop(pod)

    # Who is there

    @property
    def known(self) -> bool:
        """Whether every living pod had the time to report since this process started."""
        return self._clock() - self._started_s >= self._silence_s

    def alive(self) -> Sequence[PodReport]:
        """The transcoders that have reported lately."""
        oldest_s = self._clock() - self._silence_s
        return [
            heard.report
            for heard in self._pods.values()
            if heard.seen_s > oldest_s and heard.report.kind is PodKind.TRANSCODER
        ]

    def fresh(self, pod: str) -> PodReport | None:
        """This pod's report, unless it is suspect."""
        heard = self._pods.get(pod)
        return heard.report if heard is not None and self._clock() - heard.seen_s < self._silence_s else None

    def target(self, pod: str) -> str:
        """Where this pod, which was heard, serves."""
        return self._pods[pod].report.target

    def suspects(self) -> set[str]:
        """The targets of transcoders that were heard once, and are silent now."""
        oldest_s = self._clock() - self._silence_s
        return {heard.report.target for heard in self._pods.values() if heard.seen_s <= oldest_s}

    @property
    def deaf(self) -> bool:
        """Whether no edge and no transcoder is heard at all: that says more of this replica than of them."""
        oldest_s = self._clock() - self._silence_s
        work = (PodKind.EDGE, PodKind.TRANSCODER)
        return not any(heard.seen_s > oldest_s and heard.report.kind in work for heard in self._pods.values())

    def silent(self, pods: Collection[str]) -> list[str]:
        """Those of the `pods` that this replica has not heard for as long as it remembers anybody."""
        now_s = self._clock()
        if now_s - self._started_s < FORGET_S:
            return []
        return [pod for pod in pods if (h := self._pods.get(pod)) is None or now_s - h.seen_s >= FORGET_S]

    def forget(self) -> None:
        """Let go of what is older than `FORGET_S`; to be asked now and then."""
        oldest_s = self._clock() - FORGET_S
        for pod in [pod for pod, heard in self._pods.items() if heard.seen_s < oldest_s]:
            del self._pods[pod]
            self.rooms.drop(pod)
            self.unwritten.discard(pod)
            self._held.pop(pod, None)
        self._named = {run: seen_s for run, seen_s in self._named.items() if seen_s >= oldest_s}
        self._sessions = {one: seen for one, seen in self._sessions.items() if seen[1] >= oldest_s}

    def zone(self, edge: str) -> str:
        """Where this edge is, if it said so."""
        heard = self._pods.get(edge)
        return "" if heard is None else heard.report.zone

    # Runs and sessions

    def named_s(self, run: RunId) -> float | None:
        """When a transcoder last named the run."""
        return self._named.get(run)

    def session(self, session_id: str) -> tuple[SessionReport, float] | None:
        """What an edge last said of the session, and when."""
        return self._sessions.get(session_id)

    def now_s(self) -> float:
        """The time by the clock of all that is heard."""
        return self._clock()

    def hear_session(self, session_id: str) -> None:
        """Its edge called: it is there. That says nothing of its media."""
        now_s = self._clock()
        said = self._sessions.get(session_id)
        idle_ms = 0 if said is None else said[0].idle_ms + round((now_s - said[1]) * 1000)
        self._sessions[session_id] = (SessionReport(session_id, idle_ms), now_s)

    def unhear_session(self, session_id: str) -> None:
        """It is over."""
        self._sessions.pop(session_id, None)

    # Room

    def rows(self, pods: Collection[str]) -> list[Pod]:
        """These transcoders as their rows should say, those that are not suspect."""
        return [row_of(report) for pod in pods if (report := self.fresh(pod)) is not None]

    def hold(self, pod: str, held: int) -> None:
        """This is held on the pod, as far as anybody knows now, pixels/s."""
        if self._held.get(pod) == held:
            return
        more = held < self._held.get(pod, 0)
        self._held[pod] = held
        if (candidate := self.rooms.get(pod)) is not None:
            self.rooms.put(replace(candidate, held=held))
            if more:
                self._room.set()

    def held(self, pod: str) -> int:
        """The same."""
        return self._held.get(pod, 0)

    def candidates(self, cost: int, zone: str, but: Collection[str] = ()) -> list[Candidate]:
        """As `Rooms.candidates`; what fell silent is not among them."""
        while True:
            found = self.rooms.candidates(cost, zone, but)
            silent = [one.pod for one in found if self.fresh(one.pod) is None]
            if not silent:
                return found
            for pod in silent:
                self.rooms.drop(pod)

    async def more_room(self, timeout_s: float) -> bool:
        """Wait until some transcoder may have more room than before; False after `timeout_s`."""
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await self._room.wait()
        return False

    def _note_room(self, report: PodReport, before: PodReport | None) -> None:
        known = self.rooms.get(report.pod)
        if report.ready:
            if known is None or before is None or before.used != report.used or _told(before) != _told(report):
                held = self._held.get(report.pod, 0)
                candidate = Candidate(
                    report.pod, report.target, report.zone, report.version, report.capacity, report.used, held
                )
                self.rooms.put(candidate)
                if known is None or candidate.free > known.free:
                    self._room.set()
        elif known is not None:
            self.rooms.drop(report.pod)
        if before is None or _told(before) != _told(report):
            self.unwritten.add(report.pod)
            self.news.set()

    def _drop_runs(self, pod: str, runs: set[RunId], named_s: float) -> None:
        if runs:
            self.dropped.extend((pod, run, named_s) for run in runs)
            self.news.set()


def row_of(report: PodReport) -> Pod:
    """A transcoder's row by what it says."""
    state = PodState.READY if report.ready else PodState.DRAINING
    return Pod(report.pod, report.target, report.zone, report.version, state, report.capacity)


def _told(report: PodReport) -> tuple[object, ...]:
    """What its row is made of."""
    return report.target, report.zone, report.version, report.ready, report.capacity
