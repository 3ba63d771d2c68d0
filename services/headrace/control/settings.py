"""What control is told at its start.

Law: read once, immutable, passed down.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from headrace.runtime.config import Settings

LEAST_KEY_CHARS = 16  # a shorter key is a mistake, such as an empty variable, and would let everybody in


class ControlSettings(Settings):
    """`HEADRACE_*` variables of the control service."""

    database_url: str = "sqlite+aiosqlite:///headrace.sqlite3"
    """`postgresql://USER:PASSWORD@HOST:PORT/NAME`, with libpq's parameters behind a `?`, or `sqlite+aiosqlite:///FILE`."""

    database_connections: Annotated[int, Field(ge=1, le=1000)] = 16
    """How many connections to PostgreSQL at most."""

    api_key: Annotated[SecretStr, Field(min_length=LEAST_KEY_CHARS)]
    """The secret of the REST API's clients, at least 128 random bits. Blanks and line ends around it do not count."""

    control_target: str = "127.0.0.1:7070"
    """gRPC target to listen on: `host:port` or `unix:/path`."""

    lease_key: Path | None = None
    """The Ed25519 private key in PEM that lease tokens are signed with. It is read again when it changes. Needed where
    services have certificates."""

    public_rtmp_url: str = "rtmp://127.0.0.1:1935/live"
    """What encoders enter as server; its application is `live`."""

    public_http_url: str = "http://127.0.0.1:8080"
    """Where players reach the origin and people the console; no slash at the end."""

    continuation_window_s: float = 15.0
    """How long a run whose publisher was lost waits before it is ended, seconds."""

    closing_wait_s: float = 5.0
    """How long a publish waits for the one before it to be flushed into the log, seconds."""

    flush_within_s: float = 300.0
    """How long a flush may take before its edge counts as gone, seconds; an encoder that sends faster than real time
    leaves a transcoder this much to catch up with."""

    allocate_within_s: float = 60.0
    """How long an accepted session may take to describe its source before it counts as failed, seconds."""

    queue_length: int = Field(default=200, gt=0)
    """How many publishes may wait for a transcoder; what comes above that is refused at once."""

    queue_wait_s: float = Field(default=5.0, gt=0)
    """How long a publish waits for its turn, and for room on a transcoder, as at the start of everything, seconds."""

    fleet_silence_s: float = 3.0
    """After how long without a report a pod gets nothing new, seconds; also how long this process listens before it is
    ready."""

    lease_s: float = 15.0
    """How long a session is held without a word of its edge, seconds."""

    idle_s: float = 2.0
    """After how long without media a publisher gives way to another one with the same key, seconds."""

    @field_validator("api_key", mode="before")
    @classmethod
    def _strip(cls, key: object) -> object:
        # A file's last line end comes along into many a variable, and no client can send one.
        text = key.get_secret_value() if isinstance(key, SecretStr) else key
        return text.strip() if isinstance(text, str) else text
