"""Times of arrival, judged so that a busy machine is not taken for a slow server."""

from collections.abc import Iterator
from statistics import median, quantiles

ALLOWANCE_S = 0.25
"""What scheduling on a busy machine may add to a time of arrival at the 95th percentile."""
AT_ONCE_S = 2.0
"""What is answered at once takes no longer than this on the busiest machine."""


def slow(rule: int, what: str, took_s: list[float], limit_s: float) -> Iterator[tuple[int, str]]:
    """By the middle, which no busy machine moves, and by the 95th percentile, to which it may add its allowance."""
    if len(took_s) < 2:
        return
    worst = quantiles(took_s, n=20, method="inclusive")[-1]
    if median(took_s) > limit_s or worst > limit_s + ALLOWANCE_S:
        yield (
            rule,
            f"{what} {median(took_s):.3f} s apart (median; 95 %: {worst:.3f} s) where {limit_s:.3f} s are allowed",
        )
