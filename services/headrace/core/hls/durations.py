"""How a duration is printed in a playlist, and how it is rounded where RFC 8216bis compares it with TARGETDURATION.

Law: a duration is the difference of two boundaries that were rounded to 10 microseconds each, so the printed durations
of any run of segments add up to its printed length: rounding never accumulates.
"""

from headrace.core.media import TICKS_PER_S

_UNITS_PER_S = 100_000  # 10 microseconds: five decimals


def extinf(start: int, end: int) -> str:
    """Seconds from boundary `start` to boundary `end` (ticks) with five decimals, for EXTINF and DURATION."""
    units = _rounded(end) - _rounded(start)
    return f"{units // _UNITS_PER_S}.{units % _UNITS_PER_S:05d}"


def round_half_up_seconds(ticks: int) -> int:
    """Whole seconds, half up: EXTINF rounded as RFC 8216bis §4.4.3.1 compares it (Python's `round(2.5)` is 2)."""
    return (2 * ticks + TICKS_PER_S) // (2 * TICKS_PER_S)


def _rounded(ticks: int) -> int:
    # A tick is 10/9 of a unit, so halves cannot occur.
    return (20 * ticks + 9) // 18
