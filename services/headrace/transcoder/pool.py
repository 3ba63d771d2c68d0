"""The pool: workers that were started before anybody needs them.

Law: a run never waits for the pool; it gets a worker that is ready, else one that is starting, else a new one. Workers
are warmed one at a time and after a pause, so that none loads while the run that made the room makes its first parts
(it would cost that run what the pool saved it); after each one that dies unused the pause is longer. An unused worker
holds nothing, so it may end at any moment.
Neighbours: `supervisor` owns it, `process` is what it keeps.
"""

import asyncio
from collections.abc import Awaitable, Callable

from headrace.core.broadcast import RunId
from headrace.runtime.aio.tasks import spawn_isolated
from headrace.runtime.telemetry import traces
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.runtime.telemetry.traces import Attribute, Span
from headrace.transcoder import metrics
from headrace.transcoder.pipe import PipeBroken, Ready
from headrace.transcoder.process import WorkerProcess

START_TIMEOUT_S = 60.0  # a node under load is slow, but not so slow
PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0

_died = RateLimited(logger(__name__), "an unused worker died")


class Pool:
    """Keeps `size` workers; `start` makes one, or raises OSError. Whatever it does beside, `group` has as its tasks."""

    def __init__(self, size: int, start: Callable[[], Awaitable[WorkerProcess]], group: asyncio.TaskGroup) -> None:
        self._size = size
        self._start_one = start
        self._group = group
        self._unused: dict[WorkerProcess, asyncio.Task[None]] = {}  # the oldest first, and who watches it
        self._changed = asyncio.Event()
        self._pause_s = PAUSE_S

    @property
    def unused(self) -> tuple[WorkerProcess, ...]:
        """Those that are ready for a run, or will be."""
        return tuple(self._unused)

    def resident_bytes(self) -> int:
        """The memory of them all, with what they share."""
        return sum(worker.resident_bytes for worker in self._unused)

    async def run(self) -> None:
        """Keep the pool full until cancelled; then `close` it."""
        while True:
            self._changed.clear()
            if len(self._unused) >= self._size or not all(worker.ready for worker in self._unused):
                await self._changed.wait()
                continue
            await asyncio.sleep(self._pause_s)
            try:
                worker = await self._start()
            except OSError as error:
                self._count_death()
                _died({"why": str(error)})
            else:
                self._unused[worker] = spawn_isolated(self._group, self._watch(worker), f"watch {worker.pid}")

    async def take(self, run: RunId) -> WorkerProcess:
        """A worker for `run`. Raises OSError."""
        with traces.step(Span.TAKE_WORKER) as span:
            worker = self._next()
            state = "new" if worker is None else "ready" if worker.ready else "starting"
            span.set(Attribute.WORKER, state)
            if worker is None:
                worker = await self._start()
        metrics.TAKEN.labels(state).inc()
        worker.run = run
        return worker

    async def close(self) -> None:
        """Those that are unused end, or are killed after their grace."""
        async with asyncio.TaskGroup() as group:
            for worker in self.unused:
                self._unwatch(worker)
                group.create_task(worker.end())

    def _next(self) -> WorkerProcess | None:
        while self._unused:
            worker = max(self._unused, key=lambda worker: worker.ready)
            self._unwatch(worker)
            if worker.alive:
                if worker.ready:
                    self._pause_s = PAUSE_S
                return worker
            spawn_isolated(self._group, self._bury(worker), f"bury {worker.pid}")
        return None

    async def _start(self) -> WorkerProcess:
        worker = await self._start_one()
        spawn_isolated(self._group, worker.log_stderr(), f"words of {worker.pid}")
        return worker

    async def _watch(self, worker: WorkerProcess) -> None:
        """Until it dies; cancelled when it is taken."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                alive = isinstance(await worker.pipe.receive(), Ready)
            if alive:
                worker.now_ready()
                self._note_change()
                await worker.pipe.receive()  # without a run it has nothing more to say
        except (PipeBroken, TimeoutError):
            pass  # as good as dead
        del self._unused[worker]
        await self._bury(worker)

    def _unwatch(self, worker: WorkerProcess) -> None:
        self._unused.pop(worker).cancel()
        self._note_change()

    async def _bury(self, worker: WorkerProcess) -> None:
        self._count_death()
        _died({"worker": worker.pid, "ended": await worker.end()})

    def _count_death(self) -> None:
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        metrics.WARM_DEATHS.inc()
        self._note_change()

    def _note_change(self) -> None:
        metrics.WARM_WORKERS.set(sum(worker.ready for worker in self._unused))
        self._changed.set()
