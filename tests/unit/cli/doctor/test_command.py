"""The command where it cannot be run at all."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.doctor.results import Result, failure
from headrace.cli.main import app


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "no API key"),
        ({"HEADRACE_API_KEY": "hr_short"}, "HEADRACE_API_KEY"),
        ({"HEADRACE_API_KEY": "k" * 20, "HEADRACE_LOG_CELLS": "redis://:hidden@log/7"}, "HEADRACE_LOG_CELLS"),
        ({"HEADRACE_API_KEY": "k" * 20, "HEADRACE_PLAINTEXT": "perhaps"}, "HEADRACE_PLAINTEXT"),
    ],
)
def test_without_what_it_needs_it_exits_with_2_and_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    monkeypatch.delenv("HEADRACE_API_KEY", raising=False)
    ran = CliRunner().invoke(app, ["doctor", "--json", "--data", str(tmp_path)], env=variables)
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert ran.stdout == ""
    assert "hidden" not in ran.output


def test_a_missing_package_is_a_sentence(tmp_path: Path) -> None:
    missing = "import sys; sys.modules['sqlalchemy'] = None; from headrace.cli import main; main()"
    command = [sys.executable, "-c", missing, "doctor", "--api-key", "k" * 20, "--data", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert ran.stderr == "headrace doctor: sqlalchemy is missing: pip install 'headrace[control]'\n"


def test_nothing_that_looks_like_a_secret_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def examined(*_: object) -> list[Result]:
        return [failure("reach", "origin", "http://me:hidden-word@h: no answer", "Bearer hidden-word", "hidden-words")]

    monkeypatch.setattr("headrace.cli.doctor.checks.examine", examined)
    for options in ([], ["--json"]):
        ran = CliRunner().invoke(app, ["doctor", "--data", str(tmp_path), "--api-key", "hidden-words-of-it", *options])
        assert ran.exit_code == 1
        assert "hidden-word@" not in ran.output
        assert "Bearer hidden" not in ran.output
        assert "no answer" in ran.output
