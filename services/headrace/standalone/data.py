"""The data directory: who may use it, and the secrets in it.

Law: one process at a time; files with secrets are the owner's alone and are there whole or not at all; what cannot be
done is one sentence.
"""

import fcntl
import os
import secrets
from pathlib import Path

from headrace.control.service import LEAST_KEY_CHARS
from headrace.runtime.lifecycle import CannotStart

KEY_BYTES = 24


class DataDirectory:
    """An open data directory, locked until `close`."""

    def __init__(self, path: Path) -> None:
        """Make `path` if it is not there. Raises CannotStart."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(f"cannot use the data directory {path}: {error.strerror or error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise CannotStart(f"the data directory {path} is in use by another headrace") from error

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def api_key(self) -> tuple[str, bool]:
        """The API key, and whether it was made just now. Raises CannotStart."""
        file = self.path / "api-key"
        try:
            if not file.exists():
                key = "hr_" + secrets.token_urlsafe(KEY_BYTES)
                _write_secret(file, key + "\n")
                return key, True
            key = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise CannotStart(f"cannot keep the API key in {file}: {why}") from error
        if len(key) < LEAST_KEY_CHARS or not (key.isascii() and key.isprintable()):
            raise CannotStart(
                f"{file} holds no API key of at least {LEAST_KEY_CHARS} characters: delete it, and a new one is made"
            )
        return key, False

    @property
    def demo_stream(self) -> str:
        """The demo stream's id, "" before there is one."""
        try:
            return (self.path / "demo-stream").read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    @demo_stream.setter
    def demo_stream(self, stream: str) -> None:
        """Raises CannotStart."""
        file = self.path / "demo-stream"
        try:
            file.write_text(stream + "\n")
        except OSError as error:
            raise CannotStart(f"cannot write {file}: {error.strerror or error}") from error

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        return f"sqlite+aiosqlite:///{(self.path / 'headrace.db').absolute()}"


def _write_secret(file: Path, text: str) -> None:
    """Make `file` with `text` on the disk, for its owner alone; a crash or a full disk leaves no half of it."""
    unfinished = file.with_name(file.name + ".new")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
