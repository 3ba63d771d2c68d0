"""The writer: one accepted call's hold on a run's log, wherever the log lives and whatever becomes of it.

Law: takeover comes first and publishes nothing itself; an append is stage, wait, publish, in this order, and a batch is
one of each. Whenever writer and log may disagree the writer takes over again, with a higher take, shows what it finds
staged, and stages again what the log lost: only while the log holds nothing but what this writer knows, so that its
encoders may go on. What is refused to a writer that somebody else follows is raised.
Neighbours: `work` appends, `tail` has what may be staged again, `renumbering` goes on in a log that lost everything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from headrace.core.broadcast import Claim, End, Gap, Init, Part, RunId, RunStart
from headrace.livelog.base import (
    Append,
    Cursor,
    Fenced,
    LiveLog,
    LogError,
    LogFull,
    NoRun,
    OutOfStep,
    RunEnded,
    StaleLog,
    Taken,
    Unreachable,
)
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.transcoder import metrics
from headrace.transcoder.patience import Patience
from headrace.transcoder.renumbering import Renumbering, Shown
from headrace.transcoder.tail import Tail

BATCH_BYTES = 4 << 20  # of one stage call: more would outlast the log's deadline where a link is slow
# How long the confirmed primary is looked for (docs on the cluster, §2), a full log is borne, and any trouble at all
# where nobody feeds the run.
FIND_S = 10.0

_retaken = RateLimited(logger(__name__), "log taken over again")


class Diverged(LogError):
    """The log holds what this writer does not know, or lacks what it has no more: its encoders cannot go on."""

    code = "log_diverged"


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before `published` (ticks) is shown in every rendition, before `durable` on every replica."""

    published: int
    durable: int


