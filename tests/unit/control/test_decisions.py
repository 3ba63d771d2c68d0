"""The pure decisions: who may publish, who transcodes, when a run is over."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.control.decisions.ending import Publisher, run_is_over
from headrace.control.decisions.joining import same_for_decoders, start_of_return
from headrace.control.decisions.placement import CHOICE, Candidate, cost_of, most_of, version_key
from headrace.control.decisions.publishing import Answer, Before, answer_publish
from headrace.control.decisions.rooms import Rooms
from headrace.core.broadcast import Cut, Profile, make_plan
from tests.unit.control.support import SOURCE

CANDIDATES = st.builds(
    Candidate,
    pod=st.text(st.sampled_from("abcdef"), min_size=1, max_size=4),
    target=st.just("unix:/t"),
    zone=st.sampled_from(["", "x", "y"]),
    version=st.sampled_from(["1.2", "1.10", "1.10.dev1"]),
    capacity=st.integers(0, 1000),
    used=st.integers(0, 1000),
    held=st.integers(0, 200),
)
FLEETS = st.lists(CANDIDATES, max_size=20, unique_by=lambda c: c.pod)


def rooms_of(candidates: Iterable[Candidate]) -> Rooms:
    rooms = Rooms()
    for candidate in candidates:
        rooms.put(candidate)
    return rooms


@pytest.mark.parametrize(
    ("before", "waited_enough", "lost", "planned", "answer"),
    [
        (Before.NOBODY, False, False, False, Answer.START),
        (Before.PUBLISHING, True, False, True, Answer.LOOK),
        (Before.FLUSHING, False, True, True, Answer.WAIT),
        (Before.FLUSHING, False, False, True, Answer.WAIT),
        (Before.FLUSHING, True, True, True, Answer.JOIN),
        (Before.FLUSHING, True, False, True, Answer.REPLACE),
        (Before.LOST, False, True, True, Answer.JOIN),
        (Before.LOST, False, True, False, Answer.REPLACE),
        (Before.GONE, False, False, True, Answer.REPLACE),
    ],
)
def test_a_publish_is_answered_by_who_was_there_before(
    before: Before, waited_enough: bool, lost: bool, planned: bool, answer: Answer
) -> None:
    assert answer_publish(before, waited_enough=waited_enough, lost=lost, planned=planned) is answer


@settings(max_examples=200)
@given(FLEETS, st.integers(0, 500), st.sampled_from(["x", "y", "z"]))
def test_candidates_are_of_the_newest_version_with_room_near_if_possible_and_the_fullest_there(
    candidates: list[Candidate], cost: int, zone: str
) -> None:
    found = rooms_of(candidates).candidates(cost, zone)
    fit = [c for c in candidates if c.free >= cost]
    if not fit:
        assert all(c.idle for c in found)
        assert len(found) == min(CHOICE, sum(c.idle for c in candidates))
        return
    newest = max(version_key(c.version) for c in fit)
    best = [c for c in fit if version_key(c.version) == newest]
    near = [c for c in best if c.zone == zone]
    expected = sorted(near or best, key=lambda c: (c.free, c.pod))[:CHOICE]
    assert found == expected


@settings(max_examples=100)
@given(FLEETS, st.integers(0, 500), st.randoms())
def test_what_happened_before_does_not_matter(candidates: list[Candidate], cost: int, random: Random) -> None:
    rooms = rooms_of([replace(c, used=random.randrange(900), version="7", zone="q") for c in candidates])
    shuffled = random.sample(candidates, len(candidates))
    for candidate in shuffled:
        rooms.put(candidate)
    fresh = rooms_of(candidates)
    assert rooms.candidates(cost, "x") == fresh.candidates(cost, "x")
    assert rooms.largest == fresh.largest == max((c.free for c in candidates), default=0)
    for candidate in shuffled:
        rooms.drop(candidate.pod)
    assert (len(rooms), rooms.candidates(0, ""), rooms.largest) == (0, [], 0)


def test_an_idle_transcoder_takes_a_run_beyond_it_when_nobody_has_room() -> None:
    small, smaller = Candidate("a", "a", "", "1", 90, 0), Candidate("b", "b", "", "1", 50, 0)
    busy, roomy = Candidate("c", "c", "", "1", 150, 60), Candidate("d", "d", "", "1", 500, 300)
    assert rooms_of([smaller, busy, small]).candidates(100, "") == [small, smaller]
    assert rooms_of([smaller, busy, roomy, small]).candidates(100, "") == [roomy]
    assert rooms_of([replace(small, held=1), busy]).candidates(100, "") == []


def test_who_is_excluded_is_not_a_candidate() -> None:
    one, two = Candidate("a", "a", "", "1", 90, 0), Candidate("b", "b", "", "1", 50, 0)
    assert rooms_of([one, two]).candidates(10, "", {"b"}) == [one]
    assert rooms_of([one, two]).candidates(100, "", {"a"}) == [two]


def test_versions_are_compared_by_their_numbers() -> None:
    ascending = ["", "0.9", "0.10.0.dev0", "0.10.0", "0.10.0+1", "0.10.1", "1"]
    assert sorted(ascending[::-1], key=version_key) == ascending


def test_a_profile_holds_at_most_what_full_hd_at_sixty_costs() -> None:
    full_hd = replace(SOURCE, video=replace(SOURCE.video, width=1920, height=1080, frame_rate=Fraction(60)))
    for words in ("auto", "passthrough", {"rungs": [{"height": 360}]}):
        profile = Profile.parse(words)
        assert most_of(profile) == cost_of(make_plan(profile, full_hd), full_hd)


@settings(max_examples=200)
@given(st.integers(0, 10**8), st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from(["auto", "passthrough"]))
def test_a_return_starts_at_the_first_part_boundary_after_everything(
    elapsed_ms: int, furthest: int, into: int, profile: str
) -> None:
    plan = make_plan(Profile.parse(profile), SOURCE)
    segment_start = max(0, furthest - into)
    start = start_of_return(plan, elapsed_ms, furthest, segment_start)
    after = max(furthest, elapsed_ms * 90)
    assert 0 <= start - after < plan.part
    if plan.cut is Cut.GRID:
        assert start % plan.segment % plan.part == 0
    else:
        assert (start - segment_start) % plan.part == 0


def test_a_return_goes_on_only_where_no_decoder_would_notice() -> None:
    video, audio = SOURCE.video, SOURCE.audio
    assert audio is not None
    for same in (SOURCE, replace(SOURCE, video=replace(video, kbps=9, delta=7, closed=False))):
        assert same_for_decoders(same, SOURCE)
    for other in (
        replace(SOURCE, video=replace(video, config=b"other")),
        replace(SOURCE, video=replace(video, width=640)),
        replace(SOURCE, audio=None),
        replace(SOURCE, audio=replace(audio, config=b"other")),
        replace(SOURCE, audio=replace(audio, sample_rate=44_100)),
    ):
        assert not same_for_decoders(other, SOURCE)


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
