"""Allocate: the plan, made once per run, and the transcoder that the described source goes to.

Law: what was reserved at the profile's most is corrected to what the plan costs before anybody is told of it. A source
that could not go on in the same run ends it.
Neighbours: `sessions` asks, `placing` finds another transcoder where the reserved one cannot have it.
"""

from headrace.control.db import Conflict, DatabaseError, Transaction
from headrace.control.decisions.joining import same_for_decoders
from headrace.control.decisions.placement import Candidate, cost_of
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.keys import new_session_id
from headrace.control.model import Allocation, Asked, HoldState, Planned, SessionState
from headrace.control.placing import Placing
from headrace.control.turns import Turns
from headrace.core.broadcast import Plan, Refused, Source, make_plan
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Entries, LogError
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import Allocated
from headrace.wire.types import plan_from_bytes, plan_to_bytes, source_from_bytes, source_to_bytes

LOOKS = 5  # each means that the run changed under our eyes


class NoRoom(Exception):
    """What was reserved cannot grow to what is needed."""


class Allocating:
    """Answers Allocate."""

    def __init__(self, database: Turns, log: Entries, fleet: Fleet, placing: Placing, endings: Endings) -> None:
        self._database = database
        self._log = log
        self._fleet = fleet
        self._placing = placing
        self._endings = endings

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """Raises Refused: unavailable, bad_source, no_capacity."""
        if source.video.frame_rate <= 0 or source.video.width <= 0 or source.video.height <= 0:
            raise Refused(Reason.BAD_SOURCE, "The video's size and frame rate must be known.")
        try:
            for _ in range(LOOKS):
                async with self._database.write() as tx:
                    asked = _still_there(await tx.starts.asked(session_id))
                    known = settled = None
                    if asked.plan is None:
                        known = _planned(make_plan(asked.profile, source), source, anchor_ms)
                        settled = await self._plan(tx, asked, known)
                if known is not None and settled is None:
                    continue  # it ended, or somebody else planned it
                allocated = await self._answered(asked, known, source, settled=bool(settled))
                await self._log.set_current(asked.run.stream, asked.run.id)
                return allocated
        except (DatabaseError, LogError) as error:
            raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.") from error
        raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.")

    async def _plan(self, tx: Transaction, asked: Asked, known: Planned) -> bool | None:
        """Whether the reservation is settled with the plan; None: the plan is not stored."""
        usable = self._usable(asked)
        if usable is not None and usable.state is HoldState.RESERVED and known.cost <= usable.cost:
            planned, settled = await tx.starts.plan(usable, known, unix_ms())
            return settled if planned else None
        return False if await tx.runs.set_plan(asked.run.id, known) else None

    async def _answered(self, asked: Asked, known: Planned | None, source: Source, *, settled: bool) -> Allocated:
        stored = asked.plan if known is None else known.plan
        if stored is None:
            raise AssertionError("a run has its plan by now")
        plan = plan_from_bytes(stored)
        if known is None and asked.run.session.returned and not _goes_on(asked, source):
            await self._endings.end(asked.run.id, asked.run.last_session)
            words = "The picture or sound is configured differently from before: please publish again."
            raise Refused(Reason.BAD_SOURCE, words)
        cost = cost_of(plan, source)
        zone = self._fleet.zone(asked.run.session.edge)
        usable = self._usable(asked)
        if usable is not None and settled:
            self._fleet.hold(usable.pod, self._fleet.held(usable.pod) + cost - usable.cost)
        if usable is not None and (settled or await self._grown(usable, cost)):
            pod, target = usable.pod, self._fleet.target(usable.pod)
        else:
            chosen = await self._place(asked, cost, zone)
            pod, target = chosen.pod, chosen.target
        return Allocated(plan, (target, *self._placing.standbys(cost, zone, pod)))

    def _usable(self, asked: Asked) -> Allocation | None:
        """What is held for the session, where that transcoder takes new work still."""
        held = asked.allocation
        report = None if held is None else self._fleet.fresh(held.pod)
        return held if report is not None and report.ready else None

    async def _grown(self, held: Allocation, cost: int) -> bool:
        try:
            async with self._database.write() as tx:
                if not await tx.holds.settle(held, cost, unix_ms()):
                    raise NoRoom
        except NoRoom:
            return False
        self._fleet.hold(held.pod, self._fleet.held(held.pod) + cost - held.cost)
        return True

    async def _place(self, asked: Asked, cost: int, zone: str) -> Candidate:
        """Another transcoder than the reserved one, which nobody was told of."""
        before = asked.allocation
        if before is not None and before.state is HoldState.RESERVED:
            async with self._database.write() as tx:
                await tx.holds.release_reserved(asked.run.session.id)
            self._fleet.hold(before.pod, self._fleet.held(before.pod) - before.cost)

        async def take(candidate: Candidate, cost: int) -> bool:
            run, session = asked.run.id, asked.run.session.id
            allocation = Allocation(new_session_id(), run, session, candidate.pod, cost, HoldState.HELD, unix_ms())
            try:
                async with self._database.write() as tx:
                    return await tx.holds.hold(allocation)
            except Conflict:
                return False  # it works on this run still, for the session before

        return await self._placing.place(cost, zone, take, shrink=False)


def _still_there(asked: Asked | None) -> Asked:
    if asked is None or asked.run.session.state is not SessionState.ACTIVE:
        raise Refused(Reason.UNAVAILABLE, "This session is over.")
    if asked.run.stream_deleted:
        raise Refused(Reason.BAD_KEY, "This stream was deleted.")
    return asked


def _planned(plan: Plan, source: Source, anchor_ms: int) -> Planned:
    return Planned(plan_to_bytes(plan), source_to_bytes(source), anchor_ms, cost_of(plan, source))


def _goes_on(asked: Asked, source: Source) -> bool:
    return asked.source is None or same_for_decoders(source, source_from_bytes(asked.source))
