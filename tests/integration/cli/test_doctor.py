"""`headrace doctor` beside a real `headrace up`, and beside servers with faults that are planted for real."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.authority import Authority
from tests.support.postgres import Postgres
from tests.support.redis import Server
from tests.support.redis_users import READER, WRITER, add_users, as_user
from tests.support.stack import HEADRACE, Process, Stack, eventually

DOCTOR_S = START_S = 60.0
ENCODER = (
    "ffmpeg -nostdin -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=sample_rate=48000 "
    "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p -c:a aac -f flv"
)


class Said(NamedTuple):
    """What the doctor said: its exit code, its results, and all of its output."""

    code: int
    results: list[dict[str, str]]
    output: str

    def wrong(self) -> list[tuple[str, str]]:
        """The checks that found something wrong, with how bad it is."""
        return [(each["check"], each["outcome"]) for each in self.results if each["wrong"]]

    def of(self, check: str, subject: str = "") -> dict[str, str]:
        """The worst result of a check."""
        found = [each for each in self.results if each["check"] == check and each["subject"].startswith(subject)]
        return max(found, key=lambda each: ("ok", "skipped", "warning", "failure").index(each["outcome"]))


def doctor(*options: str, **variables: str) -> Said:
    """Run it with `--json`."""
    with Process([str(HEADRACE), "doctor", "--json", *options], **variables) as running:
        code = running.wait(DOCTOR_S)
        said = [json.loads(line) for line in running.lines if line.startswith("{")]
        return Said(code, said[0]["results"] if said else [], running.output)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("doctor") / "data") as stack:
        yield stack


def beside(stack: Stack, *options: str, **variables: str) -> Said:
    """As somebody runs it who started `headrace up`."""
    return doctor("--api", stack.http_url, "--data", str(stack.data), *options, **variables)


def test_a_healthy_installation_passes(stack: Stack) -> None:
    stack.create("a stream")
    eventually("a fleet that is known", lambda: beside(stack).code == 0, 30, 1.0)
    said = beside(stack, "--strict")
    assert said.wrong() == []
    assert said.code == 0, said.output
    looked_at = {each["check"] for each in said.results if each["outcome"] == "ok"}
    assert looked_at >= {"reach", "versions", "pods", "clocks", "capacity", "migrations", "settings", "machine"}
    assert said.of("reach", "edge")["seen"].count("shakes hands") == 1
    assert said.of("log")["outcome"] == "skipped"


def test_people_are_told_in_sentences(stack: Stack) -> None:
    command = [str(HEADRACE), "doctor", "--api", stack.http_url, "--data", str(stack.data)]
    with Process(command) as running:
        assert running.wait(DOCTOR_S) == 0
        assert any(line.startswith("ok") and "is ready" in line for line in running.lines)
        assert " ok, " in running.lines[-1]


def test_a_playlist_that_stands_still_is_found_and_one_that_moves_is_fine(stack: Stack) -> None:
    stream = stack.create("standing")
    with Process([*ENCODER.split(), stream.publish_url]):

        def listed() -> bool:
            return (
                "EXT-X-PART:"
                in stack.http.get(f"{stream.hls_url.rpartition('/')[0]}/{stream.run}/180p/index.m3u8").text
            )

        eventually("a playlist with parts", listed, START_S)
        eventually("one that is in time", lambda: beside(stack).of("playlists")["outcome"] == "ok", START_S, 0.5)
        # Neither the worker nor anything that it started makes a part any more; the encoder still sends.
        worker = stack.worker(stream.run)
        os.kill(worker, signal.SIGSTOP)
        try:

            def standing() -> Said | None:
                said = beside(stack)
                return said if said.of("playlists")["outcome"] == "failure" else None

            said = eventually("a playlist that stands still", standing, START_S, 0.5)
            assert said.code == 1
            assert said.of("playlists")["wrong"] == "it stands still while somebody publishes"
            assert said.of("playlists")["subject"] == stream.id
        finally:
            with suppress(ProcessLookupError):  # who stands still for long is replaced
                os.kill(worker, signal.SIGCONT)


def test_a_schema_that_is_older_or_much_newer_is_found(stack: Stack) -> None:
    def set_schema(number: str) -> str:
        with sqlite3.connect(stack.data / "headrace.db", timeout=10) as database:
            [(before,)] = database.execute("SELECT version_num FROM alembic_version").fetchall()
            database.execute("UPDATE alembic_version SET version_num = ?", (number,))
        database.close()
        return str(before)

    newest = set_schema("0001")
    try:
        said = beside(stack)
        assert said.code == 1
        assert said.of("migrations")["todo"] == "run `headrace migrate`"
        set_schema(f"{int(newest) + 5:04}")
        assert beside(stack).of("migrations")["todo"] == "run a newer version"
    finally:
        set_schema(newest)


def test_a_wrong_key_is_a_failure_and_none_at_all_is_no_run(stack: Stack, tmp_path: Path) -> None:
    said = beside(stack, "--api-key", "hr_wrong_wrong_wrong_wrong")
    assert said.code == 1
    assert "not valid" in said.of("pods")["seen"]
    assert "hr_wrong" not in said.output
    nothing = doctor("--api", stack.http_url, "--data", str(tmp_path))
    assert nothing.code == 2
    assert "no API key" in nothing.output


def test_settings_that_cannot_be_are_no_run(stack: Stack) -> None:
    said = beside(stack, HEADRACE_LOG_CELLS="http://user:hidden@log")
    assert said.code == 2
    assert "HEADRACE_LOG_CELLS" in said.output
    assert "hidden" not in said.output


def test_an_edge_and_an_origin_that_are_not_there_are_found(stack: Stack) -> None:
    with_nobody = ("--rtmp", "rtmp://127.0.0.1:9/live", "--origin", "http://127.0.0.1:9")
    said = beside(stack, *with_nobody)
    assert said.code == 1
    assert said.of("reach", "edge")["outcome"] == said.of("reach", "origin")["outcome"] == "failure"
    # What is no RTMP server takes the connection, and never shakes hands.
    said = beside(stack, "--rtmp", stack.http_url.replace("http", "rtmp") + "/live")
    assert said.of("reach", "edge")["outcome"] == "failure"


# The log


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with Authority() as authority:
        yield authority


def log_of(server: Server, **variables: str) -> dict[str, str]:
    return {"HEADRACE_LOG_CELLS": server.url, **variables}


def test_a_log_that_is_set_up_well_passes_and_one_that_evicts_fails(stack: Stack) -> None:
    with Server() as server:
        add_users(server)
        said = beside(stack, HEADRACE_LOG_CELLS=as_user(WRITER, server.url))
        assert (said.code, said.wrong()) == (0, [])
        assert "may write" in said.of("log-user")["seen"]
        assert (
            "may read and not write"
            in beside(stack, HEADRACE_LOG_CELLS=as_user(READER, server.url)).of("log-user")["seen"]
        )
        server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        said = beside(stack, HEADRACE_LOG_CELLS=as_user(WRITER, server.url))
        assert said.code == 1
        assert "set noeviction" in said.of("log")["wrong"]
        server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "0")
        assert beside(stack, **log_of(server)).code == 0
        assert beside(stack, "--strict", **log_of(server)).code == 3
        server.ask("ACL", "SETUSER", WRITER, "-wait")
        said = beside(stack, HEADRACE_LOG_CELLS=as_user(WRITER, server.url))
        assert (said.code, said.of("log-user")["seen"]) == (1, "may not WAIT")
        server.pause()
        said = beside(stack, **log_of(server))
        assert (said.code, said.of("log")["outcome"]) == (1, "failure")
        server.resume()


@pytest.mark.parametrize(
    ("days", "outcome", "seen", "code"),
    [
        (-1, "failure", "expired 24 hours ago", 1),
        (3, "warning", "valid for 3 days", 0),
        (30, "ok", "valid for 30 days", 0),
    ],
)
def test_a_certificate_of_the_log_is_judged_by_its_end(
    stack: Stack, authority: Authority, days: int, outcome: str, seen: str, code: int
) -> None:
    ours = authority.sign("control")
    with Server(authority=authority, signed=authority.sign("127.0.0.1", days=days)) as server:
        said = beside(
            stack,
            HEADRACE_LOG_CELLS=server.url,
            HEADRACE_LOG_TLS_AUTHORITY=authority.file,
            HEADRACE_LOG_TLS_CERTIFICATE=ours.certificate,
            HEADRACE_LOG_TLS_KEY=ours.key,
        )
    found = said.of("certificates", "log 127.0.0.1")
    assert (found["outcome"], found["seen"]) == (outcome, seen)
    assert said.code == code
    if code:
        assert "its certificate has expired" in said.of("log")["seen"]


# The database


def test_a_database_over_tls_is_looked_at(stack: Stack, authority: Authority) -> None:
    server = Postgres(authority=authority, signed=authority.sign("127.0.0.1", days=3))
    server.start()
    try:
        url = server.raw_url(server.empty()).partition("?")[0] + "?sslmode=verify-full&sslrootcert="
        with Process([str(HEADRACE), "migrate"], HEADRACE_DATABASE_URL=url + authority.file) as migrating:
            assert migrating.wait(DOCTOR_S) == 0, migrating.output
        said = beside(stack, HEADRACE_DATABASE_URL=url + authority.file)
        assert said.code == 0, said.output
        assert said.of("clocks", "database")["outcome"] == "ok"
        assert said.of("certificates", "database")["seen"] == "valid for 3 days"
        with Authority() as another:
            said = beside(stack, HEADRACE_DATABASE_URL=url + another.file)
        assert said.code == 1
        assert "certificate verify failed" in said.of("reach", "database")["seen"]
        refused = [each for each in said.results if each["check"] == "certificates" and each["outcome"] == "failure"]
        assert "signed by nobody whom we trust" in refused[0]["seen"]
    finally:
        server.stop()


def test_control_that_is_not_there_is_found(stack: Stack) -> None:
    said = doctor("--api", "http://127.0.0.1:9", "--data", str(stack.data))
    assert said.code == 1
    assert said.of("reach", "control")["todo"] == "is control running, and is --api its address?"
    assert said.of("migrations")["outcome"] == "ok"
