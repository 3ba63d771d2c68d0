"""A process's vital signs: its loop's lag and its start-up time."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import REGISTRY

from headrace.runtime import vitals
from headrace.runtime.aio.clock import process_age_s
from headrace.runtime.probes import Probes


class Time:
    """A loop that comes later than it should, by turns."""

    def __init__(self, lags_s: Sequence[float]) -> None:
        self.now_s = 100.0
        self._lags_s = iter(lags_s)

    async def sleep(self, seconds: float) -> None:
        lag_s = next(self._lags_s, None)
        if lag_s is None:
            raise asyncio.CancelledError
        self.now_s += seconds + lag_s


async def watched(lags_s: Sequence[float], *probes: Probes) -> None:
    time = Time(lags_s)
    with pytest.raises(asyncio.CancelledError):
        await vitals.watch(probes, lambda: time.now_s, time.sleep)


def said(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"headrace_process_{name}", labels)
    assert value is not None
    return value


async def test_how_late_the_loop_is_at_each_look_is_told() -> None:
    count, total_s = said("loop_lag_seconds_count"), said("loop_lag_seconds_sum")
    above = said("loop_lag_seconds_bucket", le="0.2")
    await watched([0.0, 0.005, 3.0, -0.001])
    assert said("loop_lag_seconds_count") - count == 4
    assert said("loop_lag_seconds_sum") - total_s == pytest.approx(3.005)
    assert said("loop_lag_seconds_bucket", le="0.2") - above == 3


async def test_the_time_until_all_of_a_process_was_ready_is_told_once() -> None:
    vitals.START.set(0)
    reasons = ["still"]
    first, second = Probes(lambda: ""), Probes(lambda: reasons[0])
    await watched([0.0] * 3, first, second)
    assert said("start_seconds") == 0
    reasons[0] = ""
    await watched([0.0] * 2, first, second)
    assert 0 < said("start_seconds") <= process_age_s()
    vitals.START.set(7)
    reasons[0] = "draining"
    await watched([0.0], first, second)
    assert said("start_seconds") == 7


async def test_a_process_without_services_is_never_ready() -> None:
    vitals.START.set(0)
    await watched([0.0])
    assert said("start_seconds") == 0


def test_a_process_is_as_old_as_the_kernel_says() -> None:
    before_s = process_age_s()
    assert 0 < before_s <= process_age_s() < before_s + 60
