"""A log as a service has it: opened by itself, or given."""

import asyncio
from collections.abc import Callable

import pytest

from headrace.core.broadcast import RunId
from headrace.livelog import opened
from headrace.livelog.base import Cursor, Reading, Unreachable
from headrace.livelog.memory import MemoryLog
from headrace.livelog.opened import OpenedLog
from headrace.runtime.config import BadSetting


class Away(MemoryLog):
    """A log whose cells are away or not, and that knows whether it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = ("a", "b")
        self.away = {"a", "b"}
        self.runs = False

    async def run(self) -> None:
        self.runs = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.runs = False

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        if run.partition("-")[0] in self.away:
            raise Unreachable("it is away")
        return await super().read(run, cursor)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Away:
    """What the environment names."""
    log = Away()
    monkeypatch.setattr(opened, "connect", lambda _: log)
    monkeypatch.setattr(opened, "ASK_EVERY_S", 0.001)
    return log


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(5000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not come to hold")


async def test_one_that_it_opened_is_run_for_as_long_as_the_block_and_asked_whether_it_answers(log: Away) -> None:
    own = OpenedLog(None)
    assert own.log is log
    assert not own.answers
    async with own.running():
        await until(lambda: log.runs)
        assert not own.has_answered
        log.away = {"a"}  # no reason to take nothing for the other one
        await until(lambda: own.answers)
        log.away = {"a", "b"}
        await until(lambda: not own.answers)
        assert own.has_answered
    assert not log.runs


async def test_one_that_it_was_given_is_its_givers_to_run_and_answers(log: Away) -> None:
    given = OpenedLog(log)
    assert given.answers
    assert given.has_answered
    async with given.running():
        await asyncio.sleep(0.01)
        assert not log.runs
        assert given.answers


def test_without_any_it_is_a_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_LOG_CELLS", raising=False)
    with pytest.raises(BadSetting, match="HEADRACE_LOG_CELLS"):
        OpenedLog(None)
