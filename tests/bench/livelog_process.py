"""The writers and the reader that `bench-livelog` measures, each a process of its own over the real log.

`write URL RUNS SECONDS` appends each part of each run in its time, one batch for all renditions, and prints
`appended <run> <msn> <part> <monotonic s>` from before each append. `follow URL RUNS` prints `ready`, then `visible`
with the same words when the last rendition's part of such a batch was handed to a reader on another connection, until
it is signalled. `flood URL MEGABYTES` appends as fast as it can and prints `flooded <bytes>`; `set URL MEGABYTES` does
the same with bare SETs of the same sizes, pipelined, by the same client.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace

import redis.asyncio
from pydantic import SecretStr

from headrace.core.broadcast import Claim, Entry, Epoch, Part, RunId, RunStart
from headrace.core.media import TICKS_PER_S
from headrace.livelog import connect
from headrace.livelog.base import Append, Cursor, LiveLog, NoRun
from headrace.livelog.settings import LogSettings
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.lifecycle import run_until_signalled
from headrace.transcoder.writer import Writer
from tests.support.runs import parts_of, plan_of, start_of

PLAN = plan_of()
PARTS = 6  # of a segment of two seconds
# Sizes of a ladder's parts in an ordinary scene at some 7 Mbit/s, the highest rendition first and sound last.
VIDEO_BYTES = 150_000, 80_000, 40_000, 20_000, 10_000
AUDIO_BYTES = 5_400
SIZES = {**dict(zip((rung.name for rung in PLAN.video), VIDEO_BYTES, strict=True)), PLAN.rung_names[-1]: AUDIO_BYTES}
BYTES = {rung: bytes(i * 37 % 251 for i in range(size)) for rung, size in SIZES.items()}
REPLICAS = 1
LAST_RUNG = PLAN.rung_names[-1]


async def write(log: LiveLog, runs: int, seconds: float) -> None:
    """All runs, spread over the length of a part."""
    part_s = PLAN.segment / TICKS_PER_S / PARTS
    from_s = monotonic_s() + 1.0
    async with asyncio.TaskGroup() as group:
        for number in range(runs):
            group.create_task(write_one(log, number, from_s + part_s * number / runs, part_s, int(seconds / part_s)))


async def write_one(log: LiveLog, number: int, due_s: float, part_s: float, parts: int) -> None:
    """One run, in its time."""
    run = RunId(f"run{number}")
    writer = await begun(log, run)
    for (msn, part), batch in steps(parts):
        await asyncio.sleep(due_s - monotonic_s())
        print(f"appended {run} {msn} {part} {monotonic_s()}", flush=True)
        await writer.append(batch)
        due_s += part_s


async def flood(log: LiveLog, megabytes: int) -> None:
    """As many parts as make so many bytes."""
    sizes = sum(SIZES.values())
    parts = megabytes * 1_000_000 // sizes
    writer = await begun(log, RunId("flood"))
    for _, batch in steps(parts):
        await writer.append(batch)
    print(f"flooded {parts * sizes}", flush=True)


async def begun(log: LiveLog, run: RunId) -> Writer:
    """A new run's writer."""
    start, *inits = start_of(PLAN)
    assert isinstance(start, RunStart)
    writer = Writer(log, run, Claim(Epoch(1, 1), "session", "writer"), start)
    await writer.take(0)
    await writer.append([Append(entry) for entry in inits])
    return writer


def steps(parts: int) -> Iterator[tuple[tuple[int, int], list[Append]]]:
    """Each part of all renditions, with its place."""
    for msn in range(-(-parts // PARTS)):
        segments = [parts_of(PLAN, rung, msn, of=PARTS) for rung in PLAN.rung_names]
        for part, entries in enumerate(zip(*segments, strict=True)):
            if msn * PARTS + part < parts:
                yield (msn, part), [sized(entry) for entry in entries]


def sized(entry: Entry) -> Append:
    """A part with bytes of its rendition's size."""
    assert isinstance(entry, Part)
    return Append(replace(entry, size=SIZES[entry.rung]), BYTES[entry.rung])


async def follow(log: LiveLog, runs: int, stopping: asyncio.Event) -> None:
    """All runs, as an origin does."""
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(follow_one(log, RunId(f"run{number}"))) for number in range(runs)]
        print("ready", flush=True)
        await stopping.wait()
        for task in following:
            task.cancel()


async def follow_one(log: LiveLog, run: RunId) -> None:
    """One run, from when it is there."""
    while True:
        try:
            async for reading in log.follow(run, Cursor(0, "")):
                now_s = monotonic_s()
                for published in reading.entries:
                    entry = published.entry
                    if isinstance(entry, Part) and entry.rung == LAST_RUNG and not reading.whole:
                        print(f"visible {run} {entry.msn} {entry.part} {now_s}", flush=True)
        except NoRun:
            await asyncio.sleep(0.05)


async def bare_sets(url: str, megabytes: int) -> None:
    """The peer: the same bytes under as many keys, and nothing else."""
    sizes = sum(SIZES.values())
    parts = megabytes * 1_000_000 // sizes
    async with redis.asyncio.Redis.from_url(url) as client:
        for number in range(parts):
            async with client.pipeline(transaction=False) as pipeline:
                for rung, data in BYTES.items():
                    pipeline.set(f"bare:{rung}:{number}", data, ex=70)
                await pipeline.execute()
    print(f"flooded {parts * sizes}", flush=True)


async def main(stopping: asyncio.Event) -> None:
    """What the command line says."""
    what, url, amount, *more = sys.argv[1:]
    if what == "set":
        return await bare_sets(url.partition(",")[0], int(amount))
    log = connect(LogSettings(log_cells=SecretStr(url), log_replicas=REPLICAS))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(log.run())
        match what:
            case "write":
                await write(log, int(amount), float(more[0]))
            case "follow":
                await follow(log, int(amount), stopping)
            case "flood":
                await flood(log, int(amount))
        running.cancel()


if __name__ == "__main__":
    run_until_signalled(main)
