"""When a run without a publisher is over.

Law: a run never outlives its publisher by more than the continuation window, whoever forgot to say goodbye.
Times are Unix milliseconds, windows milliseconds.
"""

from enum import Enum, auto


class Publisher(Enum):
    """What became of the newest session of a live run."""

    DESCRIBING = auto()  # accepted, its source is not described yet
    PUBLISHING = auto()
    AWAY = auto()  # gone, perhaps to come back (its flush may still be on the way)
    FINISHED = auto()  # gone for good


def run_is_over(publisher: Publisher, since_ms: int, now_ms: int, *, continuation_ms: int, describe_ms: int) -> bool:
    """`since_ms`: when the session opened (while it is there) or its publisher left (after)."""
    if publisher is Publisher.FINISHED:
        return True
    limit_ms = {Publisher.AWAY: continuation_ms, Publisher.DESCRIBING: describe_ms}.get(publisher)
    return limit_ms is not None and now_ms - since_ms >= limit_ms
