"""When pods report: once a second each, on a grid that they share."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.wire.reporting import GRID_MS, until_next_s

times_ms = st.integers(0, 2**41)


@given(times_ms, times_ms)
def test_the_next_report_is_on_the_grid_a_second_after_another_of_this_pod(began_ms: int, now_ms: int) -> None:
    wait_s = until_next_s(began_ms, now_ms)
    next_ms = now_ms + round(wait_s * 1000)
    assert next_ms % GRID_MS == 0
    assert next_ms % 1000 == began_ms % 1000 - began_ms % GRID_MS
    assert GRID_MS < round(wait_s * 1000) <= 1000 + GRID_MS


@given(times_ms, st.integers(-5, 5))
def test_a_timer_that_is_early_or_late_makes_one_report_a_second_all_the_same(began_ms: int, late_ms: int) -> None:
    due_ms = began_ms + round(until_next_s(began_ms, began_ms) * 1000)
    assert due_ms + late_ms + round(until_next_s(began_ms, due_ms + late_ms) * 1000) == due_ms + 1000
