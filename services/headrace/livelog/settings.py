"""What a log in this process's memory is told.

Law: read once, immutable, passed down.
"""

from pydantic import Field

from headrace.livelog.memory import DEFAULT_MAX_BYTES
from headrace.runtime.config import Settings


class LogSettings(Settings):
    """`HEADRACE_*` variables of the memory log."""

    log_bytes: int = Field(default=DEFAULT_MAX_BYTES, gt=0)
    """What all runs together may hold, bytes; above it their windows shrink."""
