"""The data directory: who may use it, and the secrets in it.

Law: one process at a time; files with secrets are the owner's alone; what cannot be done is one sentence.
"""

import fcntl
import os
import secrets
from pathlib import Path

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
            if file.exists():
                return file.read_text().strip(), False
            key = "hr_" + secrets.token_urlsafe(KEY_BYTES)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write(key + "\n")
        except OSError as error:
            raise CannotStart(f"cannot keep the API key in {file}: {error.strerror or error}") from error
        return key, True

    @property
    def demo_stream(self) -> str:
        """The demo stream's id, "" before there is one."""
        file = self.path / "demo-stream"
        return file.read_text().strip() if file.exists() else ""

    @demo_stream.setter
    def demo_stream(self, stream: str) -> None:
        (self.path / "demo-stream").write_text(stream + "\n")

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        return f"sqlite+aiosqlite:///{(self.path / 'headrace.db').absolute()}"
