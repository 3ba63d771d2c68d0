"""The origin that `bench-origin` measures: the real service over a memory log, in a process of its own.

A window of made-up parts, of realistic sizes, is there from the start. With `live` as its argument the run goes on,
each part in its time. Prints `port <n>`, then `appended <rung> <msn> <part> <monotonic s>` before each append.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace

from headrace.core.broadcast import Claim, Entry, Epoch, Part, Plan, RunId, RunStart
from headrace.core.media import TICKS_PER_S
from headrace.livelog.base import Append
from headrace.livelog.memory import MemoryLog
from headrace.origin.service import OriginSettings, build
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.http import serve_http
from headrace.runtime.lifecycle import listen_tcp, run_until_signalled
from headrace.standalone.http import OnePort
from headrace.transcoder.writer import Writer
from tests.support.runs import parts_of, plan_of, start_of

STREAM, RUN = "st_bench", "run_bench"
PARTS = 6  # of a segment of two seconds
KEYFRAME_BYTES, PICTURES_BYTES, SOUND_BYTES = 200_000, 40_000, 5_400
BYTES = {size: bytes(i * 37 % 251 for i in range(size)) for size in (KEYFRAME_BYTES, PICTURES_BYTES, SOUND_BYTES)}
PLAN = plan_of()

Sized = tuple[Entry, bytes | None]


async def main(stopping: asyncio.Event) -> None:
    """Serve until signalled."""
    log = MemoryLog()
    start, *inits = start_of(PLAN)
    assert isinstance(start, RunStart)
    writer = Writer(log, RunId(RUN), Claim(Epoch(0, 0), "session", "writer"), start)
    await writer.take(0)
    full = 2 * PLAN.window_s * TICKS_PER_S // PLAN.segment
    await writer.append([Append(entry) for entry in inits])
    for msn in range(full):
        await writer.append([Append(*entry) for step in steps(PLAN, msn) for entry in step])
    origin = build(OriginSettings(), log=log)
    sock = listen_tcp("127.0.0.1", 0, "HTTP")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(origin.run())]
        tasks.append(group.create_task(serve_http(OnePort(origin.http_app, origin.http_app), sock)))
        if sys.argv[1:] == ["live"]:
            tasks.append(group.create_task(go_on(writer, full)))
        print(f"port {sock.getsockname()[1]}", flush=True)
        await stopping.wait()
        for task in tasks:
            task.cancel()


async def go_on(writer: Writer, msn: int) -> None:
    """Append every part in its time; the renditions' follow each other at once, as a worker hands them over."""
    due_s = monotonic_s()
    while True:
        for step in steps(PLAN, msn):
            due_s += PLAN.segment / TICKS_PER_S / PARTS
            await asyncio.sleep(due_s - monotonic_s())
            for entry, data in step:
                assert isinstance(entry, Part)
                print(f"appended {entry.rung} {entry.msn} {entry.part} {monotonic_s()}", flush=True)
                await writer.append([Append(entry, data)])
                await asyncio.sleep(0)
        msn += 1


def steps(plan: Plan, msn: int) -> Iterator[list[Sized]]:
    """A segment's parts: for each in turn, that of every rendition."""
    for parts in zip(*(parts_of(plan, rung, msn, of=PARTS, count=PARTS) for rung in plan.rung_names), strict=True):
        yield [sized(part) for part in parts if isinstance(part, Part)]


def sized(part: Part) -> Sized:
    """The part with as many bytes as real ones have."""
    size = SOUND_BYTES if part.rung == "audio" else KEYFRAME_BYTES if part.part == 0 else PICTURES_BYTES
    return replace(part, size=size), BYTES[size]


if __name__ == "__main__":
    run_until_signalled(main)
