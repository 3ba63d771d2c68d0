"""Who is still there: leases, kept in memory by what this replica hears.

Law: a session lives while an edge names it, to whichever replica, or a transcoder names its run: an edge that cannot
reach control while its media flows loses nothing. It is lost once it was silent everywhere for the length of its lease.
A replica blames nobody before it has listened for that long itself, nor while it hears nobody at all, and marks a
session first: whoever hears of it takes the mark away.
Neighbours: `fleet` hears, `endings` sweeps, `renewals` is what edges ask.
"""

from collections.abc import Callable, Sequence

from headrace.control import metrics
from headrace.control.db import Database
from headrace.control.fleet import Fleet
from headrace.control.model import Active, Gone, LiveRun, SessionState
from headrace.core.broadcast import RunId
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, logger

OBJECT_S = 3.0  # how long a mark stands before it counts: three sweeps of everybody else

_vanished = RateLimited(logger(__name__), "a session is lost: nobody has heard of it", at_most=FOR_EACH)


class Leases:
    """`lease_s`: a lease's length; `silence_s`: the longest time between two words of somebody who is there."""

    def __init__(
        self, lease_s: float, silence_s: float, database: Database, fleet: Fleet, clock: Callable[[], float]
    ) -> None:
        self._lease_s = lease_s
        self._silence_s = silence_s
        self._database = database
        self._fleet = fleet
        self._clock = clock
        self._listening_s = self._swept_s = clock()
        self._first_s: dict[str, float] = {}  # since when this replica knows of a session
        self._marked_s: dict[str, float] = {}  # since when it sees the mark

    def heard(self, session_id: str, run: RunId) -> bool:
        """Whether the session, or its run, was named just now."""
        heard_s = self._heard_s(session_id, run)
        return heard_s is not None and self._clock() - heard_s < self._silence_s

    def named(self, session_id: str) -> bool:
        """Whether its edge named the session just now."""
        session = self._fleet.session(session_id)
        return session is not None and self._clock() - session[1] < self._silence_s

    def surely_gone(self, run: LiveRun, now_ms: int) -> bool:
        """Whether this replica has listened for long enough and hears nothing of it, or of its transcoder."""
        young = now_ms - run.session.opened_ms < self._silence_s * 1000
        return (
            not young
            and not self.heard(run.session.id, run.id)
            and self._clock() - self._listening_s >= self._silence_s
        )

    async def sweep(self, sessions: Sequence[Active]) -> None:
        """Mark those of all active `sessions` that are silent, and lose those that were so for a lease.

        To be asked each second. Raises DatabaseError.
        """
        now_s = self._clock()
        if now_s - self._swept_s > self._silence_s or self._fleet.deaf:
            # This process stood still, or is cut off, and heard nobody: that says nothing about them.
            self._listening_s = now_s
            self._first_s.clear()
            self._marked_s.clear()
        self._swept_s = now_s
        active = {one.session_id: one.run for one in sessions}
        self._first_s = {one: self._first_s.get(one, now_s) for one in active}
        self._marked_s = {one: self._marked_s.get(one, now_s) for one, _, silent in sessions if silent}
        silent = {one for one, run in active.items() if self._silent_s(one, run) >= self._lease_s - OBJECT_S}
        new = sorted(silent - self._marked_s.keys())
        back = sorted(one for one in self._marked_s if self.heard(one, active[one]))
        lost = sorted(
            one
            for one in silent & self._marked_s.keys()
            if now_s - self._marked_s[one] >= OBJECT_S and self._silent_s(one, active[one]) > self._lease_s
        )
        if new or back:
            async with self._database.write() as tx:
                if new:
                    await tx.runs.mark_silent(new, unix_ms())
                if back:
                    await tx.runs.mark_silent(back, None)
        for one in lost:
            await self._lose(one, active[one])

    async def _lose(self, one: str, run: RunId) -> None:
        async with self._database.write() as tx:
            lost = await tx.runs.move_session(
                one, [SessionState.ACTIVE], SessionState.LOST, unix_ms(), Gone.SILENT, silent=True
            )
            if lost:
                await tx.holds.release_reserved(one)
        if lost:
            metrics.SESSIONS_VANISHED.inc()
            _vanished({"run": run})

    def _heard_s(self, session_id: str, run: RunId) -> float | None:
        """When its edge or its transcoder was heard last."""
        session, named_s = self._fleet.session(session_id), self._fleet.named_s(run)
        heard = [at_s for at_s in (None if session is None else session[1], named_s) if at_s is not None]
        return max(heard, default=None)

    def _silent_s(self, session_id: str, run: RunId) -> float:
        known_s = max(self._listening_s, self._first_s[session_id])
        heard_s = self._heard_s(session_id, run)
        return self._clock() - (known_s if heard_s is None else max(known_s, heard_s))
