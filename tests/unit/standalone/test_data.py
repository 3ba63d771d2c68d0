"""The data directory."""

import os
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


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 40, b"two lines\nmake no API key"])
def test_a_file_that_holds_no_api_key_is_one_sentence_and_no_open_door(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "api-key").write_bytes(content)
    data = DataDirectory(tmp_path)
    with pytest.raises(CannotStart, match="api-key"):
        data.api_key()
    data.close()


def test_a_disk_that_is_full_leaves_no_half_of_an_api_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    data = DataDirectory(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotStart, match="No space left"):
        data.api_key()
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]
    monkeypatch.undo()
    assert data.api_key()[1]
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
