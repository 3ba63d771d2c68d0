"""Our side: a worker process as the supervisor starts it, fed through the product's own end of the pipe."""

import asyncio
import socket
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from headrace.core.broadcast import Init, Plan
from headrace.core.media import TICKS_PER_S, Kind
from headrace.transcoder.pipe import Done, Failed, Flush, Made
from headrace.transcoder.process import WORKER_COMMAND
from headrace.transcoder.supervisor_end import SupervisorEnd
from tests.bench.transcode_usage import Usage, watch
from tests.integration.transcoder.harness import Clip, begin_of

INPUT_BYTES = 4 << 20  # as the supervisor's default


@dataclass
class Transcoded:
    """What the worker made and used; `feeding_s` is processor time on our end of the pipe."""

    usage: Usage = field(init=False)
    feeding_s: float = 0
    streams: dict[str, bytes] = field(default_factory=lambda: defaultdict(bytes))
    delays_ms: list[float] = field(default_factory=list)
    """Of each part of video, from when the last of its access units was given to when it came."""

    def write(self, folder: Path) -> dict[str, Path]:
        """Each rung's initialization section and parts as a file."""
        for rung, data in self.streams.items():
            (folder / f"ours-{rung}.mp4").write_bytes(data)
        return {rung: folder / f"ours-{rung}.mp4" for rung in self.streams}


def transcode(clip: Clip, plan: Plan, *, paced: bool = False) -> Transcoded:
    """Have a worker transcode `clip`: as fast as it can, or `paced` as an encoder would send it."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([*WORKER_COMMAND, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    try:
        return asyncio.run(_transcode(clip, plan, ours, process.pid, paced))
    finally:
        process.returncode = 0  # it was waited for


async def _transcode(clip: Clip, plan: Plan, ours: socket.socket, pid: int, paced: bool) -> Transcoded:
    pipe = await SupervisorEnd.over(ours, INPUT_BYTES)
    run = Transcoded()
    given_s: dict[int, float] = {}  # by pts
    start_s = time.thread_time()
    async with asyncio.TaskGroup() as group:
        usage = group.create_task(asyncio.to_thread(watch, pid))
        group.create_task(_collect(pipe, run, given_s))
        await pipe.send(begin_of(plan, clip.source))
        zero_s = time.monotonic() - clip.frames[0].dts / TICKS_PER_S
        for frame in clip.frames:
            if paced:
                await asyncio.sleep(zero_s + frame.dts / TICKS_PER_S - time.monotonic())
            if frame.kind is Kind.VIDEO:
                given_s[frame.pts] = time.monotonic()
            await pipe.send(frame)
        await pipe.send(Flush())
    pipe.close()
    run.usage, run.feeding_s = usage.result(), time.thread_time() - start_s
    return run


async def _collect(pipe: SupervisorEnd, run: Transcoded, given_s: dict[int, float]) -> None:
    while not isinstance(message := await pipe.receive(), Done):
        match message:
            case Init(rung=rung, data=data):
                run.streams[rung] += data
            case Made(part, data):
                run.streams[part.rung] += data
                last_s = max((at for pts, at in given_s.items() if part.start <= pts < part.end), default=None)
                if last_s is not None and part.rung != "audio":
                    run.delays_ms.append(1000 * (time.monotonic() - last_s))
            case None | Failed():
                raise SystemExit(f"the worker failed: {message}")
