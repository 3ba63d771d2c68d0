"""What a run costs and when there is room for it."""

import pytest

from headrace.core.broadcast import Refused
from headrace.transcoder.capacity import PASSTHROUGH_PIXELS_S, Capacity, cost
from tests.support.broadcasts import PLAN, SOURCE
from tests.support.runs import plan_of


def test_a_run_costs_its_source_and_its_rungs_and_passthrough_next_to_nothing() -> None:
    assert cost(PLAN, SOURCE) == 24 * (1920 * 1080 + 1280 * 720 + 640 * 360)
    assert cost(plan_of("passthrough"), SOURCE) == PASSTHROUGH_PIXELS_S


def test_an_idle_transcoder_takes_any_run_and_a_busy_one_what_fits() -> None:
    capacity = Capacity(100)
    capacity.take(500)
    with pytest.raises(Refused):
        capacity.take(1)
    capacity.release(500)
    capacity.take(60)
    capacity.take(40)
    with pytest.raises(Refused):
        capacity.take(1)


def test_what_cannot_be_measured_is_room_for_one_run() -> None:
    capacity = Capacity(0)
    assert capacity.total > 0
    capacity.take(10)
    with pytest.raises(Refused):
        capacity.take(10)
