"""What pods said last, and how the API shows it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from headrace.control.fleet import FORGET_S
from headrace.control.pods import PodCondition, Pods
from headrace.core.broadcast import RunId
from headrace.wire.control import PodKind, PodReport, SessionReport
from headrace.wire.errors import NotAllowed
from tests.unit.control.support import Clock, Control

NOW_MS = 1_700_000_000_000
TRANSCODER = PodReport("t1", "t1:7071", "1.0", True, 1000, 400, (RunId("r"),), zone="a")
EDGE = PodReport("e1", "", "1.0", True, 0, 0, (), PodKind.EDGE, "b", (SessionReport("s", 0),))


class Heard:
    """Pods that hear what a test lets a pod say; what comes behind them is kept."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pods = Pods(3.0, self.clock, lambda: NOW_MS)
        self.passed: list[PodReport] = []

    async def say(self, *reports: PodReport, lost: bool = False) -> None:
        """One call of a pod's; it is its goodbye unless it is `lost`."""

        async def reporting() -> AsyncIterator[PodReport]:
            for report in reports:
                yield report
            if lost:
                raise ConnectionError

        async def serve(said: AsyncIterator[PodReport]) -> None:
            self.passed += [report async for report in said]

        with contextlib.suppress(ConnectionError):
            await self.pods.before(serve)(reporting())


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def test_each_pod_is_shown_by_its_last_report(heard: Heard) -> None:
    await heard.say(TRANSCODER, PodReport("t1", "t1:7071", "1.1", False, 1000, 0, ()), lost=True)
    await heard.say(EDGE, lost=True)
    heard.clock.now_s += 1
    edge, transcoder = heard.pods.seen()
    assert (edge.report, edge.heard_s, edge.condition) == (EDGE, 1, PodCondition.READY)
    assert (transcoder.report.version, transcoder.condition) == ("1.1", PodCondition.NOT_READY)


async def test_everything_that_is_heard_goes_on_to_the_fleet(heard: Heard) -> None:
    await heard.say(TRANSCODER, TRANSCODER)
    assert heard.passed == [TRANSCODER, TRANSCODER]


async def test_nobody_else_reports_by_a_transcoders_name(heard: Heard) -> None:
    await heard.say(replace(EDGE, pod="t1"), lost=True)
    await heard.say(TRANSCODER, lost=True)
    impostor = replace(EDGE, pod="t1", target="elsewhere:7071")
    with pytest.raises(NotAllowed, match="HEADRACE_POD"):
        await heard.say(impostor)
    assert [one.report for one in heard.pods.seen()] == [TRANSCODER]
    heard.clock.now_s += FORGET_S
    await heard.say(impostor, lost=True)
    assert [one.report for one in heard.pods.seen()] == [impostor]


async def test_a_pod_that_says_goodbye_is_gone_at_once_and_a_lost_one_is_silent_for_a_minute(heard: Heard) -> None:
    await heard.say(EDGE)
    await heard.say(TRANSCODER, lost=True)
    heard.clock.now_s += 3
    [silent] = heard.pods.seen()
    assert (silent.report, silent.condition) == (TRANSCODER, PodCondition.SILENT)
    heard.clock.now_s += 57
    assert heard.pods.seen() == []


async def test_the_goodbye_of_a_call_that_another_has_followed_says_nothing(heard: Heard) -> None:
    async def reporting() -> AsyncIterator[PodReport]:
        yield EDGE
        await heard.say(EDGE, lost=True)

    async def serve(said: AsyncIterator[PodReport]) -> None:
        async for _ in said:
            pass

    await heard.pods.before(serve)(reporting())
    assert len(heard.pods.seen()) == 1


async def test_clocks_are_compared_where_a_report_says_the_time_and_stay_known(heard: Heard) -> None:
    ahead = PodReport("e1", "", "1.0", True, 0, 0, (), PodKind.EDGE, sent_ms=NOW_MS + 2500)
    await heard.say(ahead, EDGE, lost=True)
    await heard.say(TRANSCODER, lost=True)
    edge, transcoder = heard.pods.seen()
    assert edge.clock_ms == 2500
    assert transcoder.clock_ms is None


async def test_the_api_shows_the_fleet(parts: Control) -> None:
    heard = Heard()
    parts.pods = heard.pods
    await heard.say(TRANSCODER, lost=True)
    await heard.say(EDGE, lost=True)
    async with parts.client() as client:
        answer = await client.get("/v1/pods")
    fleet = answer.json()
    assert answer.status_code == 200
    assert fleet["version"]
    assert fleet["now"].endswith("Z")
    edge, transcoder = fleet["pods"]
    assert (edge["kind"], edge["sessions"], edge["zone"]) == ("edge", 1, "b")
    assert transcoder == {
        "pod": "t1",
        "kind": "transcoder",
        "zone": "a",
        "version": "1.0",
        "condition": "ready",
        "target": "t1:7071",
        "capacity_pixels_s": 1000,
        "used_pixels_s": 400,
        "held_pixels_s": 0,
        "runs": 1,
        "sessions": 0,
        "heard_s": 0.0,
        "clock_ms": None,
    }


async def test_the_fleet_is_for_those_with_the_key(parts: Control) -> None:
    async with parts.client(Authorization="Bearer wrong") as client:
        assert (await client.get("/v1/pods")).status_code == 401
