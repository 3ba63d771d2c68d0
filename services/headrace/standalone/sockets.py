"""Where the services' Unix sockets are: a short directory of this process's own, gone with it.

Law: a directory is in use while its `lock` is held, so that what a killed process left behind can be told and is
removed by the next start. A path is short and plain enough for the kernel (108 bytes) and for a gRPC target.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headrace.runtime.lifecycle import CannotStart

PREFIX = "headrace-"
SHORT = Path("/tmp")  # where TMPDIR makes paths that a socket cannot have
LONGEST_NAME = 11  # bytes of a socket's name in the directory
LONGEST_PARENT = 107 - len("/" + PREFIX) - 8 - len("/") - LONGEST_NAME  # mkdtemp adds 8 characters
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")  # a target is read as a URI


@contextmanager
def socket_directory() -> Iterator[Path]:
    """A directory for sockets whose names have at most `LONGEST_NAME` bytes. Raises CannotStart."""
    try:
        parent = Path(tempfile.gettempdir())
        if len(str(parent)) > LONGEST_PARENT or not _PLAIN.fullmatch(str(parent)):
            parent = SHORT
        _sweep(parent)
        path, lock = _made(parent)
    except OSError as error:
        raise CannotStart(f"cannot make a directory for sockets: {error}") from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _made(parent: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Another start may have swept it before it was locked.
        if _is_locked_now(lock) and (path / "lock").exists():
            return path, lock
        os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the directories of processes that are gone; another user's are not ours to touch."""
    for path in parent.glob(PREFIX + "*"):
        with suppress(OSError):
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if _is_locked_now(lock):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _is_locked_now(lock: int) -> bool:
    """Whether the lock was free and is ours."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
