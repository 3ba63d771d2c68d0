"""Passwords in settings: what cannot be reached or parsed is said without them, by us and by every driver below."""

import sys
from collections.abc import Mapping

import pytest

from tests.integration.runtime.test_service_process import NOBODY, start
from tests.support.stack import HEADRACE, Process, eventually

SECRET = "hunter2-and-more"
ENCODED = "hunter2%2Dand%2Dmore"
PARTS = (SECRET, "hunter2")


@pytest.mark.parametrize(
    ("service", "variables", "until"),
    [
        ("control", {"HEADRACE_DATABASE_URL": f"postgresql://headrace:{SECRET}@{NOBODY}/x"}, ""),
        ("control", {"HEADRACE_DATABASE_URL": f"postgresql://headrace:{SECRET}@[::1/x"}, ""),
        ("control", {"HEADRACE_DATABASE_URL": f"postgresql://headrace:{ENCODED}@{NOBODY}/x?no_such={SECRET}"}, ""),
        ("control", {"HEADRACE_DATABASE_URL": f"oracle://headrace:{SECRET}@{NOBODY}/x"}, ""),
        ("control", {"HEADRACE_API_KEY": "hunter2"}, ""),
        ("origin", {"HEADRACE_LOG_CELLS": f"redis://headrace:{SECRET}@{NOBODY}"}, "cannot be checked"),
        ("origin", {"HEADRACE_LOG_CELLS": f"redis://:{SECRET}@127.0.0.1:port"}, ""),
        ("origin", {"HEADRACE_LOG_CELLS": f"memcached://:{SECRET}@{NOBODY}"}, ""),
        ("transcoder", {"HEADRACE_LOG_CELLS": f"redis+cluster://:{SECRET}@{NOBODY}"}, "cannot be checked"),
        ("edge", {"HEADRACE_CONTROL_TARGET": f"http://u:{SECRET}@{NOBODY}"}, "cannot be resolved"),
        ("edge", {"HEADRACE_OTLP_ENDPOINT": f"http://u:{SECRET}@{NOBODY}"}, ""),
    ],
)
def test_a_setting_that_cannot_be_used_is_said_without_its_password(
    service: str, variables: Mapping[str, str], until: str
) -> None:
    with start(service, HEADRACE_LOG_LEVEL="debug", **variables) as process:
        eventually("its words", lambda: not process.running or bool(until and until in process.output), 30)
    assert process.output
    assert [part for part in PARTS if part in process.output] == []


@pytest.mark.parametrize("host", [NOBODY, "no-such-host.invalid:5432", "[::1"])
def test_a_migration_that_fails_is_said_without_its_password(host: str) -> None:
    url = f"postgresql://headrace:{SECRET}@{host}/x"
    with Process([str(HEADRACE), "migrate", "--wait", "0"], HEADRACE_DATABASE_URL=url) as process:
        assert process.wait(30) != 0
    assert process.output
    assert [part for part in PARTS if part in process.output] == []


def test_an_error_that_nobody_caught_is_said_without_its_password() -> None:
    fail = (
        "from headrace.runtime.telemetry import logs; logs.configure('edge', 'edge-0');"
        f"import urllib.request; urllib.request.urlopen('nothing://u:{SECRET}@{NOBODY}')"
    )
    with Process([sys.executable, "-c", fail]) as process:
        assert process.wait(30) != 0
    assert "an error that nobody caught" in process.output
    assert f"u:{SECRET}" not in process.output
