"""The supervisor, where a worker that it is given is of no use."""

import asyncio
from typing import Any, cast

import pytest

from headrace.core.broadcast import Refused, RunId
from headrace.livelog.memory import MemoryLog
from headrace.transcoder.capacity import Capacity
from headrace.transcoder.pipe import Message, PipeBroken
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.media import Open
from tests.support.broadcasts import PLAN, SOURCE


class Gone:
    """Stands for the pool, and for a worker of it that has closed its pipe."""

    ended = False

    def __init__(self) -> None:
        self.pipe = self

    async def take(self, run: RunId) -> "Gone":
        return self

    async def send(self, message: Message) -> None:
        raise PipeBroken("the pipe is closed")

    async def end(self) -> str:
        self.ended = True
        return "killed by SIGKILL"


async def test_a_worker_that_died_before_it_heard_of_its_run_is_a_refusal() -> None:
    capacity, gone = Capacity(10**12), Gone()
    supervisor = Supervisor(MemoryLog(), capacity, TranscoderSettings(workers_warm=0))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(supervisor.run())
        await asyncio.sleep(0)
        pool, supervisor._pool = supervisor._pool, cast(Any, gone)
        with pytest.raises(Refused, match="SIGKILL"):
            await supervisor.take(Open(RunId("run"), 1, "session", 1, 0, PLAN, SOURCE, anchor_ms=0))
        assert gone.ended
        assert (supervisor.runs, capacity.used) == ((), 0)
        supervisor._pool = pool
        running.cancel()
