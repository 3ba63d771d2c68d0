"""Supervisors, real workers and the memory log: what is published, and what a failure takes with it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from prometheus_client import REGISTRY

from headrace.core.broadcast import Claim, End, Entry, Epoch, Gap, Hold, Init, Part, Plan, Refused, RunId, RunStart
from headrace.core.media import Frame, Kind
from headrace.livelog.base import Cursor, Fenced
from headrace.livelog.memory import MemoryLog
from headrace.transcoder.capacity import Capacity
from headrace.transcoder.process import WORKER_COMMAND
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.transcoder.work import Work
from headrace.wire.media import Open
from tests.integration.transcoder.harness import Clip, Recipe, decoded_video, made, numbers

RUN = RunId("run")
SMALL = {"rungs": [{"height": 180}, {"height": 90}]}
PRELUDE = """
import os, signal, socket, sys, time
from headrace.transcoder.pipe import Begin, Done, Flush, WorkerEnd
sock = socket.socket(fileno=int(sys.argv[1]))
pipe = WorkerEnd(sock)
"""
SEGFAULTS = PRELUDE + "pipe.receive(); pipe.receive(); os.kill(os.getpid(), signal.SIGSEGV)"
NEVER_READS = PRELUDE + "time.sleep(600)"
NEVER_ENDS = PRELUDE + "\nwhile pipe.receive() is not None: pass\ntime.sleep(600)"
SENDS_A_PICKLE = PRELUDE + "sock.sendall(bytes((1, 0, 0, 0, 1, 0x2e))); time.sleep(600)"
LEAVES_EARLY = PRELUDE + "pipe.receive(); sys.exit(3)"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return made(Recipe(seconds=4), tmp_path_factory.mktemp("media") / "clip.mp4")


@asynccontextmanager
async def supervising(
    log: MemoryLog, script: str = "", pixels_s: int = 10**12, workers_warm: int = 0, **settings: float
) -> AsyncIterator[Supervisor]:
    """A supervisor whose workers run `script`, or are real; none is warm but those asked for."""
    command: Sequence[str] = (sys.executable, "-c", script) if script else WORKER_COMMAND
    told = TranscoderSettings(workers_warm=workers_warm, **settings)  # type: ignore[arg-type]
    supervisor = Supervisor(log, Capacity(pixels_s), told, command)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervisor.run())
        await asyncio.sleep(0)
        try:
            yield supervisor
        finally:
            task.cancel()


def opening(clip: Clip, plan: Plan, run: RunId = RUN, attempt: int = 1, floor: int = 0) -> Open:
    return Open(run, 1, "session", attempt, floor, plan, clip.source, anchor_ms=1_700_000_000_000)


async def entries(log: MemoryLog, run: RunId = RUN) -> list[Entry]:
    reading = await log.read(run, Cursor(0, ""))
    return [published.entry for published in reading.entries if published.entry is not None]


async def published(log: MemoryLog, rung: str, run: RunId = RUN) -> bytes:
    """What a viewer of the rung has got."""
    data = b""
    for entry in await entries(log, run):
        if isinstance(entry, Init) and entry.rung == rung:
            data += entry.data
        elif isinstance(entry, Part) and entry.rung == rung:
            data += await log.get(run, rung, entry.msn, entry.part, entry.encoder) or b"missing"
    return data


def worker_of(supervisor: Supervisor, work: Work) -> int:
    """The process id of a work's worker."""
    return work._process.pid


@pytest.mark.parametrize("profile", [SMALL, "passthrough"])
async def test_a_run_that_ends_is_in_the_log_from_its_plan_to_its_end(clip: Clip, profile: object) -> None:
    log, plan = MemoryLog(), clip.plan(profile)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan))
        assert work.resume_from == 0
        await work.feed(clip.frames)
        await work.end()
    written = await entries(log)
    assert written[0] == RunStart(plan, 1_700_000_000_000)
    assert {entry.rung for entry in written[1 : 1 + len(plan.rung_names)] if isinstance(entry, Init)} == {
        *plan.rung_names
    }
    assert written[-1] == End(clip.end)
    assert work.progress.published == work.progress.durable == clip.end
    for rung in plan.video:
        pictures = decoded_video(await published(log, rung.name))
        assert [pts for pts, _ in pictures] == clip.shown
        assert numbers(pictures) == list(range(len(clip.shown)))


