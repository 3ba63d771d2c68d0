"""Every service as `python -m headrace.SERVICE`: it starts alone, says what is wrong, and ends in order."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from headrace.control.service import migrate
from headrace.wire.identity import Role
from tests.support.identities import Authority, Files, identity
from tests.support.lease_keys import write_keys
from tests.support.stack import Process, eventually

API_KEY = "hr_of-the-services-tests"
START_S = 20.0
STOP_S = 8.0
NOBODY = "127.0.0.1:9"  # discard: nothing listens there
REDIS = f"redis://{NOBODY}"
PORTS = {
    "HEADRACE_HTTP_HOST": "127.0.0.1",
    "HEADRACE_HTTP_PORT": "0",
    "HEADRACE_RTMP_HOST": "127.0.0.1",
    "HEADRACE_RTMP_PORT": "0",
    "HEADRACE_TRANSCODER_TARGET": "127.0.0.1:0",
    "HEADRACE_PLAINTEXT": "true",
}
NEEDS = {
    "edge": {"HEADRACE_CONTROL_TARGET": NOBODY},
    "transcoder": {
        "HEADRACE_CONTROL_TARGET": NOBODY,
        "HEADRACE_LOG_CELLS": REDIS,
        "HEADRACE_CAPACITY_PIXELS_S": "1",
    },
    "origin": {"HEADRACE_LOG_CELLS": REDIS},
    "control": {
        "HEADRACE_CONTROL_TARGET": "127.0.0.1:0",
        "HEADRACE_LOG_CELLS": REDIS,
        "HEADRACE_API_KEY": API_KEY,
    },
}
SERVICES = tuple(NEEDS)
# What comes with other services' extras, or is no service's at all.
NOT_ITS_OWN = {
    "edge": ("av", "fastapi", "starlette", "sqlalchemy", "alembic", "aiosqlite", "psycopg", "redis", "hiredis"),
    "transcoder": ("fastapi", "starlette", "sqlalchemy", "alembic", "aiosqlite", "psycopg"),
    "origin": ("av", "fastapi", "starlette", "sqlalchemy", "alembic", "aiosqlite", "psycopg"),
    "control": ("av",),
}


NOT_READY = {
    "edge": "control has not been heard yet",
    "transcoder": "the live log does not answer",
    "origin": "the live log does not answer",
    "control": "transcoders have not reported yet",
}


def start(service: str, *blocked: str, **variables: str) -> Process:
    """The service as a process in which the `blocked` modules cannot be imported. What it needs is not there."""
    # None in sys.modules is, to the import statement, a module that is not installed.
    first = f"import sys, runpy; sys.modules.update(dict.fromkeys({blocked!r})); "
    run = f"runpy.run_module('headrace.{service}', run_name='__main__', alter_sys=True)"
    return Process([sys.executable, "-c", first + run], **{**PORTS, **NEEDS[service], **variables})


def http_port(process: Process) -> int:
    """Its HTTP port, once it says so."""

    def named() -> str | None:
        assert process.running, process.output
        found = re.search(r" serving .*http_port=(\d+)", process.output)
        return found and found[1]

    return int(eventually("the HTTP port", named, START_S))


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A migrated database, for control."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'control.db'}"
    asyncio.run(migrate(url))
    return url


@pytest.fixture(params=SERVICES)
def alone(request: pytest.FixtureRequest, database: str) -> Iterator[tuple[str, Process, httpx.Client]]:
    """A service whose log, control and transcoders are away, and which has its own packages alone."""
    service: str = request.param
    with (
        start(service, *NOT_ITS_OWN[service], HEADRACE_DATABASE_URL=database) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{http_port(process)}", trust_env=False) as http,
    ):
        yield service, process, http


def test_it_lives_whatever_else_is_there_and_says_what_it_waits_for(alone: tuple[str, Process, httpx.Client]) -> None:
    service, process, http = alone
    assert http.get("/livez").text == "ok\n"
    assert "python_info" in http.get("/metrics").text
    said: list[tuple[int, str]] = []

    def says_it() -> bool:
        answer = http.get("/readyz")
        said.append((answer.status_code, answer.text))
        return said[-1] == (503, f"{NOT_READY[service]}\n")

    eventually("it says so", says_it, START_S)
    assert process.running


def test_a_signal_ends_it_in_order(alone: tuple[str, Process, httpx.Client]) -> None:
    service, process, http = alone
    http.get("/livez")
    process.signal(signal.SIGTERM)
    assert process.wait(STOP_S) == 0, process.output
    assert "Traceback" not in process.output
    assert f"stopping service={service}" in process.output
    assert process.offspring() == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_bad_setting_is_one_sentence_and_exit_code_2(service: str) -> None:
    assert refusal(service, 2, HEADRACE_HTTP_PORT="many") == (
        f"headrace {service}: HEADRACE_HTTP_PORT: Input should be a valid integer, unable to parse string as an integer"
    )


@pytest.mark.parametrize(
    ("service", "setting", "value"),
    [
        ("edge", "HEADRACE_RTMP_PORT", "rtmp"),
        ("edge", "HEADRACE_RTMP_PORT", "65536"),
        ("transcoder", "HEADRACE_STALL_TIMEOUT_S", "soon"),
        ("transcoder", "HEADRACE_LOG_CELLS", "not an address"),
        ("origin", "HEADRACE_ORIGIN_MAX_WAITING", "0"),
        ("origin", "HEADRACE_LOG_CELLS", "not an address"),
        ("control", "HEADRACE_API_KEY", "short"),
        ("control", "HEADRACE_LOG_CELLS", "not an address"),
    ],
)
def test_what_cannot_be_is_named_by_its_variable(service: str, setting: str, value: str) -> None:
    assert refusal(service, 2, **{setting: value}).startswith(f"headrace {service}: {setting}: ")


@pytest.mark.parametrize("service", ["edge", "transcoder", "origin"])
def test_a_target_that_is_none_is_one_sentence_and_exit_code_2(service: str) -> None:
    sentence = refusal(service, 2, HEADRACE_CONTROL_TARGET="no target")
    assert sentence == f"headrace {service}: 'no target' is no gRPC target: host:port or unix:/path is wanted"


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_without_certificates_is_one_sentence_and_exit_code_2(service: str) -> None:
    control = {"HEADRACE_CONTROL_TARGET": NEEDS[service].get("HEADRACE_CONTROL_TARGET", NOBODY)}
    sentence = refusal(service, 2, HEADRACE_PLAINTEXT="false", **control)
    assert re.fullmatch(
        rf"headrace {service}: HEADRACE_TLS_CERTIFICATE: missing: 127\.0\.0\.1:\d+ needs certificates, "
        "or HEADRACE_PLAINTEXT=true",
        sentence,
    ), sentence


@pytest.mark.parametrize("service", SERVICES)
def test_the_certificate_of_another_service_is_one_sentence_and_exit_code_2(service: str, tmp_path: Path) -> None:
    other = Role.EDGE if service != "edge" else Role.ORIGIN
    authority = Authority()
    files = Files(tmp_path / "pod").write(authority.sign(identity(other)), authority)
    told = {f"HEADRACE_{name.upper()}": path for name, path in files.settings.items()}
    control = {"HEADRACE_CONTROL_TARGET": NEEDS[service].get("HEADRACE_CONTROL_TARGET", NOBODY)}
    assert refusal(service, 2, HEADRACE_PLAINTEXT="false", **control, **told) == (
        f"headrace {service}: HEADRACE_TLS_CERTIFICATE: {files.files.certificate}: it is that of {identity(other)}, "
        f"and this is the {service}: the account has to end with that"
    )


def test_a_peer_that_cannot_greet_says_nothing_in_our_log(database: str, tmp_path: Path) -> None:
    authority = Authority()
    files = Files(tmp_path / "pod").write(authority.sign(identity(Role.CONTROL)), authority)
    told = {f"HEADRACE_{name.upper()}": path for name, path in files.settings.items()}
    told |= {"HEADRACE_PLAINTEXT": "false", "HEADRACE_DATABASE_URL": database}
    told["HEADRACE_LEASE_KEY"] = str(write_keys(tmp_path).private)
    with start("control", **told) as process:
        listening = r"listening for edges and transcoders.* target=127\.0\.0\.1:(\d+)"
        port = eventually("the gRPC port", lambda: re.search(listening, process.output), START_S)[1]
        said = len(process.lines)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", int(port))) as peer:
                peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
                peer.settimeout(START_S)
                while peer.recv(4096):
                    pass
        process.signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0, process.output
        assert not [line for line in process.lines[said:] if "ssl" in line.lower()], process.output


@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        ("hunter2", 2, "the database's URL cannot be read"),
        ("mysql://u:hunter2@127.0.0.1/x", 2, "the database's URL must begin with postgresql:// or sqlite.aiosqlite://"),
        (f"postgresql://u:hunter2@{NOBODY}/x", 1, "database: connection failed: .*"),
        ("sqlite+aiosqlite:///{folder}/empty.db", 1, "the database has no schema, .*: run `headrace migrate`"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence(url: str, code: int, why: str, tmp_path: Path) -> None:
    sentence = refusal("control", code, HEADRACE_DATABASE_URL=url.format(folder=tmp_path))
    assert re.fullmatch(f"headrace control: {why}", sentence), sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_in_use_is_one_sentence(service: str, database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        sentence = refusal(service, 1, HEADRACE_HTTP_PORT=port, HEADRACE_DATABASE_URL=database)
    assert sentence == f"headrace {service}: cannot listen for HTTP on 127.0.0.1:{port}: Address already in use"


@pytest.mark.parametrize(("service", "package"), [("transcoder", "redis"), ("origin", "redis"), ("control", "fastapi")])
def test_a_package_that_is_missing_is_one_sentence(service: str, package: str) -> None:
    with start(service, package) as process:
        assert process.wait(START_S) == 1
    assert process.lines == [f"headrace {service}: {package} is missing: pip install 'headrace[{service}]'"]


def refusal(service: str, code: int, **variables: str) -> str:
    """What a start that must fail says, without anything around it but the log's lines."""
    with start(service, **variables) as process:
        assert process.wait(START_S) == code, process.output
    said = [line for line in process.lines if not re.match(r"\d{4}-", line)]
    assert len(said) == 1, process.output
    return said[0]
