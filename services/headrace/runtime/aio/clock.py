"""The process's only clocks.

Law: no other module reads the time; pure code is given it as an argument.
"""

import time


def monotonic_s() -> float:
    """Seconds that never go back; only differences mean something."""
    return time.monotonic()


def monotonic_ms() -> int:
    """The same in whole milliseconds."""
    return time.monotonic_ns() // 1_000_000


def unix_ms() -> int:
    """Milliseconds since 1970-01-01T00:00Z."""
    return time.time_ns() // 1_000_000


def unix_ns() -> int:
    """The same in nanoseconds."""
    return time.time_ns()
