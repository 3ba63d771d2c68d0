"""A live log as a service has it: one that it was given, or one that it opened itself.

Law: who opened a log runs it, for longer than all that uses it, and asks it once a second whether it answers: one with
several cells does while any of them does. One that was given is run by its giver, in the same process, and answers.
Neighbours: the composition roots of the services that need a log.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headrace.livelog import connect
from headrace.livelog.answering import answers, cells_of
from headrace.livelog.base import LiveLog
from headrace.livelog.settings import LogSettings
from headrace.runtime.aio.tasks import beside

ASK_EVERY_S = 1.0


class OpenedLog:
    """`log`, opened as `HEADRACE_LOG_*` say where none is given. `answers`: it did just now; `has_answered`: ever."""

    def __init__(self, given: LiveLog | None) -> None:
        """Raises BadSetting."""
        self.log = connect(LogSettings()) if given is None else given
        self._is_own = given is None
        self.answers = self.has_answered = not self._is_own

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do what the log needs done while the block runs."""
        if not self._is_own:
            yield
            return
        async with beside(self.log.run()), beside(self._ask()):
            yield

    async def _ask(self) -> None:
        while True:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(answers(self.log, cell)) for cell in cells_of(self.log)]
            self.answers = any(task.result() for task in asked)
            self.has_answered = self.has_answered or self.answers
            await asyncio.sleep(ASK_EVERY_S)
