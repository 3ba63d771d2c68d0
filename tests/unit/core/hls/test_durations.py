"""EXTINF as it is printed, and as it is rounded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.hls.durations import extinf, round_half_up_seconds


@pytest.mark.parametrize(
    ("start", "end", "printed"),
    [
        (0, 180_000, "2.00000"),
        (0, 1, "0.00001"),
        (0, 3754, "0.04171"),
        (3754, 7508, "0.04171"),
        (7_776_000_000, 7_776_180_180, "2.00200"),
    ],
)
def test_a_duration_has_five_decimals(start: int, end: int, printed: str) -> None:
    assert extinf(start, end) == printed


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=20, unique=True).map(sorted))
def test_printed_durations_add_up_to_the_printed_whole(boundaries: list[int]) -> None:
    parts = [extinf(a, b) for a, b in pairwise(boundaries)]
    total = sum(int(part.replace(".", "")) for part in parts)
    assert total == int(extinf(boundaries[0], boundaries[-1]).replace(".", ""))


@given(st.integers(0, 10**12), st.integers(1, 10**9))
def test_a_printed_duration_is_less_than_10_microseconds_off(start: int, duration: int) -> None:
    assert abs(float(extinf(start, start + duration)) - duration / 90_000) < 1.0001e-5


@pytest.mark.parametrize(
    ("ticks", "seconds"), [(0, 0), (44_999, 0), (45_000, 1), (134_999, 1), (135_000, 2), (225_000, 3)]
)
def test_half_a_second_rounds_up(ticks: int, seconds: int) -> None:
    assert round_half_up_seconds(ticks) == seconds
