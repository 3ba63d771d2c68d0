"""What stands behind the edge in `bench-edge`: a control that lets everybody publish and a transcoder that counts.

It answers as the real one does: accepted, then progress whenever a part is full. Prints its target; writes what came,
and when, to a file once every run that began has ended.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import uvloop

from headrace.core.broadcast import Profile, RunId, Source, StreamId, StreamKey, make_plan
from headrace.core.media import Kind
from headrace.wire import media
from headrace.wire.channel import listen, make_server, serve
from headrace.wire.control import (
    Allocated,
    HeldSession,
    OpenedSession,
    PodReport,
    ReleaseReason,
    Verdict,
    add_fleet,
    add_sessions,
)
from headrace.wire.trust import PLAINTEXT

PROFILE = Profile.parse("auto")
VIDEO = Kind.VIDEO


class Sink:
    """Control and transcoder of every run; a run is called after its key."""

    def __init__(self) -> None:
        self.target = ""
        self.frames: dict[str, int] = {}
        self.arrived_us: dict[str, list[int]] = {}
        self.bytes = 0
        self.messages = 0
        self.open = 0
        self.over = asyncio.Event()

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        """Yes."""
        return OpenedSession(StreamId("s"), RunId(key.reveal()), 1, session_id, PROFILE)

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        return [Verdict(one.session_id, held=True) for one in sessions]

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """This sink."""
        return Allocated(make_plan(PROFILE, source), (self.target,))

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        """Nothing was taken."""

    async def fleet(self, reports: AsyncIterator[PodReport]) -> None:
        """The edge is there."""
        async for _ in reports:
            pass

    async def ingest(self, opened: media.Open, stream: media.IngestStream) -> None:
        """Count."""
        self.open += 1
        await stream.write(media.Accepted(0))
        arrived_us = self.arrived_us.setdefault(opened.run, [])
        frames = published = 0
        while isinstance(step := await stream.read(), media.Frames):
            now_us = time.monotonic_ns() // 1000
            self.messages += 1
            for frame in step.frames:
                frames += 1
                self.bytes += len(frame.data)
                if frame.kind is VIDEO:
                    arrived_us.append(now_us)
            if step.frames[-1].pts >= published + opened.plan.part:
                published = step.frames[-1].pts // opened.plan.part * opened.plan.part
                await stream.write(media.Progress(published, published))
        self.frames[opened.run] = frames
        self.open -= 1
        if not self.open:
            self.over.set()


async def main(result: Path) -> None:
    """Serve until every run is over."""
    sink, server = Sink(), make_server()
    add_sessions(server, sink)
    add_fleet(server, sink.fleet)
    media.add_ingest(server, sink.ingest)
    sink.target = listen(server, "127.0.0.1:0", trust=PLAINTEXT)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve(server))
        print(f"target {sink.target}", flush=True)
        await sink.over.wait()
        found = {"frames": sink.frames, "arrived_us": sink.arrived_us, "bytes": sink.bytes, "messages": sink.messages}
        result.with_suffix(".partial").write_text(json.dumps(found))
        result.with_suffix(".partial").rename(result)
        serving.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(Path(sys.argv[1])))
