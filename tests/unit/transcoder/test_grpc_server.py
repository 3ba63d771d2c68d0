"""One Ingest call, without a network: what it tells the edge, and in which order."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from headrace.core.broadcast import Claim, Epoch, Gap, RunId, RunStart
from headrace.livelog.memory import MemoryLog
from headrace.transcoder.grpc_server import Ingest
from headrace.transcoder.pipe import Done, Flush, Message
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.work import Work
from headrace.transcoder.writer import Writer
from headrace.wire.media import Accepted, End, Progress
from tests.support.broadcasts import PLAN

END = 180_000


class Worker:
    """Stands for a worker process and its pipe: at Flush it gives one gap in every rung, and is done."""

    def __init__(self) -> None:
        self.pipe = self
        self._up: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        assert isinstance(message, Flush)
        for rung in PLAN.rung_names:
            self._up.put_nowait(Gap(rung, 0, 0, 0, END, 0, True, segment_end=True))
        self._up.put_nowait(Done())

    async def receive(self) -> Message:
        return await self._up.get()

    async def end(self) -> str:
        return "exit 0"

    def kill(self) -> None:
        """It is no process."""


class Edge:
    """Stands for the call: the source ends at once, and each message takes a while to be written."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.writing = False

    async def read(self) -> End:
        return End()

    async def write(self, step: object) -> None:
        assert not self.writing, "gRPC takes one write at a time, also after one that was cancelled"
        self.writing = True
        for _ in range(50):
            await asyncio.sleep(0)
        self.writing = False
        self.told.append(step)


async def test_everything_that_was_published_is_told_one_message_at_a_time() -> None:
    writer = Writer(MemoryLog(), RunId("run"), Claim(Epoch(1, 1), "session", writer="w"), RunStart(PLAN, 0))
    await writer.take(0)
    work = Work(RunId("run"), PLAN, 0, writer, cast(Any, Worker()), TranscoderSettings())

    class Supervisor:
        async def take(self, opened: object) -> Work:
            return work

    edge = Edge()
    async with asyncio.TaskGroup() as group:
        group.create_task(work.run())
        opened = SimpleNamespace(run="r", session=1, attempt=1)
        await Ingest(cast(Any, Supervisor())).serve(cast(Any, opened), cast(Any, edge))
    assert edge.told[0] == Accepted(0)
    assert edge.told[-1] == Progress(END, END)
