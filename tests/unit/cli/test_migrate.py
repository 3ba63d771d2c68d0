"""`headrace migrate`, on a file."""

import sqlite3
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.cli.main import main as console_script
from headrace.control.db.schema import newest


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["migrate", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def sentence(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What the console script ends with where it fails."""
    monkeypatch.setattr(sys, "argv", ["headrace", "migrate", *words])
    with pytest.raises(SystemExit) as caught:
        console_script()
    assert isinstance(caught.value.code, str)  # printed, and exit code 1
    assert "\n" not in caught.value.code
    return caught.value.code


def test_a_new_database_is_migrated_and_then_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/control.sqlite3"
    assert run("--database-url", url) == f"Schema 0000 → {newest():04}.\n"
    monkeypatch.setenv("HEADRACE_DATABASE_URL", url)
    assert run() == f"Schema {newest():04}: nothing to do.\n"


def test_without_a_database_it_says_where_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_DATABASE_URL", raising=False)
    assert "HEADRACE_DATABASE_URL" in sentence(monkeypatch)


def test_a_database_of_somebody_else_is_left_alone_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "other.sqlite3") as other:
        other.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        other.execute("INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    other.close()
    words = sentence(monkeypatch, "--database-url", f"sqlite+aiosqlite:///{tmp_path}/other.sqlite3")
    assert "'ae1027a6acf'" in words
