"""Audio parts follow the leading rung's."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import AudioRung, AudioSource
from headrace.core.hls.segmenter import AudioCutter, AudioPart, AudioUnit, GapPart, Position, Span, first_unit
from tests.support.cuts import assert_playable, encoded, heard, passed, spans
from tests.support.media_patterns import RATES, TICKS, Pattern, patterns, steady

AAC = AudioRung("audio", 48_000, 2, 1024, 0, 128)
START = Position.initial()


def span(part: int, start: int, end: int, segment_end: bool = False, msn: int = 0) -> Span:
    return Span(msn, part, start, end, 0, True, segment_end)


def units(parts: list[AudioPart | GapPart]) -> list[AudioUnit]:
    return [unit for part in parts if isinstance(part, AudioPart) for unit in part.units]


@given(patterns(), st.sampled_from([(44_100, 1024, 300), (48_000, 1024, 0), (22_050, 2048, 2000), (16_000, 1024, 7)]))
@settings(max_examples=25)
def test_every_unit_is_in_the_part_whose_span_it_starts_in_and_the_result_is_playable(
    pattern: Pattern, source: tuple[int, int, int]
) -> None:
    rate, size, grid = source
    audio = AudioSource("mp4a", b"", rate, 2, size, grid=grid)
    for profile in ("auto", "passthrough", "source+auto"):
        plan = pattern.plan(profile, audio)
        assert plan.audio is not None
        parts = heard(plan, spans(encoded(plan, pattern) if plan.encoded else passed(plan, pattern)))
        assert_playable(plan, parts, pattern.end)
        rung = plan.audio
        for part in parts:
            if isinstance(part, AudioPart):
                ks = [(unit.sample - rung.grid) // rung.frame_samples for unit in part.units]
                opening = max(0, first_unit(rung, part.start))
                assert ks == list(range(opening, first_unit(rung, part.end)))
        inside = units(parts)
        assert all(a.sample + a.samples == b.sample for a, b in pairwise(inside))
        assert inside[0].sample == rung.grid


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
def test_audio_parts_start_within_a_unit_of_the_boundary(rate: Fraction) -> None:
    pattern = steady(rate, 10, [2], ms=True)
    plan = pattern.plan("auto", AudioSource("mp4a", b"", 44_100, 2, 1024))
    for part in heard(plan, spans(encoded(plan, pattern))):
        assert isinstance(part, AudioPart)
        assert 0 <= Fraction(part.units[0].sample, 48_000) - Fraction(part.start, TICKS) < Fraction(1024, 48_000)


@given(st.integers(0, 10**12), st.sampled_from([8000, 44_100, 48_000]), st.sampled_from([1024, 2048]))
def test_the_first_unit_of_a_boundary_is_the_first_that_starts_at_or_after_it(b: int, rate: int, size: int) -> None:
    rung = AudioRung("audio", rate, 2, size, 300, 0)
    k = first_unit(rung, b)
    assert (300 + k * size) * TICKS >= b * rate > (300 + (k - 1) * size) * TICKS


def test_a_last_part_that_would_hold_no_unit_is_not_made() -> None:
    cutter = AudioCutter(AAC, START)
    # Units start every 1920 ticks: none from 30721 to 32000.
    for k in range(40):
        assert cutter.push(k * 1024, 1024) == []
    assert cutter.follow(span(0, 0, 30_721)) == []
    (part,) = cutter.follow(span(1, 30_721, 32_000, segment_end=True))
    assert (part.part, part.start, part.end, part.segment_end) == (0, 0, 32_000, True)


def test_a_part_waits_only_until_the_next_is_known_to_hold_a_unit() -> None:
    cutter = AudioCutter(AAC, START)
    for k in range(40):
        cutter.push(k * 1024, 1024)
    assert cutter.follow(span(0, 0, 30_721)) == []
    assert cutter.reach(32_639) == []
    (part,) = cutter.reach(32_640)
    assert (part.end, part.segment_end) == (30_721, False)


def test_a_part_waits_for_its_units() -> None:
    cutter = AudioCutter(AAC, START)
    assert cutter.follow(span(0, 0, 5760, segment_end=True)) == []
    assert cutter.push(0, 1024) == []
    assert cutter.push(1024, 1024) == []
    (part,) = cutter.push(2048, 1024)
    assert isinstance(part, AudioPart)
    assert part.units == (AudioUnit(0, 1024), AudioUnit(1024, 1024), AudioUnit(2048, 1024))


def test_missing_units_are_a_gap_and_a_unit_before_a_hole_lasts_until_the_next() -> None:
    cutter = AudioCutter(AAC, START)
    for n, end in enumerate((9600, 19_200, 28_800)):
        cutter.follow(span(n, 9600 * n, end, segment_end=n == 2))
    said = [part for k in (0, 1, 4, 10, 11, 12, 13, 14) for part in cutter.push(k * 1024, 1024)]
    first, second, third = said
    assert isinstance(first, AudioPart)
    assert first.units == (AudioUnit(0, 1024), AudioUnit(1024, 3072), AudioUnit(4096, 1024))
    assert isinstance(second, GapPart)
    assert isinstance(third, AudioPart)
    assert len(third.units) == 5


def test_audio_that_stays_away_is_a_gap_after_five_seconds_and_dropped_when_it_comes() -> None:
    cutter = AudioCutter(AAC, START)
    said = [part for n in range(20) for part in cutter.follow(span(n, 30_000 * n, 30_000 * (n + 1)))]
    assert [type(part) for part in said] == [GapPart] * 4
    assert cutter.push(1024, 1024) == []
    assert cutter.dropped == 1


def test_a_segment_too_short_for_any_unit_is_a_gap_and_no_number_is_skipped() -> None:
    cutter = AudioCutter(AAC, START)
    for k in range(60):
        cutter.push(k * 1024, 1024)
    said = cutter.follow(span(0, 0, 30_721, segment_end=True))
    said += cutter.follow(Span(1, 0, 30_721, 31_000, 30_721, False, True))
    said += cutter.follow(Span(2, 0, 31_000, 61_000, 31_000, True, True))
    assert [(part.msn, type(part)) for part in said] == [(0, AudioPart), (1, GapPart), (2, AudioPart)]


def test_a_stretched_unit_moves_those_that_follow_it_off_the_grid_but_none_is_lost() -> None:
    cutter = AudioCutter(AudioRung("audio", 48_000, 2, 1024, 0, 0), START)
    sample = 0
    said: list[AudioPart | GapPart] = []
    pushed = []
    for k in range(100):
        length = 1040 if k % 10 == 0 else 1024
        said += cutter.push(sample, length)
        pushed.append(sample)
        sample += length
        if k % 16 == 15:
            said += cutter.follow(span(k // 16, 30_000 * (k // 16), 30_000 * (k // 16 + 1)))
    said += cutter.finish()
    assert [unit.sample for unit in units(said)] == [n for n in pushed if n * 90 < 180_000 * 48]


def test_a_span_that_the_unit_before_it_outlasts_is_a_filled_gap_also_after_a_continuation() -> None:
    # Units start every 1920 ticks: none from 30721 to 32000.
    spans = [span(0, 0, 30_721), span(1, 30_721, 32_000), span(2, 32_000, 62_000, segment_end=True)]

    def gaps(position: Position, missing: int | None) -> list[GapPart]:
        cutter = AudioCutter(AAC, position)
        for k in range(60):
            if k != missing:
                cutter.push(k * 1024, 1024)
        said = [part for one in spans for part in cutter.follow(one)]
        return [part for part in said if isinstance(part, GapPart)]

    (gap,) = gaps(START, None)
    assert (gap.part, gap.filled) == (1, True)
    assert gaps(Position(0, 1, 30_721, 0, True), None) == [gap]
    (missing,) = gaps(START, 16)
    assert (missing.part, missing.filled) == (1, False)
