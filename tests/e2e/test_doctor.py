"""`headrace doctor` as in a pod of control, over every service as a process of its own with certificates: all is well;
then what may go wrong does, and is found.
"""

import signal
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import redis

from headrace.wire.identity import Role
from tests.integration.cli.test_doctor import Said, doctor
from tests.support.apart import Apart
from tests.support.identities import identity
from tests.support.stack import eventually

pytestmark = pytest.mark.timeout(300)

FOUND_S = 60.0


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    with Apart() as apart:
        yield apart


def in_pod(apart: Apart, control: int = 0, *options: str) -> Said:
    """As `kubectl exec` runs it there."""
    pod = apart.controls[control]
    return doctor(*options, **{f"HEADRACE_{name.upper()}": str(value) for name, value in pod._settings.items()})


def found(apart: Apart, check: str, subject: str, outcome: str = "failure", control: int = 0) -> Said:
    """What it says once this is what it finds."""

    def once() -> Said | None:
        said = in_pod(apart, control)
        # A pod that is well has no line of its own in every check.
        named = any(each["check"] == check and each["subject"].startswith(subject) for each in said.results)
        return said if named and said.of(check, subject)["outcome"] == outcome else None

    return eventually(f"{check} {subject}: {outcome}", once, FOUND_S, 0.5)


def test_a_healthy_installation_passes(apart: Apart) -> None:
    apart.create("a stream")
    said = in_pod(apart)
    assert said.code == 0, said.output
    # The tests' Redis keeps nothing, and has the backlog that it has by itself.
    assert set(said.wrong()) <= {("log", "warning")}, said.output
    reached = {each["subject"] for each in said.results if each["check"] == "reach" and each["outcome"] == "ok"}
    assert reached >= {"control", "edge", "origin", "database", "transcoder-0", "transcoder-1", "transcoder-2"}
    ends = [each["subject"] for each in said.results if each["check"] == "certificates"]
    assert len([each for each in ends if each.startswith("transcoder-")]) == 3
    assert "pods within" in said.of("clocks", "pods")["seen"]
    assert apart.api_key not in said.output


def test_a_log_that_evicts_is_found(apart: Apart) -> None:
    parts = urlsplit(str(apart.controls[0]._settings["log_cells"]).partition(",")[0])
    with redis.Redis(host=str(parts.hostname), port=parts.port or 0) as primary:
        primary.config_set("maxmemory-policy", "volatile-lru")
        try:
            said = in_pod(apart)
        finally:
            primary.config_set("maxmemory-policy", "noeviction")
    assert said.code == 1
    assert said.of("log")["seen"] == "maxmemory-policy is volatile-lru"


def test_a_transcoder_that_stands_still_is_found(apart: Apart) -> None:
    standing = apart.transcoders[0]
    standing.signal(signal.SIGSTOP)
    try:
        said = found(apart, "pods", standing.pod)
        assert said.code == 1
        assert "no report for" in said.of("pods", standing.pod)["seen"]
        assert said.of("reach", standing.pod)["outcome"] == "failure"
    finally:
        standing.signal(signal.SIGCONT)
    eventually("all is well again", lambda: in_pod(apart).code == 0, FOUND_S, 0.5)


def test_a_pod_whose_certificate_has_expired_or_is_anothers_is_found(apart: Apart) -> None:
    pod = apart.transcoders[1].pod
    files = apart.identities[pod]
    try:
        files.write(apart.authority.sign(identity(Role.TRANSCODER), until=timedelta(seconds=8)), apart.authority)
        said = found(apart, "certificates", pod)
        assert said.of("certificates", pod)["seen"].startswith("expired")
        assert said.code == 1
    finally:
        files.write(apart.authority.sign(identity(Role.TRANSCODER)), apart.authority)
    found(apart, "certificates", pod, "ok")


def test_control_that_has_stopped_is_found(apart: Apart) -> None:
    stopped = apart.controls[0]
    stopped.end()
    try:
        said = in_pod(apart)
        assert said.code == 1
        assert said.of("reach", "control")["outcome"] == "failure"
        assert in_pod(apart, 1).code == 0
    finally:
        stopped.kill()
        stopped.start()
        stopped.wait_ready()
