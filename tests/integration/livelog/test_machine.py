"""A log on a server stands whatever several writers do, in whatever order."""

import asyncio

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from pydantic import SecretStr

from headrace.livelog import connect
from headrace.livelog.base import LiveLog
from headrace.livelog.settings import LogSettings
from tests.support.log_machine import LogMachine
from tests.support.redis import Server


def test_several_writers_on_a_server(server: Server) -> None:
    class Log(LogMachine):
        def open(self) -> LiveLog:
            server.empty()
            return connect(LogSettings(log_cells=SecretStr(server.url)))

        def close(self) -> None:
            self.runner.run(self.run_and_stop())

        async def run_and_stop(self) -> None:
            """Who runs a log closes what it has opened."""
            running = asyncio.get_running_loop().create_task(self.log.run())
            await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait([running])

    run_state_machine_as_test(Log, settings=settings(max_examples=15, stateful_step_count=35, deadline=None))
