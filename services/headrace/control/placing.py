"""Finding a transcoder and taking room on it.

Law: those for whom there is no room wait for some, so many and so long: what waits longer is refused in words. One of
several equally good transcoders is picked at random, and whether it has the room says its row alone; no row, the next.
Nobody is refused while a transcoder has room that fits.
Neighbours: `decisions.rooms` ranks, `fleet` remembers, `db.holds` takes.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from headrace.control.accounts import Accounts
from headrace.control.decisions.placement import STANDBYS, Candidate
from headrace.control.fleet import Fleet
from headrace.control.model import Allocation
from headrace.control.settings import ControlSettings
from headrace.control.turns import too_many
from headrace.core.broadcast import Refused
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.aio.clock import monotonic_s

LOOK_AGAIN_S = 0.25

Take = Callable[[Candidate, int], Awaitable[bool]]
"""Take this much of the candidate's room in the database; False: it has not got it."""


class Placing:
    """Places runs."""

    def __init__(self, settings: ControlSettings, fleet: Fleet, accounts: Accounts) -> None:
        self._length = settings.queue_length
        self._wait_s = settings.queue_wait_s
        self._fleet = fleet
        self._accounts = accounts
        self.waiting = 0
        """Runs that have no room yet."""
        self._filling: dict[str, str] = {}  # the pod that guesses are filling, by publishers' zone

    async def place(self, cost: int, zone: str, take: Take, *, shrink: bool) -> Candidate:
        """The transcoder on which `take` took `cost` pixels/s; `shrink`: or the largest room there is, where that is
        less. Raises Refused, DatabaseError and what `take` raises.
        """
        until_s = monotonic_s() + self._wait_s
        async with self._queued():
            while True:
                await self._accounts.register()
                wanted = self._shrunk(cost) if shrink else cost
                found = self._fleet.candidates(wanted, zone)
                if not found:
                    if monotonic_s() >= until_s:
                        raise Refused(Reason.NO_CAPACITY, "No transcoder has room for this stream now.")
                    if not await self._fleet.more_room(min(LOOK_AGAIN_S, max(0.0, until_s - monotonic_s()))):
                        await self._accounts.look()  # other replicas take room and give it back, too
                    continue
                chosen = random.choice(found)
                if await take(chosen, wanted):
                    self.took(chosen, wanted)
                    return chosen
                await self._accounts.look_at(chosen.pod)
                if monotonic_s() >= until_s + LOOK_AGAIN_S:
                    raise too_many()  # others were faster every time

    def guess(self, cost: int, zone: str) -> tuple[Candidate, int] | None:
        """Where a run that costs `cost` at most could start, and what it would take there, as far as memory knows.

        The same transcoder as before while it is as good as others: so replicas are seldom in each other's way, since
        each fills one of its own, and a batch of starts locks few rows.
        """
        wanted = self._shrunk(cost)
        found = self._fleet.candidates(wanted, zone, self._fleet.unwritten)  # a row that is not as it says may refuse
        if not found:
            return None
        filling = self._filling.get(zone)
        chosen = next((one for one in found if one.pod == filling), None) or random.choice(found)
        self._filling[zone] = chosen.pod
        return chosen, wanted

    def took(self, candidate: Candidate, cost: int) -> None:
        """That is held there now."""
        self._fleet.hold(candidate.pod, self._fleet.held(candidate.pod) + cost)

    def gave_back(self, allocation: Allocation) -> None:
        """That is not held there after all. Others are filled from now on: its row may be what did not answer."""
        self._filling = {zone: pod for zone, pod in self._filling.items() if pod != allocation.pod}
        self._fleet.hold(allocation.pod, self._fleet.held(allocation.pod) - allocation.cost)

    def _shrunk(self, cost: int) -> int:
        return min(cost, max(1, self._fleet.rooms.largest))

    def standbys(self, cost: int, zone: str, chosen: str) -> tuple[str, ...]:
        """Targets that could take the run too, best first. Nothing is held on them: they admit by their own room."""
        return tuple(one.target for one in self._fleet.candidates(cost, zone, {chosen}))[:STANDBYS]

    @asynccontextmanager
    async def _queued(self) -> AsyncIterator[None]:
        if self.waiting >= self._length:
            raise too_many()
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
