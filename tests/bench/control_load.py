"""What asks the control that `bench-control` measures, in a process of its own.

`publish TARGETS KEYS CLIENTS HOLD SECONDS PID,PID…` plays edges: CLIENTS publishers at once, each followed by the next
with another key, open a session and have it allocated, and release it HOLD seconds later. Prints one JSON object: how
many allocations and releases there were in SECONDS, after `BEFORE_S`, the milliseconds that each allocation took, and
the CPU seconds of each of the processes and of its own.
`report PORT PODS SECONDS PID` plays pods, each on a connection of its own with a
report each second, and prints the part of a core that process PID used. `raw URL CLIENTS SECONDS` makes as many
transactions as one allocation and its release with psycopg alone, and prints how many of those a second.
"""

import asyncio
import json
import os
import secrets
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import psycopg
from grpc.aio import AioRpcError, UnaryUnaryMultiCallable

from headrace.core.broadcast import AudioSource, RunId, Source, VideoSource
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.lifecycle import run_until_signalled
from headrace.wire.channel import QUESTIONS, REPORTS, open_channel
from headrace.wire.control import FleetClient, PodKind, PodReport, SessionReport
from headrace.wire.reporting import until_next_s
from headrace.wire.trust import PLAINTEXT
from headrace.wire.types import source_to_wire
from headrace.wire.v1 import control_pb2 as pb
from tests.bench.control_books import PODS_RUNS, TRANSCODER, TRANSCODERS_COST, key_of, pod_name, run_name
from tests.bench.control_process import CAPACITY_PIXELS_S
from tests.bench.origin import TICK_S

BEFORE_S = 2.0
RELEASERS = 16
ASK_S = 10.0
SETTLE_S = 8.0  # pods report for so long before they are counted
SOURCE = Source(
    VideoSource("avc1", b"\x01\x64\x00\x1f" * 10, 1280, 720, Fraction(1), Fraction(30)),
    AudioSource("mp4a", b"\x12\x10", 48_000, 2, 1024),
)


class Asker:
    """Asks one replica as an edge does, and reads of an answer that it is one: edges have cores of their own."""

    def __init__(self, target: str) -> None:
        self.channel = open_channel(target, QUESTIONS, trust=PLAINTEXT)
        self._source = source_to_wire(SOURCE)
        self._methods: dict[str, UnaryUnaryMultiCallable[bytes, bytes]] = {
            method: self.channel.unary_unary(f"/headrace.wire.v1.Sessions/{method}")
            for method in ("OpenSession", "Allocate", "Release")
        }

    async def open_session(self, key: str, edge: str, session_id: str) -> None:
        """Raises AioRpcError, as the others do."""
        request = pb.OpenSessionRequest(app="live", key=key, edge=edge, peer="192.0.2.1:50000", session_id=session_id)
        await self._methods["OpenSession"](request.SerializeToString(), timeout=ASK_S)

    async def allocate(self, session_id: str) -> None:
        """The source is described."""
        request = pb.AllocateRequest(session_id=session_id, source=self._source, anchor_ms=unix_ms())
        await self._methods["Allocate"](request.SerializeToString(), timeout=ASK_S)

    async def release(self, session_id: str) -> None:
        """Its end, and all of it is in the log."""
        request = pb.ReleaseRequest(session_id=session_id, reason=pb.RELEASE_REASON_ENDED, flushed=True)
        await self._methods["Release"](request.SerializeToString(), timeout=ASK_S)


class Publishers:
    """All of them; each asks one replica, as its edge does."""

    def __init__(self, targets: str, keys: int, hold_s: float, pids: list[int]) -> None:
        self._targets = targets.split(",")
        self._free = deque(range(keys))
        self._held: deque[tuple[float, Asker, str, int]] = deque()
        self._hold_s = hold_s
        self._pids = [*pids, os.getpid()]
        self._counting = False
        self._took_ms: list[float] = []
        self._released = 0
        self._refused: list[str] = []

    async def run(self, clients: int, seconds: float) -> dict[str, object]:
        """What is printed."""
        askers = [Asker(target) for target in self._targets]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._publish(askers[i % len(askers)], f"edge-{i}")) for i in range(clients)]
            tasks += [group.create_task(self._release()) for _ in range(RELEASERS)]
            await asyncio.sleep(BEFORE_S)
            before_s, since_s = [tree_cpu_s(pid) for pid in self._pids], monotonic_s()
            self._counting = True
            await asyncio.sleep(seconds)
            self._counting = False
            after_s, lasted_s = [tree_cpu_s(pid) for pid in self._pids], monotonic_s() - since_s
            for task in tasks:
                task.cancel()
        for asker in askers:
            await asker.channel.close()
        return {
            "seconds": lasted_s,
            "took_ms": [round(took, 2) for took in self._took_ms],
            "released": self._released,
            "refused": self._refused,
            "cpu_s": [after - before for before, after in zip(before_s, after_s, strict=True)],
        }

    async def _publish(self, control: Asker, edge: str) -> None:
        while True:
            if not self._free:
                await asyncio.sleep(0.01)
                continue
            stream, session_id, since_s = self._free.popleft(), secrets.token_hex(16), monotonic_s()
            try:
                await control.open_session(key_of(stream), edge, session_id)
                await control.allocate(session_id)
            except AioRpcError as refused:
                self._refused.append(f"{refused.code().name}: {refused.details()}")
            now_s = monotonic_s()
            if self._counting:
                self._took_ms.append(1000 * (now_s - since_s))
            self._held.append((now_s + self._hold_s, control, session_id, stream))

    async def _release(self) -> None:
        while True:
            if not self._held:
                await asyncio.sleep(0.01)
                continue
            due_s, control, session_id, stream = self._held.popleft()
            await asyncio.sleep(due_s - monotonic_s())
            try:
                await control.release(session_id)
            except AioRpcError as refused:
                self._refused.append(f"release, {refused.code().name}: {refused.details()}")
            self._released += self._counting
            self._free.append(stream)


