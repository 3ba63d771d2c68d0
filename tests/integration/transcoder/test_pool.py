"""The pool with real processes: who is taken, who comes after, and that nobody is left."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import RunId
from headrace.livelog.memory import MemoryLog
from headrace.transcoder import pool
from headrace.transcoder.pipe import Ready, encode
from headrace.transcoder.supervisor import Supervisor
from tests.integration.transcoder.harness import Clip, Recipe, made
from tests.integration.transcoder.test_supervisor import (
    NEVER_READS,
    SMALL,
    feed_and_end,
    opening,
    supervising,
    wait_until_idle,
    worker_of,
)

READY_THEN_SLEEPS = f"import os, sys, time; os.write(int(sys.argv[1]), {b''.join(encode(Ready()))!r}); time.sleep(600)"
COMPLAINS = "import sys; sys.exit('no such library')"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PAUSE_S", 0.05)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return made(Recipe(seconds=1), tmp_path_factory.mktemp("media") / "clip.mp4")


def ready(supervisor: Supervisor) -> list[int]:
    """The process ids of the workers that wait for a run."""
    assert supervisor._pool is not None
    return [worker.pid for worker in supervisor._pool.unused if worker.ready]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110  # other processes do it
            await asyncio.sleep(0.02)


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def has_ended(pid: int) -> None:
    """Hold everything up until it has; it is not reaped."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def oom_score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_transcoder_{name}", labels) or 0


async def test_a_run_takes_the_warm_worker_and_another_takes_its_place(clip: Clip) -> None:
    started = metric("worker_start_seconds_count")
    async with supervising(MemoryLog(), workers_warm=1) as supervisor:
        await until(lambda: len(ready(supervisor)) == 1)
        assert metric("worker_start_seconds_count") == started + 1
        (warm,) = ready(supervisor)
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        assert worker_of(supervisor, work) == warm
        await feed_and_end(work, clip)
        assert work.progress.published == clip.end
        await until(lambda: len(ready(supervisor)) == 1)
        assert ready(supervisor) != [warm]
        assert not exists(warm)


async def test_a_run_that_comes_before_its_worker_is_ready_is_worked_on_too(clip: Clip) -> None:
    started = metric("worker_start_seconds_count")
    async with supervising(MemoryLog()) as supervisor:
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        await feed_and_end(work, clip)
        assert work.progress.published == clip.end
    assert metric("worker_start_seconds_count") == started + 1


async def test_a_warm_worker_that_is_killed_is_replaced() -> None:
    async with supervising(MemoryLog(), workers_warm=1) as supervisor:
        await until(lambda: len(ready(supervisor)) == 1)
        (dead,) = ready(supervisor)
        os.kill(dead, signal.SIGKILL)
        await until(lambda: len(ready(supervisor)) == 1 and ready(supervisor) != [dead])
        assert not exists(dead)


async def test_a_worker_that_was_killed_a_moment_ago_is_not_given_to_a_run(clip: Clip) -> None:
    async with supervising(MemoryLog(), workers_warm=1) as supervisor:
        await until(lambda: len(ready(supervisor)) == 1)
        (dead,) = ready(supervisor)
        os.kill(dead, signal.SIGKILL)
        has_ended(dead)
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        assert worker_of(supervisor, work) != dead
        await feed_and_end(work, clip)


async def test_what_a_worker_says_before_it_dies_unused_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with supervising(MemoryLog(), COMPLAINS, workers_warm=1):
        await until(lambda: any("no such library" in getattr(record, "said", "") for record in caplog.records))
        await until(lambda: any(getattr(record, "ended", "") == "exit status 1" for record in caplog.records))


async def test_memory_is_told_for_workers_that_wait_and_for_those_that_work(clip: Clip) -> None:
    async with supervising(MemoryLog(), workers_warm=1) as supervisor:
        await until(lambda: len(ready(supervisor)) == 1)
        assert metric("worker_resident_bytes", state="unused") > 10_000_000
        assert metric("worker_resident_bytes", state="working") == 0
        used = metric("worker_cpu_seconds_total")
        work = await supervisor.take(opening(clip, clip.plan(SMALL)))
        assert metric("worker_resident_bytes", state="working") > 10_000_000
        await feed_and_end(work, clip)
        await wait_until_idle(supervisor)
        assert metric("worker_resident_bytes", state="working") == 0
        assert metric("worker_cpu_seconds_total") > used


async def test_a_worker_steps_back_before_the_rest_of_the_node() -> None:
    async with supervising(MemoryLog(), workers_warm=1) as supervisor:
        await until(lambda: len(ready(supervisor)) == 1)
        (worker,) = ready(supervisor)
        assert os.getpriority(os.PRIO_PROCESS, worker) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
        assert oom_score(worker) == 500


async def test_a_stop_leaves_no_worker_whether_ready_or_starting() -> None:
    async with supervising(MemoryLog(), workers_warm=2) as supervisor:
        await until(lambda: len(ready(supervisor)) == 1)
        assert supervisor._pool is not None
        await until(lambda: len(supervisor._pool.unused if supervisor._pool else ()) == 2)
        pids = [worker.pid for worker in supervisor._pool.unused]
    assert not any(exists(pid) for pid in pids)


async def test_however_many_unused_workers_do_not_stop_they_share_one_grace() -> None:
    count = 8  # one after the other would be as many seconds
    async with supervising(MemoryLog(), READY_THEN_SLEEPS, workers_warm=count) as supervisor:
        await until(lambda: len(ready(supervisor)) == count)
        pids = ready(supervisor)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        asked = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - asked < count / 2
    assert not any(exists(pid) for pid in pids)


async def test_however_many_stopped_workers_of_runs_hold_the_end_up_no_longer_than_one(clip: Clip) -> None:
    count = 8
    async with supervising(MemoryLog(), NEVER_READS, stop_timeout_s=1) as supervisor:
        works = [await supervisor.take(opening(clip, clip.plan(SMALL), RunId(f"run{n}"))) for n in range(count)]
        pids = [worker_of(supervisor, work) for work in works]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        asked = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - asked < count / 2
    assert not any(exists(pid) for pid in pids)
