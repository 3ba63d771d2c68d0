"""The one time base: integer ticks of 1/90000 s.

Law: conversions round once, here, and nothing else in the house rounds a time.
"""

TICKS_PER_S = 90_000
TICKS_PER_MS = 90


def ticks_from_ms(ms: int) -> int:
    """Whole milliseconds to ticks, exact."""
    return ms * TICKS_PER_MS


def ticks_from_ns(ns: int) -> int:
    """Nanoseconds to the nearest tick, half up."""
    return (9 * ns + 50_000) // 100_000


def samples_to_ticks(n: int, rate: int) -> int:
    """The tick at which sample `n` of a `rate` Hz track starts, rounded down."""
    return n * TICKS_PER_S // rate