async def publish(targets: str, keys: int, clients: int, hold_s: float, seconds: float, pids: list[int]) -> None:
    """Play edges."""
    print(json.dumps(await Publishers(targets, keys, hold_s, pids).run(clients, seconds)), flush=True)


async def report(port: int, pods: int, seconds: float, pid: int) -> None:
    """Play pods: `TRANSCODER` of three are transcoders, the others edges."""
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(pods):
            # An address of its own for each: one channel is one connection.
            target = f"ipv4:127.1.{number // 250}.{number % 250 + 1}:{port}"
            channel = open_channel(target, REPORTS, trust=PLAINTEXT)
            told = reports(said_by(number), number / pods)
            tasks.append(group.create_task(FleetClient(channel).report(told)))
        await asyncio.sleep(SETTLE_S)
        before_s, since_s = tree_cpu_s(pid), monotonic_s()
        await asyncio.sleep(seconds)
        used_s, lasted_s = tree_cpu_s(pid) - before_s, monotonic_s() - since_s
        if any(task.done() for task in tasks):
            raise SystemExit("void: a pod stopped reporting")
        print(json.dumps({"core_percent": 100 * used_s / lasted_s}), flush=True)
        for task in tasks:
            task.cancel()


def said_by(number: int) -> PodReport:
    """What a transcoder with a few runs says, or an edge with as many sessions."""
    name, target = pod_name(number), f"ipv4:127.0.0.1:{number}"
    if is_transcoder(number):
        runs = tuple(RunId(run_name(number, run)) for run in range(PODS_RUNS))
        return PodReport(name, target, "1.0", True, CAPACITY_PIXELS_S, TRANSCODERS_COST, runs, zone="z1")
    sessions = [run_name(number, run) for run in range(PODS_RUNS)]
    held = tuple(SessionReport(one, 0) for one in sessions)  # media flows
    return PodReport(name, "", "1.0", True, 0, 0, (), PodKind.EDGE, "z1", held)


def is_transcoder(number: int) -> bool:
    """The others are edges."""
    return number % 3 < TRANSCODER


async def reports(report: PodReport, after_s: float) -> AsyncIterator[PodReport]:
    """One each second, as pods do."""
    await asyncio.sleep(after_s)
    began_ms = unix_ms()
    while True:
        yield report
        await asyncio.sleep(until_next_s(began_ms, unix_ms()))


async def raw(url: str, clients: int, seconds: float) -> None:
    """The peer: nothing but the database's part of it, by one process."""
    done = 0
    until_s = monotonic_s() + seconds

    async def client(number: int) -> None:
        nonlocal done
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None) as connection:
            while monotonic_s() < until_s:
                for writes in (False, True, False, True, True, True, True):
                    async with connection.transaction():
                        if writes:
                            await connection.execute("UPDATE bench SET n = n + 1 WHERE id = %s", (number,))
                        else:
                            await connection.execute("SELECT n FROM bench WHERE id = %s", (number,))
                done += 1

    since_s = monotonic_s()
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(client(number))
    print(json.dumps({"per_s": done / (monotonic_s() - since_s)}), flush=True)


def tree_cpu_s(pid: int) -> float:
    """User and system time of a process and its children, those that have ended too."""
    used = sum(map(int, stat(pid)[11:15]))
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(FileNotFoundError):  # it has just ended
            used += sum(map(int, stat(int(child))[11:15]))
    return used * TICK_S


def stat(pid: int) -> list[str]:
    """What the kernel says of a process, behind its name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


async def main(stopping: asyncio.Event) -> None:
    """What the command line says."""
    match sys.argv[1:]:
        case ["publish", targets, keys, clients, hold, seconds, pids]:
            await publish(targets, int(keys), int(clients), float(hold), float(seconds), [*map(int, pids.split(","))])
        case ["report", port, pods, seconds, pid]:
            await report(int(port), int(pods), float(seconds), int(pid))
        case ["raw", url, clients, seconds]:
            await raw(url, int(clients), float(seconds))


if __name__ == "__main__":
    run_until_signalled(main)
