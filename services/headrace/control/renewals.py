"""Renew: an edge names its sessions, and hears which of them are its no more.

Law: one statement where all is as it should be. What the database does not know is taken back from the edge, for it was
restored to an earlier day and the streams go on; whom it believes to publish in their place gives way, unless he really
does: an edge that makes sessions up takes no stream from one that is heard. Nothing is refused in doubt: then the whole
answer is that nobody knows.
Neighbours: `db.restoring` has the rows, `leases` says who is really there, `sessions` asks.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from headrace.control.db import Conflict, Database, Transaction
from headrace.control.decisions.placement import cost_of
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.leases import Leases
from headrace.control.model import Gone, LiveRun, RunState, Session, SessionState
from headrace.core.broadcast import Refused, SignedLease
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, logger
from headrace.wire.control import HeldSession, Verdict
from headrace.wire.lease import LeaseSigner
from headrace.wire.types import plan_to_bytes, source_to_bytes

MAX_STRANGERS = 10_000  # sessions of unknown streams that were told of once

_log = logger(__name__)
_back = RateLimited(_log, "a session that was lost is back", at_most=FOR_EACH)
_unknown = RateLimited(_log, "a session goes on whose stream nobody knows", at_most=FOR_EACH)
_early = RateLimited(_log, "an edge names a session that nobody knows, above one whose edge is there")
_restored = RateLimited(_log, "a session is taken back that the database had forgotten", at_most=FOR_EACH)


class Renewals:
    """Answers Renew; with `signer` also with lease tokens, where those of edges have not long to live."""

    def __init__(
        self, database: Database, fleet: Fleet, leases: Leases, endings: Endings, signer: LeaseSigner | None
    ) -> None:
        self._database = database
        self._fleet = fleet
        self._leases = leases
        self._endings = endings
        self._signer = signer
        self._strangers: set[str] = set()

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> list[Verdict]:
        """One verdict for each, in order. Raises Refused, DatabaseError, LogError: nothing is known then."""
        async with self._database.read() as tx:
            rows = await tx.runs.of_sessions([one.session_id for one in sessions], ended=True)
        known = {row.session.id: row for row in rows}
        suspects = self._fleet.suspects()
        verdicts = []
        for one in sessions:
            row = known.get(one.session_id)
            verdict = await (self._take_back(edge, one) if row is None else self._of(row))
            if verdict.held:
                self._fleet.hear_session(one.session_id)
                verdict = replace(
                    verdict, suspect=one.transcoder in suspects, lease=self._signed(row, one.lease_expires_ms)
                )
            verdicts.append(verdict)
        return verdicts

    def _signed(self, row: LiveRun | None, expires_ms: int) -> SignedLease | None:
        if row is None or self._signer is None:
            return None  # what was taken back just now is known when it is asked for next
        return self._signer.renew(row.id, row.session.number, row.session.id, expires_ms)

    async def _of(self, run: LiveRun) -> Verdict:
        session = run.session
        if run.stream_deleted:
            return _lost(session.id, Reason.BAD_KEY, "This stream was deleted.")
        if session.state in (SessionState.ACTIVE, SessionState.CLOSING):
            return Verdict(session.id, held=True)
        if session.state is SessionState.LOST and session.gone is Gone.SILENT:
            async with self._database.write() as tx:
                revived = await tx.runs.revive(run)
            if revived:
                _back({"run": run.id}, level=logging.INFO)
                return Verdict(session.id, held=True)
        return _over(session)

    async def _take_back(self, edge: str, one: HeldSession) -> Verdict:
        if one.session_id in self._strangers:
            return Verdict(one.session_id, held=True)
        async with self._database.read() as tx:
            stream = await tx.streams.get(one.stream)
            state = await tx.restoring.state(one.run)
        if stream is None:
            if len(self._strangers) < MAX_STRANGERS:
                self._strangers.add(one.session_id)
            _unknown({"stream": one.stream, "run": one.run})
            return Verdict(one.session_id, held=True)
        if state in (RunState.ABANDONED, RunState.ENDED):
            return _lost(one.session_id, Reason.UNAVAILABLE, "The broadcast was ended: please publish again.")
        if stream.live is not None:
            if _is_newer(one, stream.live) and self._leases.named(stream.live.session.id):
                # It ends once the log has fenced it; if it does not, `one` is nobody's, and is given nothing.
                _early({"run": one.run, "edge": edge})
                return Verdict(one.session_id, held=True)
            if not await self._gives_way(stream.live, one):
                return _taken(one.session_id)
        try:
            async with self._database.write() as tx:
                await _restore(tx, edge, one)
        except Conflict:
            async with self._database.read() as tx:
                again = await tx.runs.of_sessions([one.session_id], ended=True)
            return await self._of(again[0]) if again else _taken(one.session_id)
        _restored({"run": one.run})
        return Verdict(one.session_id, held=True)

    async def _gives_way(self, live: LiveRun, one: HeldSession) -> bool:
        """Whether the stream is the session's, now that what the database believes was looked at."""
        newer = _is_newer(one, live)
        if not newer and live.session.state is SessionState.ACTIVE:
            if not self._fleet.known:
                raise Refused(Reason.UNAVAILABLE, "The service has just started, ask again in a moment.")
            if not self._leases.surely_gone(live, unix_ms()):
                return False
        if live.id == one.run and not newer:
            return False  # another publisher had this number, or a higher one
        async with self._database.write() as tx:
            await tx.restoring.displace(live.session.id, unix_ms())
        if live.id != one.run:
            await self._endings.end(live.id)
        return True


def _is_newer(one: HeldSession, live: LiveRun) -> bool:
    return live.id == one.run and one.session > live.session.number


async def _restore(tx: Transaction, edge: str, one: HeldSession) -> None:
    plan, source = one.plan, one.source
    session = Session(one.session_id, one.run, one.session, SessionState.ACTIVE, edge, one.peer, unix_ms(), None)
    await tx.restoring.take_back(
        one.stream,
        session,
        plan=None if plan is None else plan_to_bytes(plan),
        source=None if source is None else source_to_bytes(source),
        anchor_ms=one.anchor_ms or None,
        cost=None if plan is None or source is None else cost_of(plan, source),
    )


def _over(session: Session) -> Verdict:
    if session.gone is Gone.TAKEN:
        return _taken(session.id)
    return _lost(session.id, Reason.UNAVAILABLE, "This session is over: please publish again.")


def _taken(session_id: str) -> Verdict:
    return _lost(session_id, Reason.BUSY, "Another publisher has taken this stream over.")


def _lost(session_id: str, reason: Reason, description: str) -> Verdict:
    return Verdict(session_id, held=False, reason=reason.value, description=description)
