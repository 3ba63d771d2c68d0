"""What the doctor makes of certificates, the log, the database, the machine, and settings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from headrace.cli.doctor import certificates, checks, database, log, machine
from headrace.cli.doctor.contradictions import contradictions
from headrace.cli.doctor.results import Outcome, Result, ok
from headrace.cli.doctor.settings import Asked, DoctorSettings
from headrace.control.db.looking import Looked
from headrace.control.settings import ControlSettings
from headrace.livelog.cell import Address
from headrace.livelog.redis.inspecting import Inspected
from headrace.livelog.redis.permissions import SERVES, WRITES
from headrace.livelog.settings import LogSettings
from headrace.runtime.tls import TlsSettings
from headrace.wire.identity import Role

DAY_S = 24 * 3600
KEY = SecretStr("k" * 20)

# Certificates


@pytest.mark.parametrize(
    ("days", "outcome", "seen"),
    [
        (-3, Outcome.FAILURE, "expired 3 days ago"),
        (-0.5, Outcome.FAILURE, "expired 12 hours ago"),
        (0.25, Outcome.WARNING, "valid for 6 hours"),
        (6.9, Outcome.WARNING, "valid for 7 days"),
        (7.1, Outcome.OK, "valid for 7 days"),
    ],
)
def test_a_certificate_is_judged_by_when_it_ends(days: float, outcome: Outcome, seen: str) -> None:
    found = certificates.ends("control", 0, 10**9 + days * DAY_S, 10**9)
    assert (found.outcome, found.seen) == (outcome, seen)


@pytest.mark.parametrize(("left_s", "outcome"), [(2400, Outcome.OK), (1100, Outcome.WARNING), (-60, Outcome.FAILURE)])
def test_one_that_lives_for_an_hour_ends_soon_in_its_last_third(left_s: int, outcome: Outcome) -> None:
    found = certificates.ends("control", left_s - 3600, left_s, 0)
    assert found.outcome is outcome
    assert "minutes" in found.seen


def test_a_service_shows_the_certificate_of_its_role() -> None:
    edge = "spiffe://cluster.local/ns/media/sa/headrace-edge"
    assert certificates.role("edge", [edge], Role.EDGE) is None
    for uris in ([edge], [], ["https://elsewhere"]):
        found = certificates.role("t", uris, Role.TRANSCODER)
        assert found is not None
        assert found.outcome is Outcome.FAILURE
        assert "not the certificate of the transcoder" in found.wrong


def test_files_that_are_missing_or_none_are_failures(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("hello")
    for name, said in (("none.pem", "No such file"), ("text.pem", "not a certificate")):
        [found] = certificates.file("HEADRACE_TLS_CERTIFICATE", str(tmp_path / name), 0)
        assert found.outcome is Outcome.FAILURE
        assert said in found.seen


def test_only_databases_over_tls_show_certificates() -> None:
    assert certificates.of_database("sqlite+aiosqlite:///x.db") == []
    assert certificates.of_database("postgresql://db.example/x?sslmode=disable") == []
    one, two = certificates.of_database("postgresql://u@db1.example,db2.example:5433/x?sslrootcert=/ca.pem")
    assert (one.host, two.host, one.authority) == ("db1.example", "db2.example", "/ca.pem")


# The log

GOOD = Inspected(Address("log", 6379), "7.2", (), True, 1, frozenset(), True, 0.5)


def outcomes(seen: Inspected) -> list[Outcome]:
    return [each.outcome for each in log.verdicts("log", seen, 1)]


def test_a_log_server_that_is_set_up_well_is_fine() -> None:
    assert outcomes(GOOD) == [Outcome.OK, Outcome.OK]
    assert outcomes(replace(GOOD, has_library=False)) == [Outcome.OK] * 3


def test_what_costs_runs_is_a_failure_and_what_may_cost_some_a_warning() -> None:
    evicts = "maxmemory-policy is allkeys-lru: it throws keys of live runs away; set noeviction"
    few = "it has 0 replicas, and HEADRACE_LOG_REPLICAS says 1"
    found = log.verdicts("log", replace(GOOD, complaints=(evicts, few)), 1)
    assert [each.outcome for each in found] == [Outcome.FAILURE, Outcome.WARNING, Outcome.OK]
    assert found[0].seen == "maxmemory-policy is allkeys-lru"
    assert "noeviction" in found[0].todo


def test_a_log_server_that_is_nearly_full_is_warned_of() -> None:
    assert outcomes(replace(GOOD, memory_ratio=0.9)) == [Outcome.OK, Outcome.WARNING, Outcome.OK]


def test_users_are_told_apart() -> None:
    assert "may write" in log.verdicts("log", GOOD, 1)[-1].seen
    reader = replace(GOOD, refused=frozenset(WRITES))
    assert "may read and not write" in log.verdicts("log", reader, 1)[-1].seen
    neither = log.verdicts("log", replace(GOOD, refused=frozenset({*SERVES, "WAIT"})), 1)[-1]
    assert neither.outcome is Outcome.FAILURE
    assert "WAIT" in neither.seen


# The database


@pytest.mark.parametrize(
    ("schema", "outcome", "todo"),
    [
        (2, Outcome.OK, ""),
        (1, Outcome.FAILURE, "run `headrace migrate`"),
        (0, Outcome.FAILURE, "run `headrace migrate`"),
        (3, Outcome.WARNING, "let the rollout come to its end"),
        (4, Outcome.FAILURE, "run a newer version"),
    ],
)
def test_a_schema_is_judged_by_how_far_it_is_from_ours(schema: int, outcome: Outcome, todo: str) -> None:
    found = database.schema(Looked("db", schema, 2, 0, ""))
    assert (found.outcome, found.todo) == (outcome, todo)


def test_a_weak_way_to_the_database_is_warned_of() -> None:
    assert database.way(Looked("db", 2, 2, 0, "")).outcome is Outcome.OK
    assert database.way(Looked("db", 2, 2, 0, "sslmode=prefer lets …")).outcome is Outcome.WARNING


# The machine


def test_a_machine_is_judged_by_files_and_room() -> None:
    assert machine.files(1024).outcome is Outcome.WARNING
    assert machine.files(4096).outcome is Outcome.OK
    assert machine.disk("/data", 10**6).outcome is Outcome.WARNING
    assert machine.disk("/data", 2 << 30).outcome is Outcome.OK


# Settings


def asked(api: str = "http://control:8080", **given: Any) -> Asked:
    """What a doctor in a pod is told."""
    log_names = {name: value for name, value in given.items() if name.startswith("log_")}
    tls_names = {name: value for name, value in given.items() if name.startswith("tls_") or name == "plaintext"}
    rest = {name: value for name, value in given.items() if name not in {*log_names, *tls_names}}
    if "log_cells" in log_names:
        log_names["log_cells"] = SecretStr(log_names["log_cells"])
    settings = DoctorSettings(**rest)
    return Asked(api, "key", Path("none"), "", "", settings, LogSettings(**log_names), TlsSettings(**tls_names))


PUBLIC = {"public_rtmp_url": "rtmp://in.example/live", "public_http_url": "https://tv.example"}


def control(**given: Any) -> ControlSettings:
    return ControlSettings(api_key=KEY, **{**PUBLIC, **given})


async def test_every_port_of_a_host_is_asked_for_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    async def shown(server: certificates.Server, now_s: float) -> list[Result]:
        return [ok("certificates", f"{server.host}:{server.port}", "valid")]

    monkeypatch.setattr(certificates, "shown", shown)
    given = asked(log_cells="a=rediss://log:6379,log:6380 b=rediss://log:6381")
    found = await checks._certificates(given, checks.Told())
    assert sorted(one.subject for one in found) == ["log:6379", "log:6380", "log:6381"]


def test_settings_that_agree_are_fine() -> None:
    good = asked(
        control_target="control-0:7070,control-1:7070",
        database_url="postgresql://db.example/x",
        log_cells="rediss://log-0,log-1",
        log_replicas=1,
        tls_certificate="/c",
        tls_key="/k",
        tls_authority="/a",
    )
    assert [each.outcome for each in contradictions(good, control())] == [Outcome.OK]


@pytest.mark.parametrize(
    ("given", "controls", "subject", "outcome"),
    [
        ({"log_cells": "rediss://one,two"}, {}, "HEADRACE_LOG_CELLS", Outcome.WARNING),
        ({"log_cells": "rediss://one", "log_replicas": 1}, {}, "HEADRACE_LOG_CELLS", Outcome.WARNING),
        ({"log_cells": "redis://one"}, {}, "HEADRACE_LOG_CELLS", Outcome.WARNING),
        ({"plaintext": True, "tls_key": "/k"}, {}, "HEADRACE_PLAINTEXT", Outcome.FAILURE),
        ({"tls_key": "/k"}, {}, "HEADRACE_TLS_*", Outcome.FAILURE),
        ({"plaintext": True, "control_target": "control:7070"}, {}, "HEADRACE_PLAINTEXT", Outcome.WARNING),
        (
            {"control_target": "control:7070"},
            {"public_rtmp_url": "rtmp://127.0.0.1:1935/live"},
            "HEADRACE_PUBLIC_RTMP_URL",
            Outcome.WARNING,
        ),
        ({}, {"public_http_url": "https://tv.example/"}, "HEADRACE_PUBLIC_HTTP_URL", Outcome.WARNING),
        (
            {"control_target": "a:1,b:1", "database_url": "sqlite+aiosqlite:///x"},
            {},
            "HEADRACE_DATABASE_URL",
            Outcome.FAILURE,
        ),
        ({}, {"lease_s": 3.0, "fleet_silence_s": 3.0}, "HEADRACE_LEASE_S", Outcome.FAILURE),
        ({}, {"idle_s": 15.0}, "HEADRACE_IDLE_S", Outcome.WARNING),
    ],
)
def test_each_contradiction_is_named(
    given: dict[str, Any], controls: dict[str, Any], subject: str, outcome: Outcome
) -> None:
    [found] = contradictions(asked(**given), control(**controls))
    assert (found.subject, found.outcome) == (subject, outcome)
    assert found.todo


def test_headrace_up_may_name_itself() -> None:
    local = asked("http://127.0.0.1:8080")
    here = {"public_rtmp_url": "rtmp://127.0.0.1:1935/live", "public_http_url": "http://127.0.0.1:8080"}
    assert [each.outcome for each in contradictions(local, control(**here))] == [Outcome.OK]
