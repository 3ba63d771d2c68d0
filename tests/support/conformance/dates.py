"""Dates in playlists."""

import re
from datetime import UTC, datetime

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:?\d\d)")


def unix_ms(date: str) -> int | None:
    """Milliseconds since 1970 of a date with milliseconds and a zone, else None."""
    if not _DATE.fullmatch(date):
        return None
    since = datetime.fromisoformat(date) - datetime(1970, 1, 1, tzinfo=UTC)
    return round(since.total_seconds() * 1000)
