"""The directory of sockets: short, alone, and swept."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.standalone import sockets
from headrace.standalone.sockets import socket_directory


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short directory in place of /tmp."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(sockets, "SHORT", Path(folder))
        yield Path(folder)


@pytest.mark.parametrize("name", ["x" * 80, "with a space", "50%20", "grün"])
def test_a_temporary_directory_that_no_socket_can_have_is_not_used(
    tmp_path: Path, short: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    with socket_directory() as folder:
        assert folder.parent == short
        assert len(str(folder / ("n" * sockets.LONGEST_NAME))) <= 107


def test_the_longest_directory_that_is_used_leaves_room_for_a_socket(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = short / ("x" * (sockets.LONGEST_PARENT - len(str(short)) - 1))
    longest.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(longest))
    with socket_directory() as folder:
        assert folder.parent == longest
        assert len(str(folder / ("n" * sockets.LONGEST_NAME))) == 107


def test_what_a_killed_process_left_is_swept_and_what_is_in_use_is_not(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    left, foreign = short / "headrace-left", short / "headrace-of-something-else"
    for folder in (left, foreign):
        folder.mkdir()
    (left / "lock").touch()
    (left / "control").touch()
    (foreign / "file").touch()
    with socket_directory() as first, socket_directory() as second:
        assert first.exists()
        assert first != second
        assert not left.exists()
        assert foreign.exists()
    assert list(short.iterdir()) == [foreign]
