"""Work: one accepted call's run, from its frames to its log.

Law: frames go to the worker only as fast as it reads; what it makes goes to the log in order, all that has gathered in
one batch. Whatever ends (the source, the call, the worker, the hold on the log) ends this work and no other. Only a
source that ended on purpose ends the run; otherwise the log says that it stopped, and somebody else goes on.
Neighbours: `supervisor` starts works, `grpc_server` feeds them.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

from headrace.core.broadcast import End, Gap, Hold, Init, Part, Plan, Refused, RunId
from headrace.core.broadcast.refusals import Reason
from headrace.core.errors import HeadraceError
from headrace.core.media import TICKS_PER_MS, Frame, Kind
from headrace.livelog.base import Append, LogError
from headrace.runtime.aio.channel import Channel, ChannelClosed
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.telemetry import traces
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, logger
from headrace.runtime.telemetry.traces import Span
from headrace.transcoder import metrics
from headrace.transcoder.pipe import Counted, Done, Failed, Flush, Made, PipeBroken, Ready
from headrace.transcoder.process import WorkerProcess
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.writer import BATCH_BYTES, Progress, Writer

STOP_NOTICE_S = 0.1  # after how long a flush under way hears that it has less time now
_ENTRY_BYTES = 512  # what an entry counts for beside its bytes

_lost = RateLimited(logger(__name__), "worker lost", at_most=FOR_EACH)
_EARLY = metrics.DROPPED.labels("before_the_session")
_PARTS, _GAPS = metrics.PARTS.labels("media"), metrics.PARTS.labels("gap")
_FRAMES = {kind: metrics.FRAMES.labels(kind.name.lower()) for kind in Kind}


class Work:
    """Runs in a task of its own (`run`), so that it outlives the call that feeds it.

    `starts_at`: where the session's media starts. `resume_from`: the first tick that is not in the log.
    """

    def __init__(
        self,
        run: RunId,
        plan: Plan,
        anchor_ms: int,
        writer: Writer,
        process: WorkerProcess,
        settings: TranscoderSettings,
        starts_at: int = 0,
    ) -> None:
        self.name = run
        self.resume_from = max(writer.published, starts_at)
        self.progress = writer.progress
        self.fed = self.resume_from
        """Everything before this time was given to the worker, ticks."""
        self._plan = plan
        self._anchor_ms = anchor_ms
        self._writer = writer
        self._process = process
        self._starts_at = starts_at
        self._settings = settings
        # Of the call that started it; each is over once, however often that is said.
        self._first_output = traces.step(Span.FIRST_OUTPUT)
        self._first_part = traces.step(Span.FIRST_PART)
        self._made: Channel[Append] = Channel(settings.worker_output_bytes)
        self._rungs = frozenset(plan.rung_names)
        self._published_at: dict[str, float] = {}
        self._flushing = asyncio.Event()
        self._over = False
        self._held = 0
        self._hold_at: int | None = None
        self._leave_by_s = float("inf")
        self._heard_s = 0.0
        self._failure: HeadraceError | None = None
        self._concluded = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def resident_bytes(self) -> int:
        """The worker's memory, with what it shares with others."""
        return self._process.resident_bytes

    @property
    def published(self) -> int:
        """Everything before this time is published in every rendition, ticks."""
        return self._writer.published

    @property
    def input_bytes(self) -> int:
        """Media that waits for the worker to read it."""
        return self._process.pipe.held_bytes

    @property
    def undurable_s(self) -> float:
        """How long the oldest entry has been staged that is not durable, seconds."""
        return self._writer.undurable_s

    async def feed(self, frames: Sequence[Frame]) -> None:
        """Hand frames to the worker; waits while it does not read. Raises what the work failed of."""
        counts = dict.fromkeys(Kind, 0)
        size = 0
        try:
            for frame in frames:
                if frame.pts < self._starts_at:
                    _EARLY.inc()
                    continue
                await self._give(frame)
                counts[frame.kind] += 1
                size += len(frame.data)
                if frame.pts > self.fed:
                    self.fed = frame.pts
        finally:
            for kind, count in counts.items():
                _FRAMES[kind].inc(count)
            metrics.RECEIVED.inc(size)

    async def _give(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(self._settings.stall_timeout_s):
                await self._process.pipe.send(frame)
        except PipeBroken:
            await self._concluded.wait()
            self._raise()
            raise Refused(Reason.WORKER_LOST, "the run is over") from None
        except TimeoutError:
            self._fail(Refused(Reason.WORKER_LOST, "the worker takes no media any more"))
            self._raise()

    async def hold(self, at: int) -> None:
        """The source stopped at `at`: returns once everything before is in the log, and that it stopped."""
        self._hold_at = at
        await self._finish()

    async def end(self) -> None:
        """The source ended: returns once everything is in the log, and that it ended."""
        self._over = True
        await self._finish()

    def leave(self, within_s: float = float("inf")) -> None:
        """Nobody feeds this run any more: what there is goes out, however long it takes, or `within_s`."""
        self._leave_by_s = min(self._leave_by_s, monotonic_s() + within_s)
        self._writer.hurry()
        self._flushing.set()

    async def _finish(self) -> None:
        self._flushing.set()
        await self._concluded.wait()
        self._raise()

    async def next_progress(self, seen: Progress) -> Progress | None:
        """The present progress, once it is not `seen`; None when there will be no other.

        Raises what the work failed of.
        """
        while self.progress == seen:
            self._raise()
            if self._concluded.is_set():
                return None
            await self._news.wait()
        return self.progress

    async def run(self) -> None:
        """Everything until the run needs this process no more."""
        try:
            with metrics.RUNS.track_inprogress():
                await self._encode()
            if self._failure is None:
                await self._conclude()
        except LogError as error:
            self._fail(error)
        except BaseException:
            self._fail(Refused(Reason.UNAVAILABLE, "this transcoder gave the run up"))
            raise
        finally:
            self._hold_bytes(-self._held)  # what the log refused
            self._concluded.set()
            self._tell()

    async def _encode(self) -> None:
        """Until the worker has done its work, or is lost."""
        async with asyncio.TaskGroup() as group:
            appending = group.create_task(self._append())
            flushing = group.create_task(self._flush())
            try:
                await self._collect()
                await appending
            finally:
                flushing.cancel()
                how = await self._process.end()
        if self._failure is not None:
            _lost({"run": self.name, "why": str(self._failure), "ended": how})

    async def _collect(self) -> None:
        """From the pipe to the channel, until Done."""
        try:
            while not isinstance(message := await self._process.pipe.receive(), Done):
                self._heard_s = monotonic_s()
                match message:
                    case Made(part, data):
                        self._first_output.end()
                        await self._keep(part, data)
                    case Init():
                        await self._open(message)
                    case Gap():
                        await self._keep(message, None)
                    case Counted(what, times):
                        metrics.DROPPED.labels(what).inc(times)
                    case Ready():
                        self._process.now_ready()
                    case Failed(why):
                        raise PipeBroken(why)
                    case _:
                        how = await self._process.end()
                        raise PipeBroken(f"the worker ended in the middle of its work, {how}")
        except PipeBroken as broken:
            if self._failure is None:
                metrics.WORKER_DEATHS.inc()
            self._fail(Refused(Reason.WORKER_LOST, str(broken)))
        except ChannelClosed:
            pass  # the log refused; it said why
        finally:
            await self._made.close()

    async def _open(self, init: Init) -> None:
        """A rung's initialization section: one run has one, whoever encodes."""
        known = self._writer.inits.get(init.rung)
        if known is None:
            await self._keep(init, None)
        elif known != init:
            self._fail(Refused(Reason.BAD_SOURCE, f"the settings of {init.rung} are not those that the run began with"))
            raise PipeBroken("another initialization section")

    async def _keep(self, entry: Part | Gap | Init, data: bytes | None) -> None:
        if entry.rung not in self._rungs:
            raise PipeBroken(f"the worker speaks of a rung {entry.rung!r}")
        size = _held_bytes(data)
        self._hold_bytes(size)
        await self._made.send(Append(entry, data), size)

    def _hold_bytes(self, change: int) -> None:
        self._held += change
        metrics.HELD_BYTES.inc(change)

    async def _append(self) -> None:
        """From the channel to the log, until the channel ends or the log refuses."""
        try:
            async for first in self._made:
                batch = [first]
                size = _held_bytes(first.data)
                while len(self._made) and size < BATCH_BYTES:
                    batch.append(await self._made.receive())
                    size += _held_bytes(batch[-1].data)
                await self._write(batch)
                self._hold_bytes(-sum(_held_bytes(data) for _, data in batch))
        except LogError as error:
            self._fail(error)
            await self._made.close()

    async def _write(self, batch: list[Append]) -> None:
        progress = await self._writer.append(batch)
        self._measure(batch)
        self.progress = progress
        self._tell()

    def _measure(self, batch: list[Append]) -> None:
        now_s, now_ms = monotonic_s(), unix_ms()
        for entry, _ in batch:
            if not isinstance(entry, Part):
                if isinstance(entry, Gap):
                    _GAPS.inc()
                continue
            self._first_part.end()
            _PARTS.inc()
            metrics.PART_BYTES.inc(entry.size)
            delay_ms = now_ms - self._anchor_ms - Fraction(entry.end, TICKS_PER_MS)
            metrics.PUBLISH_DELAY.observe(float(delay_ms / 1000))
            before_s = self._published_at.get(entry.rung, now_s)
            if now_s - before_s > self._plan.part_target_ms / 1000:
                metrics.LATE_PARTS.inc()
            self._published_at[entry.rung] = now_s

    async def _flush(self) -> None:
        """When the media ends, tell the worker, and wait for as long as it goes on making parts."""
        await self._flushing.wait()
        self._heard_s = monotonic_s()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._say_flush())
            while True:
                # It works through what had gathered: only one that makes nothing any more is lost.
                until_s = min(self._heard_s + self._settings.flush_timeout_s, self._leave_by_s)
                left_s = until_s - monotonic_s()
                if left_s <= 0:
                    break
                await asyncio.sleep(min(left_s, STOP_NOTICE_S))
            self._fail(Refused(Reason.WORKER_LOST, "the worker did not end in time"))

    async def _say_flush(self) -> None:
        with suppress(PipeBroken):  # `_collect` knows more about it
            await self._process.pipe.send(Flush())

    async def _conclude(self) -> None:
        """Say in the log how it ended."""
        at = self._writer.furthest
        if self._over:
            await self._write([Append(End(at))])
        else:
            await self._write([Append(Hold(at if self._hold_at is None else self._hold_at))])

    def _fail(self, error: HeadraceError) -> None:
        """The first failure is the one that counts; the worker is of no more use."""
        if self._failure is None:
            self._failure = error
            self._first_output.fail(error.code)
            self._first_part.fail(error.code)
        self._process.kill()
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure


def _held_bytes(data: bytes | None) -> int:
    return len(data or b"") + _ENTRY_BYTES
