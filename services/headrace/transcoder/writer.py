"""The writer: one accepted call's hold on a run's log.

Law: takeover comes first and publishes nothing itself; an append is stage, wait, publish, in this order, and a batch
costs one wait and one publish. What the log refuses is raised: the run is then somebody else's.
Neighbours: `work` appends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.core.broadcast import Claim, Gap, Part, Plan, RunId
from headrace.livelog.base import Append, LiveLog, Taken


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before `published` (ticks) is shown in every rendition, before `durable` on every replica."""

    published: int
    durable: int


class Writer:
    """Writes `run` under `claim`. Every call may raise LogError."""

    def __init__(self, log: LiveLog, run: RunId, claim: Claim, plan: Plan) -> None:
        self._log = log
        self._run = run
        self._claim = claim
        self._n = 0
        self._ends = dict.fromkeys(plan.rung_names, 0)
        self._durable = 0

    async def take(self, floor: int) -> Taken:
        """Make the log this writer's, and show what the one before had staged. A floor of 0 opens an unknown run."""
        taken = await self._log.takeover(self._run, self._claim, floor, open_new=floor == 0)
        self._n = taken.n
        for rung, position in taken.rungs.items():
            self._ends[rung] = position.start
        durable = await self._log.wait(self._run)
        if taken.n > taken.published:
            await self._log.publish(self._run, self._claim, taken.n)
        if durable:
            self._durable = self.published
        return taken

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return Progress(self.published, self._durable)

    @property
    def published(self) -> int:
        """Everything before this time is published in every rendition, ticks."""
        return min(self._ends.values())

    @property
    def furthest(self) -> int:
        """The latest boundary that any rendition has reached, ticks."""
        return max(self._ends.values())

    async def append(self, entries: Sequence[Append]) -> Progress:
        """Stage `entries` in order, wait for the replicas, and publish."""
        self._n = (await self._log.stage(self._run, self._claim, self._n + 1, *entries)).n
        durable = await self._log.wait(self._run)
        await self._log.publish(self._run, self._claim, self._n)
        for entry, _ in entries:
            if isinstance(entry, Part | Gap):
                self._ends[entry.rung] = entry.end
        if durable:
            self._durable = self.published
        return self.progress
