"""What an edge's buffers are behind, as its metrics say it."""

from prometheus_client import REGISTRY

from headrace.core.media import TICKS_PER_S, Frame, Kind
from headrace.edge.budget import Budget
from headrace.edge.replay import FRAME_BYTES, ReplayBuffer


def said(name: str) -> float:
    value = REGISTRY.get_sample_value(f"headrace_edge_{name}")
    assert value is not None
    return value


def seconds(buffer: ReplayBuffer, first: int, count: int) -> None:
    """A keyframe of ten bytes each second."""
    for at in range(first, first + count):
        buffer.append(Frame(Kind.VIDEO, True, at * TICKS_PER_S, at * TICKS_PER_S, bytes(10)))


def test_what_is_held_is_told_beside_how_much_may_be() -> None:
    budget = Budget(1000)
    assert (said("held_bytes"), said("held_limit_bytes")) == (0, 1000)
    buffer = ReplayBuffer(1 << 20, budget)
    seconds(buffer, 0, 2)
    assert said("held_bytes") == said("unpublished_bytes") == 2 * (10 + FRAME_BYTES)
    buffer.published(TICKS_PER_S)
    assert said("held_bytes") == 2 * (10 + FRAME_BYTES)
    assert said("unpublished_bytes") == 10 + FRAME_BYTES


def test_the_publish_that_is_furthest_behind_is_the_one_that_is_told() -> None:
    budget = Budget(1 << 30)
    near, far = ReplayBuffer(1 << 20, budget), ReplayBuffer(1 << 20, budget)
    seconds(near, 100, 3)
    seconds(far, 0, 10)
    assert (said("unpublished_seconds"), said("undurable_seconds")) == (9, 9)
    far.published(8 * TICKS_PER_S)
    assert (said("unpublished_seconds"), said("undurable_seconds")) == (2, 9)
    far.trim(7 * TICKS_PER_S)
    assert (said("unpublished_seconds"), said("undurable_seconds")) == (2, 2)
    far.published(10 * TICKS_PER_S)
    far.trim(10 * TICKS_PER_S)
    assert (said("unpublished_seconds"), said("undurable_seconds")) == (2, 2), "the other one's"
    near.published(103 * TICKS_PER_S)
    assert (said("unpublished_seconds"), said("undurable_seconds")) == (0, 2)


def test_a_publish_that_is_over_is_behind_nothing() -> None:
    budget = Budget(1 << 30)
    buffer = ReplayBuffer(1 << 20, budget)
    seconds(buffer, 0, 10)
    buffer.clear()
    assert (said("unpublished_seconds"), said("undurable_seconds"), said("unpublished_bytes")) == (0, 0, 0)
    assert budget.buffers == set()
