"""When parts and segments are there to be listed, in virtual time: a steady source that does not stall."""

from collections import defaultdict
from fractions import Fraction
from functools import cache
from itertools import pairwise

import pytest

from headrace.core.broadcast import AudioSource, Plan
from headrace.core.hls.segmenter import GapPart
from tests.support.media_patterns import RATES, TICKS, steady
from tests.support.pace import Decided, decided

TICKS_PER_MS = 90
SOUND = AudioSource("mp4a", b"", 48_000, 2, 1024)
PROFILES = ["auto", "passthrough", "source+auto"]
STEADY = {name: RATES[name] for name in ("23.976", "24", "25", "29.97", "30", "50", "59.94", "60")}


@cache
def run_of(
    profile: str, rate: Fraction, *, ms: bool, reorder: int, gop_s: float = 2, sound: AudioSource = SOUND
) -> tuple[Plan, list[Decided]]:
    """21 s of a steady source, times as RTMP tells them or exact."""
    pattern = steady(rate, 21, [gop_s], ms=ms, reorder=reorder)
    plan = pattern.plan(profile, sound, height=1080)
    return plan, decided(plan, pattern)


def by_rung(said: list[Decided]) -> dict[str, list[Decided]]:
    rungs: dict[str, list[Decided]] = defaultdict(list)
    for one in said:
        rungs[one.rung].append(one)
    return rungs


def latest_after_another(parts: list[Decided]) -> int:
    return max(b.at - a.at for a, b in pairwise(parts))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rate", STEADY.values(), ids=STEADY)
@pytest.mark.parametrize("ms", [False, True], ids=["exact", "milliseconds"])
@pytest.mark.parametrize("reorder", [0, 2], ids=["no B-frames", "B-frames"])
def test_a_new_part_comes_within_a_part_target_of_the_one_before(
    profile: str, rate: Fraction, ms: bool, reorder: int
) -> None:
    """RFC 8216bis §6.2.1."""
    plan, said = run_of(profile, rate, ms=ms, reorder=reorder)
    rungs = by_rung(said)
    assert set(rungs) == set(plan.rung_names)
    for name, parts in rungs.items():
        assert not any(isinstance(one.part, GapPart) for one in parts)
        assert len(parts) > 20 * TICKS // plan.part
        latest = latest_after_another(parts)
        assert latest <= plan.part_target_ms * TICKS_PER_MS, (name, latest)


@pytest.mark.parametrize("rate", STEADY.values(), ids=STEADY)
@pytest.mark.parametrize("gop_s", [1, 3.3])
@pytest.mark.parametrize(("sample_rate", "samples"), [(48_000, 2048), (44_100, 1024), (44_100, 2048), (22_050, 2048)])
def test_long_access_units_and_odd_gops_make_no_part_late_either(
    rate: Fraction, gop_s: float, sample_rate: int, samples: int
) -> None:
    """RFC 8216bis §6.2.1, where sound and pictures both pass through."""
    sound = AudioSource("mp4a", b"", sample_rate, 2, samples, grid=300)
    plan, said = run_of("passthrough", rate, ms=True, reorder=2, gop_s=gop_s, sound=sound)
    for parts in by_rung(said).values():
        assert latest_after_another(parts) <= plan.part_target_ms * TICKS_PER_MS


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rate", STEADY.values(), ids=STEADY)
@pytest.mark.parametrize("ms", [False, True], ids=["exact", "milliseconds"])
@pytest.mark.parametrize("reorder", [0, 2], ids=["no B-frames", "B-frames"])
def test_a_new_segment_comes_within_one_and_a_half_target_durations_of_the_one_before(
    profile: str, rate: Fraction, ms: bool, reorder: int
) -> None:
    """RFC 8216bis §6.2.1."""
    plan, said = run_of(profile, rate, ms=ms, reorder=reorder)
    for parts in by_rung(said).values():
        ends = [one.at for one in parts if one.part.segment_end]
        assert len(ends) >= 9
        assert all(2 * (b - a) <= 3 * plan.target_duration_s * TICKS for a, b in pairwise(ends))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rate", STEADY.values(), ids=STEADY)
@pytest.mark.parametrize("ms", [False, True], ids=["exact", "milliseconds"])
@pytest.mark.parametrize("reorder", [0, 2], ids=["no B-frames", "B-frames"])
def test_all_renditions_come_to_each_boundary_within_a_part_target(
    profile: str, rate: Fraction, ms: bool, reorder: int
) -> None:
    """RFC 8216bis Appendix B.1: in sync within one part target, as far as the cuts are concerned."""
    plan, said = run_of(profile, rate, ms=ms, reorder=reorder)
    reached: dict[int, list[int]] = defaultdict(list)
    for one in said:
        if one.part.segment_end:
            reached[one.part.msn].append(one.at)
    whole = [times for times in reached.values() if len(times) == len(plan.rung_names)]
    assert len(whole) >= 9
    assert all(max(times) - min(times) <= plan.part_target_ms * TICKS_PER_MS for times in whole)
