"""What edges ask: may this publisher go on air, where does its media go, is it still ours, it is gone.

Law: any replica answers any question about any session: all that an answer needs is in the database, in the reports
that every replica hears, or in the question. A refusal is `Refused` with a sentence for the encoder's user.
Neighbours: `service` serves it; `opening`, `allocating` and `renewals` answer, `endings` ends runs.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from headrace.control import metrics
from headrace.control.accounts import Accounts
from headrace.control.allocating import Allocating
from headrace.control.cells import CellChoice
from headrace.control.db import Database, DatabaseError
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.leases import Leases
from headrace.control.model import Gone, SessionState
from headrace.control.opening import Opening
from headrace.control.placing import Placing
from headrace.control.renewals import Renewals
from headrace.control.settings import ControlSettings
from headrace.control.turns import Turns
from headrace.core.broadcast import Refused, Source, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Entries, LogError
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, learn, logger
from headrace.runtime.telemetry.traces import Span, Tracer
from headrace.wire.control import Allocated, HeldSession, OpenedSession, ReleaseReason, Verdict
from headrace.wire.lease import LeaseSigner

APP = "live"

_log = logger(__name__)
_opened = RateLimited(_log, "session opened", at_most=FOR_EACH)
_released = RateLimited(_log, "session released", at_most=FOR_EACH)
_unended = RateLimited(_log, "a run could not be ended, another try follows")
_tracer = Tracer("control")
_refused = {reason: RateLimited(_log, "publish refused") for reason in Reason}  # who guesses keys hides no other one


class _Queue(Protocol):
    @property
    def waiting(self) -> int:
        """How many wait in it."""


class Sessions:
    """What edges ask: the handler of `wire.control`'s Sessions. Its reasons of release are values of `SessionState`.

    Whatever way a session is opened, its edge gets a lease token, if there is a `signer`.
    """

    def __init__(
        self,
        settings: ControlSettings,
        database: Database,
        log: Entries,
        fleet: Fleet,
        accounts: Accounts,
        leases: Leases,
        endings: Endings,
        signer: LeaseSigner | None = None,
    ) -> None:
        turns = Turns(database, settings.database_connections, settings.queue_length, settings.queue_wait_s)
        placing = Placing(settings, fleet, accounts)
        self._database = database
        self._fleet = fleet
        self._endings = endings
        self._allocating = Allocating(settings, turns, log, fleet, placing, endings)
        cells = CellChoice(log, fleet.now_s)
        remember = self._allocating.remember
        self._opening = Opening(settings, turns, fleet, leases, placing, endings, cells, remember)
        queues: dict[str, _Queue] = {
            "open": self._opening,
            "allocate": self._allocating,
            "database": turns,
            "room": placing,
        }
        for name, queue in queues.items():
            metrics.WAITING.labels(name).set_function(partial(_waiting, queue))
        metrics.WAITING_LIMIT.set(settings.queue_length)
        self._renewals = Renewals(database, fleet, leases, endings, signer)
        self._signer = signer

    async def run(self) -> None:
        """Answer, until cancelled."""
        async with task_group() as group:
            group.create_task(self._opening.run())
            group.create_task(self._allocating.run())

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        """Accept a publish. Raises Refused: unknown_app, bad_key, busy, no_capacity, unavailable."""
        try:
            with _tracer.arrival(Span.CONTROL_OPEN) as span:
                if app != APP:
                    # Without its name: encoders that are set up wrongly send the stream key in it.
                    raise Refused(Reason.UNKNOWN_APP, f"There is no such application here: use {APP!r}.")
                accepted = await self._opening.open(key, edge, peer, session_id)
                span.join(accepted.run, stream=accepted.stream, session=accepted.session)
        except Refused as refused:
            metrics.SESSIONS_REFUSED.labels(refused.reason.value).inc()
            _refused[refused.reason]({"reason": refused.reason.value, "peer": peer})
            raise
        learn(stream=accepted.stream, run=accepted.run, session=accepted.session)
        metrics.SESSIONS_OPENED.inc()
        self._fleet.hear_session(session_id)
        _opened({"peer": peer}, level=logging.INFO)
        if self._signer is None:
            return accepted
        return replace(accepted, lease=self._signer.sign(accepted.run, accepted.session, accepted.session_id))

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """Plan the run, the first time, and name its transcoder, each time.

        From here on `hls_url` answers this run: not before, since a publish whose source nobody can describe must not
        hide the run that viewers still watch. Raises Refused: unavailable, bad_source, no_capacity.
        """
        try:
            with _tracer.answer(Span.CONTROL_ALLOCATE):
                allocated = await self._allocating.allocate(session_id, source, anchor_ms)
        except Refused as refused:
            metrics.SESSIONS_REFUSED.labels(refused.reason.value).inc()
            _refused[refused.reason]({"reason": refused.reason.value, "session_id": f"{session_id[:8]}…"})
            raise
        self._fleet.hear_session(session_id)
        return allocated

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        """Which of an edge's sessions are still its own. Raises Refused: unavailable, then nothing is known."""
        try:
            return await self._renewals.renew(edge, sessions)
        except (DatabaseError, LogError) as error:
            raise Refused(Reason.UNAVAILABLE, "The service is not available, ask again in a moment.") from error

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        """The publisher is gone; a session that is unknown or was released before is no error.

        What the log refuses now is ended by the next sweep. Raises DatabaseError.
        """
        # A failure has nothing to wait for; everything else is closing until its media is in the log.
        final = flushed or reason is ReleaseReason.FAILED
        state = SessionState(reason.value) if final else SessionState.CLOSING
        async with self._database.write() as tx:
            run = await tx.ends.leave(session_id, state, unix_ms(), Gone(reason.value))
        if run is None:
            return
        _released({"run": run, "reason": reason.value, "flushed": flushed}, level=logging.INFO)
        if state in (SessionState.ENDED, SessionState.FAILED):
            self._fleet.unhear_session(session_id)
            try:
                await self._endings.end(run)
            except LogError as error:
                _unended({"run": run}, error=error)


def _waiting(queue: _Queue) -> int:
    return queue.waiting
