"""The fleet: who is alive, and what is promised."""

from collections.abc import AsyncIterator

import pytest

from headrace.control.fleet import HOLD_S, Fleet
from headrace.core.broadcast import RunId
from headrace.wire.control import PodReport
from tests.unit.control.support import Clock

A, B = RunId("a"), RunId("b")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(clock: Clock) -> Fleet:
    return Fleet(3.0, clock)


def report(*runs: RunId, pod: str = "t1", used: int = 1, ready: bool = True) -> PodReport:
    return PodReport(pod, f"unix:/{pod}", "1", ready, 100, used, runs)


def test_a_transcoder_that_is_silent_for_three_seconds_is_forgotten(fleet: Fleet, clock: Clock) -> None:
    fleet.report(report())
    clock.now_s += 2.9
    assert len(fleet.alive()) == 1
    clock.now_s += 0.1
    assert fleet.alive() == []
    assert fleet.place(A, 1) == ()


def test_what_was_promised_counts_until_it_is_reported(fleet: Fleet) -> None:
    fleet.report(report())
    assert fleet.place(A, 60) == ("unix:/t1",)
    assert fleet.place(B, 60) == ()
    fleet.report(report(A, used=30))
    assert fleet.place(B, 60) == ("unix:/t1",)


def test_a_promise_that_nobody_used_lapses(fleet: Fleet, clock: Clock) -> None:
    fleet.report(report())
    fleet.place(A, 60)
    clock.now_s += HOLD_S
    fleet.report(report())
    assert fleet.place(B, 60) == ("unix:/t1",)


def test_a_released_run_holds_nothing(fleet: Fleet) -> None:
    fleet.report(report())
    fleet.place(A, 60)
    fleet.release(A)
    assert fleet.place(B, 60) == ("unix:/t1",)


def test_asking_again_for_the_same_run_holds_it_once(fleet: Fleet) -> None:
    fleet.report(report())
    assert fleet.place(A, 60) == fleet.place(A, 60) == ("unix:/t1",)


def test_standbys_are_named_after_the_choice(fleet: Fleet) -> None:
    for pod, used in (("t1", 10), ("t2", 50), ("t3", 30), ("t4", 0)):
        fleet.report(report(pod=pod, used=used))
    assert fleet.place(A, 20) == ("unix:/t2", "unix:/t3", "unix:/t1")


def test_the_fleet_is_known_after_a_report_or_after_the_time_for_one(clock: Clock) -> None:
    fleet = Fleet(3.0, clock)
    assert not fleet.known
    fleet.report(report())
    assert fleet.known
    silent = Fleet(3.0, clock)
    clock.now_s += 3.0
    assert silent.known


async def test_a_pod_that_says_goodbye_is_gone_at_once(fleet: Fleet) -> None:
    async def reports() -> AsyncIterator[PodReport]:
        yield report()
        assert len(fleet.alive()) == 1

    await fleet.serve(reports())
    assert fleet.alive() == []


async def test_a_pod_that_is_lost_is_given_its_three_seconds(fleet: Fleet) -> None:
    async def reports() -> AsyncIterator[PodReport]:
        yield report()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await fleet.serve(reports())
    assert len(fleet.alive()) == 1
