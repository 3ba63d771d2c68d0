"""When a run without a publisher is over.

Law: a run never outlives its publisher by more than the continuation window, whoever forgot to say goodbye.
Times are Unix milliseconds, windows milliseconds.
"""

from enum import Enum, auto


class Publisher(Enum):
    """What became of the newest session of a live run."""

    DESCRIBING = auto()  # accepted, its source is not described yet
    PUBLISHING = auto()
    FLUSHING = auto()  # gone, what it sent is on its way into the log
    AWAY = auto()  # gone, perhaps to come back
    FINISHED = auto()  # gone for good


def run_is_over(
    publisher: Publisher, since_ms: int, now_ms: int, *, continuation_ms: int, describe_ms: int, flush_ms: int
) -> bool:
    """`since_ms`: when the session opened (while it is there) or its publisher left (after)."""
    if publisher is Publisher.FINISHED:
        return True
    limits_ms = {
        Publisher.AWAY: continuation_ms,
        Publisher.DESCRIBING: describe_ms,
        Publisher.FLUSHING: flush_ms,
    }
    return publisher in limits_ms and now_ms - since_ms >= limits_ms[publisher]
