"""Allocate: the plan, made once per run, and the transcoder that the described source goes to.

Law: what was reserved at the profile's most is corrected to what the plan costs before anybody is told of it. A source
that could not go on in the same run ends it.
Neighbours: `sessions` asks, `placing` finds another transcoder where the reserved one cannot have it.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from headrace.control.batches import Batches
from headrace.control.db import Conflict, DatabaseError
from headrace.control.db.holds_start import Settle
from headrace.control.decisions.joining import same_for_decoders
from headrace.control.decisions.placement import Candidate, cost_of
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.keys import new_session_id
from headrace.control.model import Allocation, Asked, HoldState, Planned, SessionState
from headrace.control.placing import Placing
from headrace.control.settings import ControlSettings
from headrace.control.turns import Turns
from headrace.core.broadcast import Plan, Refused, RunId, Source, make_plan
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Entries, LogError
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import Allocated
from headrace.wire.types import plan_from_bytes, plan_to_bytes, source_from_bytes, source_to_bytes

LOOKS = 5  # each means that the run changed under our eyes
REMEMBERED = 10_000  # sessions that were opened here and not described yet; what is forgotten is asked for


class NoRoom(Exception):
    """What was reserved cannot grow to what is needed."""


@dataclass(frozen=True, slots=True)
class Described:
    """A session's source; `anchor_ms` is Unix time at timeline 0."""

    session_id: str
    source: Source
    anchor_ms: int


@dataclass(frozen=True, slots=True)
class Made:
    """A plan that was made just now, and as it is stored."""

    plan: Plan
    planned: Planned


@dataclass(frozen=True, slots=True)
class Planning:
    """What became of it: the session as it was, if there is one, and what was planned now, where it had no plan."""

    asked: Asked | None
    made: Made | None = None
    stored: bool = False
    settled: bool = False  # the reservation costs what the plan costs, and somebody is told where it is
    told: bool = False  # so is the log

    @property
    def again(self) -> bool:
        """Whether somebody else planned the run, or ended it."""
        return self.made is not None and not self.stored


class Allocating:
    """Answers Allocate, while `run` runs."""

    def __init__(
        self,
        settings: ControlSettings,
        database: Turns,
        log: Entries,
        fleet: Fleet,
        placing: Placing,
        endings: Endings,
    ) -> None:
        self._database = database
        self._log = log
        self._fleet = fleet
        self._placing = placing
        self._endings = endings
        self._plans = Batches(self._plan, settings.queue_length, settings.queue_wait_s)
        self._just_opened: OrderedDict[str, Asked] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many sessions that ask for a transcoder wait for their answer to be looked for."""
        return self._plans.waiting

    async def run(self) -> None:
        """Until cancelled."""
        await self._plans.run()

    def remember(self, opened: Asked) -> None:
        """This session was opened just now: so it is in the database, unless something happens to it."""
        self._just_opened[opened.run.session.id] = opened
        if len(self._just_opened) > REMEMBERED:
            self._just_opened.popitem(last=False)

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """Raises Refused: unavailable, bad_source, no_capacity."""
        if source.video.frame_rate <= 0 or source.video.width <= 0 or source.video.height <= 0:
            raise Refused(Reason.BAD_SOURCE, "The video's size and frame rate must be known.")
        try:
            for _ in range(LOOKS):
                planning = await self._plans.ask(Described(session_id, source, anchor_ms))
                asked = _still_there(planning.asked)
                if planning.again:
                    continue
                allocated = await self._answered(asked, planning.made, source, settled=planning.settled)
                if not planning.told:
                    await self._log.set_current({asked.run.stream: asked.run.id})
                return allocated
        except (DatabaseError, LogError) as error:
            raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.") from error
        raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.")

    async def _plan(self, described: Sequence[Described]) -> Sequence[Planning]:
        """Make the plans that are missing, and settle what was reserved. Raises DatabaseError."""
        by_session = {one.session_id: one for one in described}
        made: dict[RunId, Made] = {}
        settles: list[Settle] = []
        stored: dict[RunId, bool] = {}
        found = {name: self._just_opened.pop(name) for name in by_session.keys() & self._just_opened.keys()}
        for name, asked in list(found.items()):
            if not self._plan_reserved(asked, by_session[name], made, settles):
                del found[name]
        async with self._database.write() as tx:
            if unknown := by_session.keys() - found.keys():
                known = await tx.starts.asked(sorted(unknown))
                for name, asked in known.items():
                    if asked.plan is not None or not _goes_on_air(asked):
                        continue
                    reserved = self._plan_reserved(asked, by_session[name], made, settles)
                    if not reserved and await tx.runs.set_plan(asked.run.id, made[asked.run.id].planned):
                        stored[asked.run.id] = False
                found |= known
            if settles:
                stored |= await tx.starts.settle(settles, unix_ms())
        # What is settled cannot be refused any more.
        newest = {one.run.stream: one.run.id for one in found.values() if stored.get(one.run.id)}
        told = False
        if newest:
            with suppress(LogError):  # a cell may be away: then each tells of its own run
                await self._log.set_current(newest)
                told = True
        return [_planning(found.get(one.session_id), made, stored, told=told) for one in described]

    def _plan_reserved(
        self, asked: Asked, described: Described, made: dict[RunId, Made], settles: list[Settle]
    ) -> bool:
        """Make its plan; whether what is reserved will do."""
        plan = make_plan(asked.profile, described.source)
        one = made[asked.run.id] = Made(plan, _planned(plan, described))
        usable = self._usable(asked)
        if usable is None or usable.state is not HoldState.RESERVED or one.planned.cost > usable.cost:
            return False
        settles.append(Settle(usable, one.planned))
        return True

    async def _answered(self, asked: Asked, made: Made | None, source: Source, *, settled: bool) -> Allocated:
        if made is not None:
            plan, cost = made.plan, made.planned.cost
        elif asked.plan is not None:
            plan = plan_from_bytes(asked.plan)
            cost = cost_of(plan, source)
        else:
            raise AssertionError("a run has its plan by now")
        if made is None and asked.run.session.returned and not _goes_on(asked, source):
            await self._endings.end(asked.run.id, asked.run.last_session)
            words = "The picture or sound is configured differently from before: please publish again."
            raise Refused(Reason.BAD_SOURCE, words)
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


def _planning(asked: Asked | None, made: Mapping[RunId, Made], stored: Mapping[RunId, bool], *, told: bool) -> Planning:
    run = None if asked is None else asked.run.id
    if run is None or run not in made:
        return Planning(asked)
    settled = stored.get(run, False)
    return Planning(asked, made[run], run in stored, settled, settled and told)


def _goes_on_air(asked: Asked) -> bool:
    return asked.run.session.state is SessionState.ACTIVE and not asked.run.stream_deleted


def _still_there(asked: Asked | None) -> Asked:
    if asked is None or asked.run.session.state is not SessionState.ACTIVE:
        raise Refused(Reason.UNAVAILABLE, "This session is over.")
    if asked.run.stream_deleted:
        raise Refused(Reason.BAD_KEY, "This stream was deleted.")
    return asked


def _planned(plan: Plan, described: Described) -> Planned:
    source = described.source
    return Planned(plan_to_bytes(plan), source_to_bytes(source), described.anchor_ms, cost_of(plan, source))


def _goes_on(asked: Asked, source: Source) -> bool:
    return asked.source is None or same_for_decoders(source, source_from_bytes(asked.source))
