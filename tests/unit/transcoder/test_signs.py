"""What is told of all live runs: speed, backlog, what waits for workers, what is not durable."""

from dataclasses import dataclass

import pytest
from prometheus_client import REGISTRY

from headrace.core.media import TICKS_PER_S
from headrace.transcoder.signs import SAMPLE_S, Signs


@dataclass(eq=False)
class Run:
    """A work, as it is looked at."""

    fed: int = 0
    published: int = 0
    input_bytes: int = 0
    undurable_s: float = 0.0

    def go_on(self, *, fed_s: float, published_s: float) -> None:
        self.fed += round(fed_s * TICKS_PER_S)
        self.published += round(published_s * TICKS_PER_S)


class Scene:
    """Runs, and the time that passes for them."""

    def __init__(self, *runs: Run) -> None:
        self.now_s = 100.0
        self.runs = {*runs}
        self.signs = Signs(self.runs, lambda: self.now_s)
        self.signs.sample()

    def pass_time(self) -> list[float]:
        """A sample later: the speeds that were counted, as one sum and how many."""
        before = [said("speed_ratio_sum"), said("speed_ratio_count")]
        self.now_s += SAMPLE_S
        self.signs.sample()
        return [
            now - was for now, was in zip((said("speed_ratio_sum"), said("speed_ratio_count")), before, strict=True)
        ]


def said(name: str) -> float:
    value = REGISTRY.get_sample_value(f"headrace_transcoder_{name}")
    assert value is not None
    return value


def test_each_live_run_counts_with_the_speed_that_it_has_now() -> None:
    slow, fast = Run(input_bytes=9), Run()
    scene = Scene(slow, fast)
    slow.go_on(fed_s=6, published_s=5)
    fast.go_on(fed_s=10, published_s=10.2)
    assert scene.pass_time() == [pytest.approx(0.5 + 1.02), 2]
    slow.go_on(fed_s=10, published_s=9)
    fast.go_on(fed_s=10, published_s=10)
    assert scene.pass_time() == [pytest.approx(0.9 + 1.0), 2]


def test_a_source_that_does_not_send_says_nothing_about_its_encoder() -> None:
    silent = Run()
    scene = Scene(silent)
    silent.go_on(fed_s=4, published_s=4)
    assert scene.pass_time() == [0, 0]
    silent.input_bytes = 1
    silent.go_on(fed_s=4, published_s=4)
    assert scene.pass_time() == [pytest.approx(0.4), 1], "it is the worker that does not read"


def test_a_run_counts_from_its_second_look_on() -> None:
    scene = Scene()
    new = Run()
    scene.runs.add(new)
    new.go_on(fed_s=10, published_s=10)
    assert scene.pass_time() == [0, 0]
    new.go_on(fed_s=10, published_s=10)
    assert scene.pass_time() == [pytest.approx(1.0), 1]
    scene.runs.clear()
    assert scene.pass_time() == [0, 0]


def test_the_run_that_is_furthest_behind_is_the_one_that_is_told() -> None:
    scene = Scene()
    assert (said("backlog_seconds"), said("undurable_seconds"), said("worker_input_bytes")) == (0, 0, 0)
    scene.runs |= {
        Run(fed=5 * TICKS_PER_S, published=4 * TICKS_PER_S, input_bytes=100, undurable_s=7.0),
        Run(fed=90 * TICKS_PER_S, published=88 * TICKS_PER_S, input_bytes=20),
        Run(fed=0, published=3 * TICKS_PER_S),
    }
    assert (said("backlog_seconds"), said("undurable_seconds"), said("worker_input_bytes")) == (2, 7, 120)
