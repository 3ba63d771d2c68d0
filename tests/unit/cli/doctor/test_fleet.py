"""What the doctor makes of the fleet."""

from dataclasses import replace

import pytest

from headrace.cli.doctor.api import Fleet, Pod
from headrace.cli.doctor.fleet import capacity, clocks, pods, versions
from headrace.cli.doctor.results import Outcome, Result

EDGE = Pod("edge-0", "edge", "a", "1.0", "ready", "", 0, 0, 0, 0.5, 20)
TRANSCODER = Pod("transcoder-0", "transcoder", "a", "1.0", "ready", "t0:7071", 10**9, 0, 0, 0.5, -30)
ORIGIN = Pod("origin-0", "origin", "a", "1.0", "ready", "", 0, 0, 0, 0.5, None)
FLEET = Fleet("1.0", True, 5, (EDGE, TRANSCODER, ORIGIN))


def with_pods(*given: Pod) -> Fleet:
    return replace(FLEET, pods=given)


def wrong(results: list[Result]) -> list[tuple[str, str, Outcome]]:
    return [(each.check, each.subject, each.outcome) for each in results if each.wrong]


def test_of_a_healthy_fleet_nothing_is_said_to_be_wrong() -> None:
    found = [*versions(FLEET, "1.0"), *pods(FLEET), *clocks(FLEET, 12), *capacity(FLEET)]
    assert wrong(found) == []
    assert {each.outcome for each in found} == {Outcome.OK}


def test_mixed_versions_say_who_has_which() -> None:
    [found] = versions(with_pods(EDGE, replace(TRANSCODER, version="1.1"), ORIGIN), "1.0")
    assert found.outcome is Outcome.WARNING
    assert found.seen == "1.0: control, edge-0, origin-0; 1.1: transcoder-0"


def test_a_doctor_of_another_version_says_so() -> None:
    assert wrong(versions(FLEET, "0.9")) == [("versions", "doctor", Outcome.WARNING)]


def test_of_many_pods_a_few_are_named() -> None:
    many = tuple(replace(TRANSCODER, pod=f"t{number:03}", version="2") for number in range(40))
    [found] = versions(with_pods(*many), "1.0")
    assert "t004 and 35 more" in found.seen


def test_a_silent_pod_is_a_failure_and_one_that_is_not_ready_a_warning() -> None:
    silent = replace(TRANSCODER, pod="transcoder-1", condition="silent", heard_s=7.4)
    draining = replace(EDGE, pod="edge-1", condition="not_ready")
    found = pods(with_pods(EDGE, TRANSCODER, ORIGIN, silent, draining))
    assert wrong(found) == [("pods", "transcoder-1", Outcome.FAILURE), ("pods", "edge-1", Outcome.WARNING)]
    assert "no report for 7 s" in found[0].seen


@pytest.mark.parametrize("kind", ["edge", "transcoder"])
def test_without_any_edge_or_transcoder_nobody_can_publish(kind: str) -> None:
    found = pods(with_pods(*(pod for pod in FLEET.pods if pod.kind != kind)))
    assert wrong(found) == [("pods", f"{kind}s", Outcome.FAILURE)]


def test_origins_that_report_to_nobody_are_warned_of_but_not_in_one_process() -> None:
    assert wrong(pods(with_pods(EDGE, TRANSCODER))) == [("pods", "origins", Outcome.WARNING)]
    assert wrong(pods(with_pods(EDGE, replace(TRANSCODER, target="unix:/t")))) == []


def test_control_that_has_just_started_says_that_it_does_not_know_everybody() -> None:
    assert wrong(pods(replace(FLEET, complete=False))) == [("pods", "control", Outcome.WARNING)]


@pytest.mark.parametrize(
    ("ahead_ms", "outcome"),
    [
        (0, Outcome.OK),
        (999, Outcome.OK),
        (-999, Outcome.OK),
        (1000, Outcome.WARNING),
        (-9999, Outcome.WARNING),
        (10_000, Outcome.FAILURE),
        (-60_000, Outcome.FAILURE),
    ],
)
def test_each_clock_is_judged_by_how_far_it_is_off(ahead_ms: int, outcome: Outcome) -> None:
    [control, database, pod] = clocks(replace(with_pods(replace(EDGE, clock_ms=ahead_ms)), clock_ms=ahead_ms), ahead_ms)
    assert {control.outcome, database.outcome, pod.outcome} == {outcome}
    if ahead_ms:
        assert ("ahead of" if ahead_ms > 0 else "behind") in control.seen or outcome is Outcome.OK


def test_a_clock_that_nobody_told_is_not_judged() -> None:
    assert [each.subject for each in clocks(with_pods(ORIGIN), None)] == ["control"]


def test_room_is_told_in_streams() -> None:
    [found, _] = capacity(FLEET)
    assert found.outcome is Outcome.OK
    fits = int(found.seen.partition(": ")[2].partition(" ")[0])
    assert 0 < fits < 10**9 // (1920 * 1080 * 30)
    [held, _] = capacity(with_pods(EDGE, replace(TRANSCODER, held=5 * 10**8, used=10**8)))
    assert held.seen.startswith("500 of 1000 Mpixel/s free")


def test_a_full_fleet_is_warned_of_and_none_at_all_is_a_failure() -> None:
    assert wrong(capacity(with_pods(EDGE, replace(TRANSCODER, used=10**9)))) == [
        ("capacity", "transcoders", Outcome.WARNING)
    ]
    assert wrong(capacity(with_pods(EDGE, replace(TRANSCODER, condition="silent")))) == [
        ("capacity", "transcoders", Outcome.FAILURE)
    ]


def test_edges_in_a_zone_without_transcoders_are_named() -> None:
    found = capacity(with_pods(EDGE, replace(EDGE, pod="edge-1", zone="b"), TRANSCODER))
    assert wrong(found) == [("capacity", "zones", Outcome.WARNING)]
    assert "edges in b send" in found[-1].wrong
