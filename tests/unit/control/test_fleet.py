"""The fleet: who is alive, who is suspect, and what changed."""

from collections.abc import AsyncIterator

import pytest

from headrace.control.fleet import FORGET_S, Fleet
from headrace.core.broadcast import RunId
from headrace.wire.control import PodKind, PodReport, SessionReport
from tests.unit.control.support import Clock

A, B = RunId("a"), RunId("b")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(clock: Clock) -> Fleet:
    return Fleet(3.0, clock)


def report(*runs: RunId, pod: str = "t1", used: int = 1, ready: bool = True, capacity: int = 100) -> PodReport:
    return PodReport(pod, f"unix:/{pod}", "1", ready, capacity, used, runs)


def edge(*sessions: tuple[str, int]) -> PodReport:
    held = tuple(SessionReport(one, idle_ms) for one, idle_ms in sessions)
    return PodReport("e1", "", "1", True, 0, 0, (), PodKind.EDGE, "zone-a", held)


def pods(fleet: Fleet, cost: int) -> list[str]:
    return [one.pod for one in fleet.candidates(cost, "")]


def test_a_transcoder_that_is_silent_for_three_seconds_is_suspect_and_gets_nothing(fleet: Fleet, clock: Clock) -> None:
    fleet.report(report())
    clock.now_s += 2.9
    assert pods(fleet, 1) == ["t1"]
    assert fleet.suspects() == set()
    clock.now_s += 0.1
    assert fleet.alive() == []
    assert pods(fleet, 1) == []
    assert fleet.suspects() == {"unix:/t1"}
    fleet.report(report())
    assert pods(fleet, 1) == ["t1"]
    assert fleet.suspects() == set()


def test_a_draining_transcoder_gets_nothing_new(fleet: Fleet) -> None:
    fleet.report(report())
    fleet.report(report(ready=False))
    assert pods(fleet, 1) == []
    assert len(fleet.alive()) == 1


def test_room_is_what_neither_its_report_nor_the_database_has_given_away(fleet: Fleet) -> None:
    fleet.report(report(used=30))
    assert pods(fleet, 70) == ["t1"]
    fleet.hold("t1", 60)
    assert (pods(fleet, 41), pods(fleet, 40)) == ([], ["t1"])
    fleet.hold("t1", 0)
    assert (pods(fleet, 71), pods(fleet, 70)) == ([], ["t1"])


def test_edges_and_origins_are_no_transcoders(fleet: Fleet) -> None:
    fleet.report(edge())
    assert (fleet.alive(), pods(fleet, 0), fleet.unwritten) == ([], [], set())
    assert fleet.zone("e1") == "zone-a"
    assert fleet.zone("e2") == ""


def test_a_row_is_to_be_written_when_it_changes_and_not_by_every_report(fleet: Fleet) -> None:
    fleet.report(report())
    assert fleet.unwritten == {"t1"}
    fleet.unwritten.clear()
    fleet.report(report(A, used=50))
    assert fleet.unwritten == set()
    for changed in (report(ready=False), report(capacity=200)):
        fleet.report(changed)
        assert fleet.unwritten == {"t1"}
        fleet.unwritten.clear()


def test_what_a_transcoder_lets_go_of_is_told_once(fleet: Fleet, clock: Clock) -> None:
    fleet.report(report(A, B))
    clock.now_s += 1
    fleet.report(report(B))
    fleet.report(report(B))
    assert list(fleet.dropped) == [("t1", A, 1000.0)]


def test_what_an_edge_says_of_a_session_is_remembered_with_its_time(fleet: Fleet, clock: Clock) -> None:
    fleet.report(edge(("s1", 0), ("s2", 2500)))
    assert fleet.session("s2") == (SessionReport("s2", 2500), 1000.0)
    assert fleet.session("s3") is None


def test_a_call_of_the_edge_says_nothing_of_its_media(fleet: Fleet, clock: Clock) -> None:
    fleet.report(edge(("s1", 2500)))
    clock.now_s += 1
    fleet.hear_session("s1")
    assert fleet.session("s1") == (SessionReport("s1", 3500), 1001.0)


def test_the_fleet_is_known_after_the_time_for_everybodys_report(fleet: Fleet, clock: Clock) -> None:
    fleet.report(report())
    assert not fleet.known
    clock.now_s += 3.0
    assert fleet.known


def test_nobody_is_silent_before_this_process_has_listened_for_long_enough(fleet: Fleet, clock: Clock) -> None:
    clock.now_s += FORGET_S - 1
    assert fleet.silent(["t1"]) == []
    fleet.report(report())
    clock.now_s += 1
    assert fleet.silent(["t1", "t2"]) == ["t2"]
    clock.now_s += FORGET_S
    fleet.forget()
    assert fleet.silent(["t1"]) == ["t1"]
    assert fleet.suspects() == set()


async def test_a_pod_that_says_goodbye_gets_nothing_at_once(fleet: Fleet) -> None:
    async def reports() -> AsyncIterator[PodReport]:
        yield report()
        assert len(fleet.alive()) == 1

    await fleet.serve(reports())
    assert fleet.alive() == []
    assert pods(fleet, 1) == []


async def test_a_pod_that_is_lost_is_given_its_three_seconds(fleet: Fleet) -> None:
    async def reports() -> AsyncIterator[PodReport]:
        yield report()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await fleet.serve(reports())
    assert len(fleet.alive()) == 1
