"""Which run is a stream's newest: looked up seldom, and remembered where the log does not answer."""

import asyncio
from typing import cast

import pytest

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.base import LiveLog, LogError, Unreachable
from headrace.origin import current as module
from headrace.origin.current import CurrentRuns
from tests.support.asgi import settle
from tests.support.runs import PlaybackLog

STREAM = StreamId("s1")


class SlowLog(PlaybackLog):
    """It answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()

    async def current(self, stream: StreamId) -> RunId | None:
        run = await super().current(stream)
        await self.answers.wait()
        return run


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module, "monotonic_s", lambda: now[0])
    return now


def over(log: PlaybackLog) -> CurrentRuns:
    log.newest[STREAM] = RunId("r1")
    return CurrentRuns(cast(LiveLog, log))


async def test_what_was_known_is_said_for_a_minute_while_the_log_is_away(log: PlaybackLog, now_s: list[float]) -> None:
    runs = over(log)
    await runs.get(STREAM)
    log.newest[STREAM] = RunId("r2")
    for _ in range(30):
        now_s[0] += 2
        log.failures = [Unreachable("away")]
        assert await runs.get(STREAM) == "r1"
        assert await runs.get(STREAM) == "r1"
        assert not log.failures
    now_s[0] += 2
    log.failures = [Unreachable("away")]
    with pytest.raises(Unreachable):
        await runs.get(STREAM)
    assert await runs.get(STREAM) == "r2"


async def test_a_stream_that_had_no_run_is_not_said_to_have_none_while_the_log_is_away(
    log: PlaybackLog, now_s: list[float]
) -> None:
    runs = over(log)
    for stream in ("unknown", "unheard-of"):
        if stream == "unknown":
            assert await runs.get(StreamId(stream)) is None
        now_s[0] += 2
        log.failures = [LogError("away")]
        with pytest.raises(LogError):
            await runs.get(StreamId(stream))


async def test_many_who_ask_at_once_cost_one_lookup() -> None:
    runs = over(log := SlowLog())
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        asked = [group.create_task(runs.get(STREAM)) for _ in range(20)]
        await settle()
        log.answers.set()
    assert {task.result() for task in asked} == {"r1"}
    assert log.calls["current"] == 1


async def test_a_log_that_is_silent_is_waited_for_no_longer_than_the_deadline(
    now_s: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKUP_S", 0.01)
    runs = over(log := SlowLog())
    with pytest.raises(Unreachable):
        await runs.get(STREAM)
    log.answers.set()
    assert await runs.get(STREAM) == "r1"
    log.answers.clear()
    now_s[0] += 2
    assert await runs.get(STREAM) == "r1"


async def test_a_lookup_that_is_given_up_is_the_next_ones() -> None:
    runs = over(log := SlowLog())
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        first, second = (group.create_task(runs.get(STREAM)) for _ in range(2))
        await settle()
        first.cancel()
        await settle()
        log.answers.set()
    assert second.result() == "r1"
