"""A cutter that starts at any boundary of the log makes the cuts that the first would have made."""

from fractions import Fraction

import pytest
from hypothesis import given, settings

from headrace.core.broadcast import AudioSource, Plan
from headrace.core.hls.segmenter import GapPart, PartClosed, PassthroughPart, Planned, Sample, Span
from tests.support.cuts import encoded, heard, passed, spans
from tests.support.media_patterns import CLIP_GOPS_S, RATES, Pattern, Shot, patterns, steady, uneven

AUDIO = AudioSource("mp4a", b"", 44_100, 2, 1024)


def pictures(said: list[Planned | PartClosed], skipped: int) -> list[Planned | PartClosed]:
    """Which picture is shown where; a continuation has an IDR more, and its first picture counts as not yet planned."""
    return [
        item._replace(source=item.source + skipped, idr=False, repeat=False) if isinstance(item, Planned) else item
        for item in said
    ]


def contents(said: list[PassthroughPart | GapPart], skipped: int) -> list[tuple[Span, list[Sample]]]:
    return [
        (
            part if isinstance(part, GapPart) else Span(*part.place),
            [sample._replace(source=sample.source + skipped) for sample in part.samples]
            if isinstance(part, PassthroughPart)
            else [],
        )
        for part in said
    ]


def assert_continues_encoded(plan: Plan, pattern: Pattern, every: int = 1) -> None:
    first = encoded(plan, pattern)
    for part in spans(first)[:-1:every]:
        replay = pattern.from_keyframe_before(part.end)
        skipped = len(pattern.shots) - len(replay.shots)
        rest = first[first.index(part) + 1 :]  # type: ignore[arg-type]
        assert pictures(encoded(plan, replay, part.after), skipped) == pictures(rest, 0)


def assert_continues_passed(plan: Plan, pattern: Pattern, every: int = 1) -> None:
    first = passed(plan, pattern)
    for i in range(0, len(first) - 1, every):
        replay = pattern.from_keyframe_before(first[i].end)
        skipped = len(pattern.shots) - len(replay.shots)
        assert contents(passed(plan, replay, first[i].after), skipped) == contents(first[i + 1 :], 0)


def assert_continues_heard(plan: Plan, pattern: Pattern, every: int = 1) -> None:
    leading = spans(encoded(plan, pattern) if plan.encoded else passed(plan, pattern))
    first = heard(plan, leading)
    for i in range(0, len(first) - 1, every):
        rest = [span for span in leading if span.start >= first[i].end]
        assert heard(plan, rest, first[i].after) == first[i + 1 :]


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@pytest.mark.parametrize("profile", ["auto", "passthrough", "source+auto"])
def test_from_every_boundary_of_a_steady_source(rate: Fraction, profile: str) -> None:
    pattern = steady(rate, 7, [2.002, 1.5, 3.9], ms=True)
    plan = pattern.plan(profile, AUDIO)
    if plan.encoded:
        assert_continues_encoded(plan, pattern)
    if plan.passthrough:
        assert_continues_passed(plan, pattern)
    assert_continues_heard(plan, pattern)


@pytest.mark.parametrize("profile", ["auto", "passthrough"])
def test_from_every_boundary_of_the_clip_s_gops(profile: str) -> None:
    pattern = steady(Fraction(24), 24, CLIP_GOPS_S)
    plan = pattern.plan(profile)
    if plan.encoded:
        assert_continues_encoded(plan, pattern)
    else:
        assert_continues_passed(plan, pattern)


def test_from_every_boundary_of_a_source_that_was_cut_between_keyframes() -> None:
    pattern = steady(Fraction(30), 16, [2, 9, 1])
    plan = pattern.plan("source+auto", AUDIO)
    assert plan.passthrough
    assert_continues_encoded(plan, pattern)
    assert_continues_passed(plan, pattern)
    assert_continues_heard(plan, pattern)


def test_from_every_boundary_of_a_source_whose_reordering_shrinks() -> None:
    shots = [Shot(3000 * i - (9000 if i < 30 else 3000), 3000 * i, i % 60 == 0) for i in range(180)]
    pattern = Pattern(Fraction(30), tuple(shots), 540_000)
    assert_continues_passed(pattern.plan("passthrough"), pattern)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("profile", ["auto", "passthrough", "source+auto"])
def test_from_every_boundary_of_an_uneven_source(seed: int, profile: str) -> None:
    pattern = uneven(seed, 10, [1.9, 3.1], ms=seed % 2 == 0)
    plan = pattern.plan(profile, AUDIO)
    if plan.encoded:
        assert_continues_encoded(plan, pattern)
    if plan.passthrough:
        assert_continues_passed(plan, pattern)
    assert_continues_heard(plan, pattern)


@given(patterns())
@settings(max_examples=15)
def test_from_some_boundaries_of_any_source(pattern: Pattern) -> None:
    for profile in ("auto", "passthrough", "source+auto"):
        plan = pattern.plan(profile, AUDIO)
        if plan.encoded:
            assert_continues_encoded(plan, pattern, every=11)
        if plan.passthrough:
            assert_continues_passed(plan, pattern, every=11)
        assert_continues_heard(plan, pattern, every=11)