async def test_progress_is_what_every_rendition_has(clip: Clip) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        await work.feed(clip.frames)
        seen = await work.next_progress(work.progress)
        ends = [
            max((e.end for e in await entries(log) if isinstance(e, Part) and e.rung == rung), default=0)
            for rung in work._rungs
        ]
        assert seen is not None
        assert seen.published <= min(ends)
        await work.end()


async def test_a_source_that_stops_is_flushed_and_another_attempt_goes_on(clip: Clip) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    async with supervising(log) as supervisor:
        first = await supervisor.take(opening(clip, plan))
        third_gop = [i for i, frame in enumerate(clip.frames) if frame.kind is Kind.VIDEO and frame.keyframe][2]
        await first.feed(clip.frames[:third_gop])
        await first.hold(at := clip.frames[third_gop].pts)
        assert (await entries(log))[-1] == Hold(at)
        second = await supervisor.take(opening(clip, plan, attempt=2, floor=first.progress.durable))
        assert second.resume_from == first.progress.published
        await second.feed(clip.frames)
        await second.end()
    pictures = decoded_video(await published(log, "180p"))
    assert numbers(pictures) == list(range(len(clip.shown)))
    assert isinstance((await entries(log))[-1], End)


async def test_a_lost_call_leaves_everything_that_it_sent(clip: Clip) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        await work.feed(clip.frames)
        work.leave()
        await wait_until_idle(supervisor)
    assert (await entries(log))[-1] == Hold(clip.end)
    assert len(decoded_video(await published(log, "180p"))) == len(clip.shown)


async def test_a_killed_worker_takes_one_run_and_nothing_else(clip: Clip) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    async with supervising(log) as supervisor:
        doomed = await supervisor.take(opening(clip, plan, RunId("doomed")))
        other = await supervisor.take(opening(clip, plan, RunId("other")))
        await doomed.feed(clip.frames[:60])
        await other.feed(clip.frames[:60])
        os.kill(worker_of(supervisor, doomed), signal.SIGKILL)
        with pytest.raises(Refused, match="SIGKILL") as lost:
            await doomed.end()
        assert lost.value.code == "worker_lost"
        await other.feed(clip.frames[60:])
        await other.end()
    assert numbers(decoded_video(await published(log, "180p", RunId("other")))) == list(range(len(clip.shown)))
    assert not any(
        isinstance(entry, End | Hold) for entry in await entries(log, RunId("other")) if entry != End(clip.end)
    )


@pytest.mark.parametrize(
    ("script", "why"),
    [(SEGFAULTS, "SIGSEGV"), (LEAVES_EARLY, "exit status 3"), (SENDS_A_PICKLE, "kind 1"), (NEVER_ENDS, "did not end")],
)
async def test_whatever_a_worker_does_ends_its_own_call_with_a_reason(clip: Clip, script: str, why: str) -> None:
    async with supervising(MemoryLog(), script, flush_timeout_s=1) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))

        async def feed() -> None:
            await work.feed(clip.frames)
            await work.end()

        with pytest.raises(Refused, match=why) as lost:
            await feed()
        assert lost.value.code == "worker_lost"
        await wait_until_idle(supervisor)
        assert supervisor.runs == ()


async def test_a_worker_that_cannot_be_started_is_a_refusal(clip: Clip) -> None:
    supervisor = Supervisor(MemoryLog(), Capacity(0), TranscoderSettings(), ("/nowhere/python",))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervisor.run())
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="no worker"):
            await supervisor.take(opening(clip, clip.plan(SMALL)))
        task.cancel()


async def test_a_worker_that_does_not_read_stops_its_feeder_within_the_byte_bounds(clip: Clip) -> None:
    bound = 256 << 10
    frame = Frame(Kind.VIDEO, True, 0, 0, bytes(20_000))
    fed = 0
    async with supervising(MemoryLog(), NEVER_READS, worker_input_bytes=bound, stall_timeout_s=2) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))

        async def feed_for_ever() -> None:
            nonlocal fed
            while True:
                await work.feed([frame])
                fed += len(frame.data)
                assert work._process.pipe.held_bytes <= bound + 21_000

        with pytest.raises(Refused, match="takes no media"):
            await feed_for_ever()
        assert fed < bound + (1 << 20)  # the rest is the kernel's socket buffers


