"""The pure decisions: who may publish, who transcodes, when a run is over."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.control.decisions.ending import Publisher, run_is_over
from headrace.control.decisions.placement import STANDBYS, Candidate, choose_transcoders, cost_of
from headrace.control.decisions.publishing import Answer, Before, answer_publish
from headrace.core.broadcast import Profile, make_plan
from tests.unit.control.support import SOURCE

CANDIDATES = st.builds(
    Candidate,
    pod=st.text(st.sampled_from("abcdef"), min_size=1, max_size=4),
    target=st.just("unix:/t"),
    ready=st.booleans(),
    capacity=st.integers(0, 1000),
    used=st.integers(0, 1000),
    held=st.integers(0, 200),
)


@pytest.mark.parametrize(
    ("before", "waited_enough", "answer"),
    [
        (Before.NOBODY, False, Answer.START),
        (Before.NOBODY, True, Answer.START),
        (Before.PUBLISHING, False, Answer.REFUSE),
        (Before.PUBLISHING, True, Answer.REFUSE),
        (Before.FLUSHING, False, Answer.WAIT),
        (Before.FLUSHING, True, Answer.REPLACE),
        (Before.GONE, False, Answer.REPLACE),
        (Before.GONE, True, Answer.REPLACE),
    ],
)
def test_a_publish_is_answered_by_who_was_there_before(before: Before, waited_enough: bool, answer: Answer) -> None:
    assert answer_publish(before, waited_enough=waited_enough) is answer


@settings(max_examples=40)
@given(st.lists(CANDIDATES, max_size=8, unique_by=lambda c: c.pod), st.integers(0, 500))
def test_only_ready_transcoders_with_room_are_chosen_and_the_fullest_is_first(
    candidates: list[Candidate], cost: int
) -> None:
    busy = [replace(c, used=c.used + 1) for c in candidates]
    chosen = choose_transcoders(busy, cost)
    fit = [c for c in busy if c.ready and c.capacity - c.used - c.held >= cost]
    assert len(chosen) == min(len(fit), 1 + STANDBYS)
    assert set(chosen) <= set(fit)
    assert [c.free for c in chosen] == sorted(c.free for c in fit)[: len(chosen)]


def test_an_idle_transcoder_takes_a_run_beyond_it_when_nobody_has_room() -> None:
    small, smaller = Candidate("a", "a", True, 90, 0), Candidate("b", "b", True, 50, 0)
    busy, roomy = Candidate("c", "c", True, 150, 60), Candidate("d", "d", True, 500, 300)
    assert choose_transcoders([smaller, busy, small], 100) == (small, smaller)
    assert choose_transcoders([smaller, busy, roomy, small], 100) == (roomy, small, smaller)
    assert choose_transcoders([replace(small, held=1), replace(smaller, ready=False), busy], 100) == ()


@settings(max_examples=40)
@given(st.lists(CANDIDATES, max_size=8, unique_by=lambda c: c.pod), st.integers(0, 500), st.randoms())
def test_the_order_of_the_reports_does_not_matter(candidates: list[Candidate], cost: int, random: object) -> None:
    assert choose_transcoders(candidates, cost) == choose_transcoders(reversed(candidates), cost)


def test_a_run_costs_its_decode_and_every_encoded_rung() -> None:
    plan = make_plan(Profile.parse({"rungs": [{"height": 720}, {"height": 360}]}), SOURCE)
    assert cost_of(plan, SOURCE) == 30 * (1280 * 720 + 1280 * 720 + 640 * 360)


def test_a_rung_of_half_the_rate_costs_half() -> None:
    at_60 = replace(SOURCE, video=replace(SOURCE.video, frame_rate=SOURCE.video.frame_rate * 2))
    plan = make_plan(Profile.parse({"rungs": [{"height": 720, "fps": 30}]}), at_60)
    assert cost_of(plan, at_60) == 60 * 1280 * 720 + 30 * 1280 * 720


def test_passing_through_costs_little() -> None:
    assert cost_of(make_plan(Profile.parse("passthrough"), SOURCE), SOURCE) == 1_000_000


@pytest.mark.parametrize(
    ("publisher", "age_ms", "over"),
    [
        (Publisher.PUBLISHING, 10**9, False),
        (Publisher.AWAY, 14_999, False),
        (Publisher.AWAY, 15_000, True),
        (Publisher.FLUSHING, 299_999, False),
        (Publisher.FLUSHING, 300_000, True),
        (Publisher.DESCRIBING, 59_999, False),
        (Publisher.DESCRIBING, 60_000, True),
        (Publisher.FINISHED, 0, True),
    ],
)
def test_a_run_is_over_when_its_publisher_is_gone_for_long_enough(
    publisher: Publisher, age_ms: int, over: bool
) -> None:
    limits = {"continuation_ms": 15_000, "describe_ms": 60_000, "flush_ms": 300_000}
    assert run_is_over(publisher, 1000, 1000 + age_ms, **limits) is over
