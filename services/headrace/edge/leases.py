"""The sessions that this edge holds: control lends them, and they are renewed at a third of a lease's life.

Law: a session ends by control's word alone. Control that does not answer takes nothing away, however long it is gone;
once it is back it hears of every session, those too that its database does not know.
Neighbours: `session` holds one, `report` names all of them once a second.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from headrace.core.broadcast import Refused, SignedLease
from headrace.edge import metrics
from headrace.edge.statuses import refusal_of
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import HeldSession, SessionsClient

AT_ONCE = 100  # sessions in one question
LOOK_S = 1.0  # while nothing is held

_log = logger(__name__)
_unanswered = RateLimited(_log, "control does not renew this edge's sessions, which go on all the same", period_s=60.0)
_suspect = RateLimited(_log, "a session's transcoder has gone silent")


class Borrower(Protocol):
    """A session that is held."""

    @property
    def session_id(self) -> str:
        """Its name."""

    @property
    def held(self) -> HeldSession:
        """As control is told of it."""

    def idle_ms(self) -> int:
        """How long it has had no media."""

    def renew(self, lease: SignedLease) -> None:
        """Its lease token has not long to live, and this one longer."""

    def lose(self, refusal: Refused) -> None:
        """It is this edge's no more."""


class Leases:
    """What is held. `run` renews it."""

    def __init__(self, control: SessionsClient, pod: str) -> None:
        self._control = control
        self._pod = pod
        self._held: dict[Borrower, float] = {}

    @property
    def borrowers(self) -> Iterable[Borrower]:
        """All sessions that are held."""
        return self._held.keys()

    def hold(self, borrower: Borrower, lease_s: float) -> None:
        """A session was opened; renewed or not, control keeps it for `lease_s`."""
        self._held[borrower] = lease_s

    def drop(self, borrower: Borrower) -> None:
        """A session is over."""
        self._held.pop(borrower, None)

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await asyncio.sleep(min(self._held.values()) / 3 if self._held else LOOK_S)
            held = tuple(self._held)
            for first in range(0, len(held), AT_ONCE):
                await self._renew(held[first : first + AT_ONCE])

    async def _renew(self, borrowers: Sequence[Borrower]) -> None:
        try:
            verdicts = await self._control.renew(self._pod, [borrower.held for borrower in borrowers])
        except Refused as unanswered:
            metrics.RENEWALS.labels("unanswered").inc(len(borrowers))
            _unanswered({"sessions": len(self._held), "why": unanswered.description})
            return
        for borrower, verdict in zip(borrowers, verdicts, strict=True):
            if borrower not in self._held:
                continue  # it ended meanwhile
            if not verdict.held:
                metrics.RENEWALS.labels("lost").inc()
                borrower.lose(refusal_of(verdict))
                continue
            if verdict.lease is not None:
                borrower.renew(verdict.lease)
            if verdict.suspect:
                metrics.RENEWALS.labels("suspect").inc()
                _suspect({"run": borrower.held.run, "transcoder": borrower.held.transcoder})
            else:
                metrics.RENEWALS.labels("held").inc()