async def test_a_worker_that_does_not_read_holds_nobody_else_up(clip: Clip, tmp_path: Path) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    async with (
        supervising(MemoryLog(), NEVER_READS, worker_input_bytes=1 << 16) as stuck,
        supervising(log) as supervisor,
    ):
        slow = await stuck.take(opening(clip, plan))
        feeding = asyncio.ensure_future(slow.feed([Frame(Kind.VIDEO, True, 0, 0, bytes(20_000))] * 100))
        work = await supervisor.take(opening(clip, plan))
        await work.feed(clip.frames)
        await work.end()
        assert not feeding.done()
        feeding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await feeding
        os.kill(worker_of(stuck, slow), signal.SIGKILL)


async def test_a_run_that_another_writer_took_is_left_alone(clip: Clip) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan))
        await log.takeover(RUN, Claim(Epoch(2, 1), "other", "writer"), 0)
        with pytest.raises(Fenced):
            await feed_and_end(work, clip)
        with pytest.raises(Fenced):
            await supervisor.take(opening(clip, plan, attempt=9))
    assert not any(isinstance(entry, Part | Gap) for entry in await entries(log))


class StuckLog(MemoryLog):
    """Waits for its replicas until it is let go; then it may turn out that somebody else holds the run."""

    def __init__(self, *, refuses: bool) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self._refuses = refuses

    async def wait(self, run: RunId) -> bool:
        if self.held_bytes > 1 << 15:  # above what a run without parts takes
            await self.go.wait()
            if self._refuses:
                raise Fenced(Epoch(2, 1))
        return await super().wait(run)


@pytest.mark.parametrize("refuses", [False, True])
async def test_what_waits_for_the_log_is_counted_until_it_is_there_or_given_up(clip: Clip, refuses: bool) -> None:
    log = StuckLog(refuses=refuses)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        await work.feed(clip.frames)
        async with asyncio.timeout(20):
            while held_bytes() < 20_000:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        log.go.set()
        if refuses:
            with pytest.raises(Fenced):
                await work.end()
        else:
            async with asyncio.timeout(20):
                while held_bytes():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await work.end()
        assert held_bytes() == 0


def held_bytes() -> float:
    """What the metric says."""
    return float(REGISTRY.get_sample_value("headrace_transcoder_held_bytes") or 0)


async def test_a_full_transcoder_refuses_but_an_idle_one_never(clip: Clip) -> None:
    async with supervising(MemoryLog(), pixels_s=1) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        with pytest.raises(Refused) as refused:
            await supervisor.take(opening(clip, clip.plan(SMALL), RunId("second")))
        assert refused.value.code == "no_capacity"
        await work.end()
        await wait_until_idle(supervisor)
        await (await supervisor.take(opening(clip, clip.plan(SMALL), RunId("third")))).end()


async def test_stopping_the_process_keeps_what_was_sent(clip: Clip) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        await work.feed(clip.frames)
    assert (await entries(log))[-1] == Hold(clip.end)


async def feed_and_end(work: Work, clip: Clip) -> None:
    await work.feed(clip.frames)
    await work.end()


async def wait_until_idle(supervisor: Supervisor) -> None:
    async with asyncio.timeout(20):
        while supervisor.runs:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


MAKES_SLOWLY = (
    PRELUDE
    + """
from headrace.transcoder.pipe import Counted
while not isinstance(pipe.receive(), Flush): pass
for _ in range(8):
    time.sleep(0.25)
    pipe.send(Counted("video_bad_time", 1))
pipe.send(Done())
"""
)


async def test_a_worker_that_still_works_at_the_end_is_waited_for(clip: Clip) -> None:
    async with supervising(MemoryLog(), MAKES_SLOWLY, flush_timeout_s=0.8) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        await feed_and_end(work, clip)


async def test_a_stop_waits_no_longer_than_it_is_told_even_for_a_worker_that_works(clip: Clip) -> None:
    async with supervising(MemoryLog(), MAKES_SLOWLY, stop_timeout_s=0.5) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        work.leave()
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 1.6
    with pytest.raises(Refused, match="in time"):
        await work.end()


def test_on_the_services_own_event_loop_a_dead_worker_is_a_refusal_too(clip: Clip) -> None:
    async def main() -> None:
        async with supervising(MemoryLog()) as supervisor:
            work = await supervisor.take(opening(clip, clip.plan(SMALL)))
            os.kill(worker_of(supervisor, work), signal.SIGKILL)
            await wait_until_idle(supervisor)
            for _ in range(10):
                with pytest.raises(Refused, match="SIGKILL"):
                    await work.feed(clip.frames)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
