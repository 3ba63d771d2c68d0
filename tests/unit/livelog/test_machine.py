"""The memory log stands whatever several writers do, in whatever order."""

from hypothesis import settings

from headrace.livelog.base import LiveLog
from headrace.livelog.memory import MemoryLog
from tests.support.log_machine import LogMachine


class Log(LogMachine):
    def open(self) -> LiveLog:
        return MemoryLog()


Log.TestCase.settings = settings(max_examples=50, stateful_step_count=35)
TestLog = Log.TestCase
