"""The supervisor: takes runs, starts their workers, and keeps account of what they cost.

Law: takeover before anything else; one worker process for each run; a run that fails fails alone. Works live in the
supervisor's task group and not in the call's, so that what a lost call sent still reaches the log.
Neighbours: `grpc_server` asks it for a `Work`, `capacity` says what there is room for.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from headrace.core.broadcast import Claim, Plan, Refused, RunId, RunStart
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import LiveLog
from headrace.runtime.aio.tasks import spawn_isolated
from headrace.runtime.telemetry import traces
from headrace.runtime.telemetry.context import known
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, logger
from headrace.runtime.telemetry.traces import Span
from headrace.transcoder import metrics
from headrace.transcoder.capacity import Capacity, cost
from headrace.transcoder.continuation import go_on
from headrace.transcoder.pipe import Begin, PipeBroken
from headrace.transcoder.pool import Pool
from headrace.transcoder.process import WORKER_COMMAND, WorkerProcess
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.signs import Signs
from headrace.transcoder.work import Work
from headrace.transcoder.writer import Writer
from headrace.wire.media import Open

LAST_WORDS_S = 1.0  # for the log, after the last worker has gone

_log = logger(__name__)
_taken = RateLimited(_log, "run taken", at_most=FOR_EACH)
_left = RateLimited(_log, "run left", at_most=FOR_EACH)


class Supervisor:
    """All works of this process. `command` starts a worker."""

    def __init__(
        self,
        log: LiveLog,
        capacity: Capacity,
        settings: TranscoderSettings,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self._log = log
        self._capacity = capacity
        self._settings = settings
        self._command = tuple(command)
        self._works: set[Work] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._group: asyncio.TaskGroup | None = None
        self._pool: Pool | None = None
        self.draining = False

    @property
    def runs(self) -> tuple[RunId, ...]:
        """The runs that are being worked on."""
        return tuple(work.name for work in self._works)

    async def run(self) -> None:
        """Own the works and the pool until cancelled; then all of them end, quickly but in order."""
        start = partial(WorkerProcess.start, self._settings.worker_input_bytes, self._command)
        async with asyncio.TaskGroup() as group:
            self._group, self._pool = group, Pool(self._settings.workers_warm, start, group)
            metrics.WORKER_BYTES.labels("unused").set_function(self._pool.resident_bytes)
            metrics.WORKER_BYTES.labels("working").set_function(self._resident_bytes)
            refilling = spawn_isolated(group, self._pool.run(), "pool of workers")
            sampling = spawn_isolated(group, Signs(self._works).run(), "signs of life")
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.draining = True
                refilling.cancel()
                sampling.cancel()
                for work in self._works:
                    work.leave(self._settings.stop_timeout_s)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.stop_timeout_s + LAST_WORDS_S):
                        await self._pool.close()
                        await self._idle.wait()

    async def take(self, opened: Open) -> Work:
        """Take the run over and start its worker. Raises Refused or LogError."""
        if self.draining or self._group is None:
            raise Refused(Reason.UNAVAILABLE, "this transcoder is going away")
        pixels_s = cost(opened.plan, opened.source)
        self._capacity.take(pixels_s)
        try:
            work = await self._start(opened)
        except BaseException:
            self._capacity.release(pixels_s)
            raise
        self._works.add(work)
        self._idle.clear()
        spawn_isolated(self._group, self._live(work, pixels_s), f"work {opened.run}")
        return work

    async def _live(self, work: Work, pixels_s: int) -> None:
        try:
            await work.run()
        finally:
            self._capacity.release(pixels_s)
            self._works.discard(work)
            if not self._works:
                self._idle.set()
            _left({"run": work.name}, level=logging.INFO)

    async def _start(self, opened: Open) -> Work:
        claim = Claim(opened.epoch, opened.session_id, writer=secrets.token_hex(8))
        start = RunStart(opened.plan, opened.anchor_ms, traces.here())
        writer = Writer(self._log, opened.run, claim, start)
        with traces.step(Span.TAKEOVER):
            taken = await writer.take(opened.floor)
        positions = await go_on(writer, opened, taken)
        process = await self._take_worker(opened.run)
        process.about = known()
        begin = Begin(opened.plan, opened.source, positions, _encoder_ids(opened.plan), opened.starts_at)
        try:
            await process.pipe.send(begin)
        except PipeBroken as broken:
            raise Refused(Reason.UNAVAILABLE, f"no worker: {broken}, {await process.end()}") from broken
        except BaseException:
            await process.end(0)
            raise
        _taken({"run": opened.run, "worker": process.pid}, level=logging.INFO)
        return Work(opened.run, opened.plan, opened.anchor_ms, writer, process, self._settings, opened.starts_at)

    async def _take_worker(self, run: RunId) -> WorkerProcess:
        if self.draining or self._pool is None:
            raise Refused(Reason.UNAVAILABLE, "this transcoder is going away")
        try:
            return await self._pool.take(run)
        except OSError as error:
            raise Refused(Reason.UNAVAILABLE, f"no worker can be started: {error}") from error

    def _resident_bytes(self) -> int:
        return sum(work.resident_bytes for work in self._works)


def _encoder_ids(plan: Plan) -> dict[str, str]:
    """A random id for each encoder that the worker will have."""
    return {name: secrets.token_hex(6) for name in plan.rung_names}
