"""The data directory."""

from pathlib import Path

import pytest

from headrace.runtime.lifecycle import CannotStart
from headrace.standalone.data import DataDirectory


def test_the_api_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "new" / "data")
    key, made = data.api_key()
    assert made
    assert len(key) > 30
    assert data.api_key() == (key, False)
    assert (data.path / "api-key").stat().st_mode & 0o777 == 0o600
    data.close()


def test_two_processes_do_not_share_it(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    with pytest.raises(CannotStart, match="in use by another headrace"):
        DataDirectory(tmp_path)
    first.close()
    DataDirectory(tmp_path).close()


def test_a_directory_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="cannot use the data directory"):
        DataDirectory(tmp_path / "file" / "data")


def test_the_demo_stream_is_remembered(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    assert data.demo_stream == ""
    data.demo_stream = "abc"
    assert data.demo_stream == "abc"
    data.close()