class Writer:
    """Writes the run that begins with `start` under `claim`. Every call may raise LogError."""

    def __init__(
        self,
        log: LiveLog,
        run: RunId,
        claim: Claim,
        start: RunStart,
        clock: Callable[[], float] = monotonic_s,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.progress = Progress(0, 0)
        """How far the run is."""
        self.inits: dict[str, Init] = {}
        """Each rung's current initialization section."""
        self.shown = Shown(start.plan)
        """Where the rungs are."""
        self._log = log
        self._run = run
        self._claim = claim
        self._start = start
        self._clock = clock
        self._patience = Patience(clock, pause)
        self._tail = Tail(0, "")
        self._renumbering = Renumbering(start.plan)
        self._n = 0  # the newest entry that the log is known to hold
        self._shown_n = 0  # the newest that readers may have seen
        self._durable_n = 0
        self._floor = 0  # what is durable in this very log
        self._reached = 0  # the furthest boundary in logs that are lost
        self._astray = False
        self._claimed = True
        self._refused_n: int | None = None
        self._undurable_s: float | None = None
        self._staged_s: float | None = None  # when the oldest entry was staged that is not durable

    @property
    def published(self) -> int:
        """Everything before this time is published in every rendition, ticks."""
        return self.progress.published

    @property
    def furthest(self) -> int:
        """The latest boundary that any rendition has reached, ticks."""
        return max(self._reached, self.shown.furthest)

    @property
    def undurable_s(self) -> float:
        """How long the oldest entry has been staged that is not durable, seconds; 0 where all are."""
        return 0.0 if self._staged_s is None else self._clock() - self._staged_s

    def hurry(self) -> None:
        """Nobody waits for this writer any more: a log that does not answer for long is given up."""
        self._patience.limit_s = FIND_S

    async def take(self, floor: int) -> Taken:
        """Make the log this writer's, and show what the one before had staged. A floor of 0 opens an unknown run."""
        while True:
            try:
                taken = await self._first(floor)
                break
            except (Unreachable, StaleLog) as error:
                await self._patience.bear(error, FIND_S)
                self._claim = replace(self._claim, take=self._claim.take + 1)
        self._patience.relieve()
        return taken

    async def append(self, appends: Sequence[Append]) -> Progress:
        """Stage these in order, wait for the replicas, and publish; again, until the log has them."""
        for entry, _ in appends:
            if isinstance(entry, Init):
                self.inits[entry.rung] = entry
        dropped = self._renumbering.dropped
        self._tail.add(self._renumbering.place(appends))
        metrics.PARTS_DROPPED.inc(self._renumbering.dropped - dropped)
        with metrics.APPENDS.track_inprogress():
            await self._append()
        self._patience.relieve()
        self._refused_n = None
        metrics.TAIL_DROPPED.inc(self._tail.trim(self._durable_n, self.shown.furthest))
        return self.progress

    async def _append(self) -> None:
        while True:
            try:
                if self._astray:
                    await self._retake()
                await self._write()
                if self._ends:
                    await self._log.wait(self._run)  # nobody would publish again an end that a failover took back
                return
            except LogError as error:
                await self._bear(error)

    @property
    def _ends(self) -> bool:
        newest = self._tail.newest
        return self._shown_n == self._tail.last and newest is not None and isinstance(newest.entry, End)

    async def _first(self, floor: int) -> Taken:
        taken = await self._log.takeover(self._run, self._claim, floor, open_new=floor == 0)
        durable = await self._log.wait(self._run)
        if taken.n > taken.published:
            await self._log.publish(self._run, self._claim, taken.n)
        if taken.n:
            await self._remember()
        self.shown.know(taken.rungs)
        if self.shown.through < floor:
            raise StaleLog(f"the log knows nothing of some rendition up to tick {floor}")
        self._n = self._shown_n = taken.n
        self._tail = Tail(taken.n, taken.id)
        self._settle(durable)
        if not taken.n:
            self._tail.add([Append(self._start)])
        return taken

    async def _remember(self) -> None:
        """What the log says of the run so far."""
        reading = await self._log.read(self._run, Cursor(0, ""))
        for published in reading.entries:
            if isinstance(entry := published.entry, Part | Gap):
                self.shown.add(entry)
        self.inits = {entry.rung: entry for entry in reading.head if isinstance(entry, Init)}

    async def _write(self) -> None:
        while batch := self._tail.batch(self._n, BATCH_BYTES):
            if self._staged_s is None:
                self._staged_s = self._clock()
            self._n = (await self._log.stage(self._run, self._claim, self._n + 1, *batch)).n
            durable = await self._log.wait(self._run)
            await self._publish()
            self._settle(durable)

    async def _publish(self) -> None:
        """Show what is staged; from now on readers may have seen it, whether or not the log answers."""
        for entry, _ in self._tail.between(self._shown_n, self._n):
            if isinstance(entry, Part | Gap):
                self.shown.add(entry)
        self._shown_n = max(self._shown_n, self._n)
        await self._log.publish(self._run, self._claim, self._n)

    def _settle(self, durable: bool) -> None:
        """All up to `_n` is published, and durable or not."""
        now_s = self._clock()
        if self._undurable_s is not None:
            metrics.UNDURABLE.inc(max(0.0, now_s - self._undurable_s))
        self._undurable_s = None if durable else now_s
        if self._n < self._shown_n:
            return  # some of it is to be staged again first
        self.shown.confirm()
        through, safe = self.shown.through, self.progress.durable
        if durable:
            if self._staged_s is not None:
                metrics.DURABLE_DELAY.observe(now_s - self._staged_s)
                self._staged_s = None
            self._durable_n, self._floor = self._n, through
            safe = max(safe, through)
        self.progress = Progress(max(self.progress.published, through), safe)

    async def _bear(self, error: LogError) -> None:
        """Take over again after a pause, unless the run is somebody else's or the trouble would come again."""
        match error:
            case Fenced(epoch=epoch) if epoch <= self._claim.epoch and self._claimed:
                reason = "rolled_back"  # or another writer of this epoch holds it, as the takeover will say
            case OutOfStep(kind=kind) if self._refused_n != self._n:
                reason, self._refused_n = kind, self._n
            case NoRun():
                reason = "empty"
            case Unreachable() | StaleLog() | LogFull():
                reason = error.code.removeprefix("log_")
            case _:
                raise error
        metrics.RETAKES.labels(reason).inc()
        _retaken({"run": self._run, "why": str(error)})
        self._astray = True
        await self._patience.bear(error, FIND_S if isinstance(error, StaleLog | LogFull) else float("inf"))

    async def _retake(self) -> None:
        """Take over again, show what is staged, and go back to what the log has. Raises Diverged."""
        self._claim = replace(self._claim, take=self._claim.take + 1)
        self._claimed = False
        try:
            taken = await self._log.takeover(self._run, self._claim, self._floor)
        except NoRun:
            self._floor = 0
            taken = await self._log.takeover(self._run, self._claim, self._floor, open_new=True)
        except RunEnded:
            if not self._ends:
                raise
            self._n, self._claimed, self._astray = self._tail.last, True, False  # by this writer's own word
            return
        self._claimed = True
        durable = await self._log.wait(self._run)
        kept = self._tail.holds(taken.n, taken.id)
        if not kept and taken.n:
            raise Diverged(f"entry {taken.n} of the log is not the one that this writer knows")
        if not kept:
            self._reopen()
        elif taken.n < self._n:
            metrics.RESTAGED.inc(self._n - taken.n)
        if taken.n != self._n:
            self._refused_n = None
        self._n = taken.n
        if taken.n > taken.published:
            await self._publish()
        self._settle(durable)
        self._astray = False

    def _reopen(self) -> None:
        """The log is empty: open the run again, above all numbers that were used."""
        unseen = self._tail.between(self._shown_n, self._tail.last)
        dropped = self._renumbering.dropped
        going_on = self._renumbering.lose(self.shown, unseen)
        metrics.PARTS_DROPPED.inc(self._renumbering.dropped - dropped)
        self._tail = Tail(0, "")
        self._tail.add([Append(self._start), *map(Append, self.inits.values())])
        # What is not shown may hold inits; those are here already.
        self._tail.add(append for append in going_on if not isinstance(append.entry, Init | RunStart))
        self._reached, self.shown = self.furthest, Shown(self._start.plan)
        self._shown_n = self._durable_n = self._floor = 0
