"""Verdicts on the fleet: versions, clocks, pods, room.

Law: pure: what the API told, in; results out.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from headrace.cli.doctor.api import Fleet, Pod
from headrace.cli.doctor.results import Result, failure, ok, warning
from headrace.control.decisions.placement import cost_of
from headrace.core.broadcast import Profile, Source, VideoSource, make_plan

SKEW_WARNING_S, SKEW_FAILURE_S = 1.0, 10.0
TYPICAL = Source(VideoSource("avc1.640028", b"", 1920, 1080, Fraction(1), Fraction(30)))
NTP = "let every machine keep its clock by NTP (chrony, systemd-timesyncd)"


def versions(fleet: Fleet, ours: str) -> list[Result]:
    """Whether everybody runs the same version."""
    by_version: dict[str, list[str]] = {}
    for name, version in [("control", fleet.version), *((pod.pod, pod.version) for pod in fleet.pods)]:
        by_version.setdefault(version, []).append(name)
    found = []
    if len(by_version) > 1:
        said = "; ".join(f"{version}: {_some(names)}" for version, names in sorted(by_version.items()))
        wrong = "several versions work together, which is meant for the time of a rollout alone"
        found.append(warning("versions", "fleet", said, wrong, "let the rollout come to its end, or see why it stands"))
    else:
        found.append(ok("versions", "fleet", f"{fleet.version} everywhere"))
    if ours != fleet.version:
        wrong = "this doctor may look for what that version does otherwise"
        found.append(warning("versions", "doctor", f"{ours} here", wrong, f"run the doctor of {fleet.version}"))
    return found


def pods(fleet: Fleet) -> list[Result]:
    """Whether everybody is there and takes work, and that there are some of each kind."""
    found = []
    for pod in fleet.pods:
        if pod.condition == "silent":
            seen, wrong = f"no report for {pod.heard_s:.0f} s", "it is lost, stands still, or does not reach control"
            found.append(failure("pods", pod.pod, seen, wrong, f"look at the {pod.kind}'s process and its last words"))
        elif pod.condition == "not_ready":
            wrong = "it takes no new work: it starts, drains, or cannot work"
            found.append(warning("pods", pod.pod, "not ready", wrong, "see what its /readyz says"))
    for kind in ("edge", "transcoder", "origin"):
        there = [pod for pod in fleet.pods if pod.kind == kind]
        ready = sum(pod.condition == "ready" for pod in there)
        if ready:
            found.append(ok("pods", f"{kind}s", f"{ready} of {len(there)} ready"))
        elif kind == "origin" and not there and _is_one_process(fleet):
            found.append(ok("pods", "origins", "the origin of `headrace up` is in control's own process"))
        elif kind == "origin" and not there:
            wrong = "no origin reports to control: there is none, or it was not told where control is"
            found.append(warning("pods", "origins", "none", wrong, "set HEADRACE_CONTROL_TARGET for origins"))
        else:
            wrong = f"no {kind} takes new work: nobody can publish"
            found.append(failure("pods", f"{kind}s", f"none of {len(there)} ready", wrong, f"start {kind}s"))
    if not fleet.complete:
        wrong = "control has started just now, and does not know everybody yet"
        found.append(warning("pods", "control", "not complete", wrong, "ask again in some seconds"))
    return found


def clocks(fleet: Fleet, database_ms: int | None) -> list[Result]:
    """Whether clocks agree: this machine's and the pods' with control's, and the database's with this machine's.

    `database_ms`: how far the database's clock is ahead of ours.
    """
    found = [_skew("control", fleet.clock_ms, "this machine's")]
    if database_ms is not None:
        found.append(_skew("database", database_ms, "this machine's"))
    told = [pod for pod in fleet.pods if pod.clock_ms is not None]
    bad = [_skew(pod.pod, pod.clock_ms or 0, "control's") for pod in told if abs(pod.clock_ms or 0) >= 1000]
    if bad:
        return [*found, *bad]
    if told:
        furthest = max(told, key=lambda pod: abs(pod.clock_ms or 0))
        seen = f"{len(told)} pods within {abs(furthest.clock_ms or 0) / 1000:.2f} s of control's"
        found.append(ok("clocks", "pods", seen))
    return found


def capacity(fleet: Fleet) -> list[Result]:
    """How much more fits, and where."""
    ready = [pod for pod in fleet.pods if pod.kind == "transcoder" and pod.condition == "ready"]
    if not ready:
        return [failure("capacity", "transcoders", "none ready", "there is no room at all", "start transcoders")]
    cost = cost_of(make_plan(Profile.parse("auto"), TYPICAL), TYPICAL)
    free = sum(map(_free, ready))
    fits = sum(_free(pod) // cost for pod in ready)
    whole = sum(pod.capacity for pod in ready)
    seen = f"{free / 1e6:.0f} of {whole / 1e6:.0f} Mpixel/s free: {fits} more streams of 1080p30 in `auto`"
    found = []
    if fits:
        found.append(ok("capacity", "transcoders", seen))
    else:
        wrong = "the next stream of that size would be refused"
        found.append(warning("capacity", "transcoders", seen, wrong, "add transcoders, or larger nodes"))
    full = [pod.pod for pod in ready if _free(pod) < cost]
    if full and fits:
        found.append(ok("capacity", "full", f"{_some(full)} full, {len(ready) - len(full)} with room"))
    return [*found, *_zones(fleet.pods, ready)]


def _zones(everybody: Iterable[Pod], ready: Sequence[Pod]) -> list[Result]:
    zones = {pod.zone for pod in everybody if pod.kind == "edge" and pod.condition == "ready" and pod.zone}
    served = {pod.zone for pod in ready if pod.zone}
    if not served:
        return []
    seen = f"transcoders in {', '.join(sorted(served))}; edges in {', '.join(sorted(zones)) or 'unknown zones'}"
    if missing := zones - served:
        wrong = f"edges in {', '.join(sorted(missing))} send all media to another zone"
        return [warning("capacity", "zones", seen, wrong, "run transcoders in each zone that has edges")]
    return [ok("capacity", "zones", seen)]


def _is_one_process(fleet: Fleet) -> bool:
    """Whether this is `headrace up`: its services meet at sockets."""
    targets = [pod.target for pod in fleet.pods if pod.kind == "transcoder"]
    return bool(targets) and all(target.startswith("unix:") for target in targets)


def _free(pod: Pod) -> int:
    return max(0, pod.capacity - max(pod.used, pod.held))


def _skew(name: str, ahead_ms: int, whose: str) -> Result:
    skew_s = abs(ahead_ms) / 1000
    seen = f"{skew_s:.2f} s {'ahead of' if ahead_ms > 0 else 'behind'} {whose}"
    if skew_s < SKEW_WARNING_S:
        return ok("clocks", name, seen)
    judge: Callable[..., Result] = failure if skew_s >= SKEW_FAILURE_S else warning
    return judge(
        "clocks", name, seen, "players are told a wrong time, and a publisher who comes back a wrong place", NTP
    )


def _some(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(sorted(names)[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
