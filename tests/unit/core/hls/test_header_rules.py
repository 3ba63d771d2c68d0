"""What a playlist says of itself: one rule of RFC 8216bis or of Apple's authoring specification each."""

from fractions import Fraction

import pytest

from headrace.core.broadcast import AudioSource, Plan, Profile, Source, VideoSource, make_plan
from headrace.core.hls.multivariant import multivariant
from headrace.core.hls.playlist import RunModel
from tests.support.folded import folded, read, text
from tests.support.playlists import ReadPlaylist, attributes
from tests.support.runs import chained, init_of, parts_of, plan_of, whole_run

PROFILES = ["auto", "passthrough", "source+auto"]
RATES = [Fraction(12), Fraction(24_000, 1001), Fraction(25), Fraction(30_000, 1001), Fraction(60)]


def control(playlist: ReadPlaylist) -> dict[str, str]:
    return attributes(playlist.tags["#EXT-X-SERVER-CONTROL"])


def part_target(playlist: ReadPlaylist) -> Fraction:
    return Fraction(attributes(playlist.tags["#EXT-X-PART-INF"])["PART-TARGET"])


def odd_plan(profile: str, rate: Fraction, sample_rate: int) -> Plan:
    """A plan whose part target is no round number."""
    video = VideoSource("avc1", b"", 1280, 720, Fraction(1), rate, first_segment=180_000)
    return make_plan(Profile.parse(profile), Source(video, AudioSource("mp4a", b"", sample_rate, 2, 1024)))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("sample_rate", [22_050, 44_100, 48_000])
def test_part_hold_back_stands_beside_part_inf_and_is_three_part_targets_or_more(
    profile: str, rate: Fraction, sample_rate: int
) -> None:
    """RFC 8216bis §4.4.3.7, §4.4.3.8; Apple's authoring specification, 14.3."""
    plan = odd_plan(profile, rate, sample_rate)
    model = folded(whole_run(plan, 1))
    targets = {part_target(read(model, rung)) for rung in plan.rung_names}
    for rung in plan.rung_names:
        assert Fraction(control(read(model, rung))["PART-HOLD-BACK"]) >= 3 * max(targets)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("rate", RATES)
def test_the_part_target_has_room_for_a_whole_part_and_an_access_unit(profile: str, rate: Fraction) -> None:
    """RFC 8216bis §4.4.4.9: what parts are cut to, boundaries in ticks and rounding included, is never above it."""
    plan = odd_plan(profile, rate, 48_000)
    ticks = Fraction(part_target(read(folded(whole_run(plan, 1)), "audio"))) * 90_000
    assert plan.part + 180 + 1920 <= ticks < plan.part + 180 + 1920 + 90


def test_part_target_and_part_hold_back_never_change() -> None:
    """RFC 8216bis §6.2.1 lists them among nothing that may; AVPlayer refuses the change."""
    plan = plan_of("passthrough", window_s=20)
    model = RunModel()
    seen = set()
    other_build = [init_of(plan, rung, "other build") for rung in plan.rung_names]
    later = [e for rung in plan.rung_names for e in parts_of(plan, rung, 25, of=2, count=2, discontinuity=1)]
    for entry, entry_id in chained([*whole_run(plan, 25), *other_build, *later]):
        model.apply(entry, entry_id)
        for rung in plan.rung_names:
            if model.playlist(rung):
                now = read(model, rung)
                seen.add((part_target(now), control(now)["PART-HOLD-BACK"]))
    assert len(seen) == 1


def test_hold_back_is_left_to_its_default_of_three_target_durations() -> None:
    """RFC 8216bis §4.4.3.8: it must not be less where it stands."""
    assert "HOLD-BACK" not in control(read(folded(whole_run(plan_of(), 3)), "audio"))


def test_delta_updates_are_not_advertised() -> None:
    """RFC 8216bis §4.4.3.8: without CAN-SKIP-UNTIL nobody may ask for them, nor CAN-SKIP-DATERANGES stand."""
    assert set(control(read(folded(whole_run(plan_of(), 40)), "audio"))) == {"CAN-BLOCK-RELOAD", "PART-HOLD-BACK"}


def test_blocking_reload_is_advertised() -> None:
    """RFC 8216bis §4.4.3.8."""
    assert control(read(folded(whole_run(plan_of(), 1)), "audio"))["CAN-BLOCK-RELOAD"] == "YES"


@pytest.mark.parametrize("ended", [False, True])
def test_a_sliding_playlist_has_no_type(ended: bool) -> None:
    """RFC 8216bis §6.2.2."""
    plan = plan_of(window_s=20)
    assert "PLAYLIST-TYPE" not in text(folded(whole_run(plan, 20, ended=ended)), "audio")


def test_the_version_is_the_lowest_for_these_tags() -> None:
    """RFC 8216bis §6.2.1, §8: MAP needs 6; neither parts, hints, reports nor gaps need more, and there is no SKIP."""
    plan = plan_of()
    printed = text(folded([*whole_run(plan, 3), *parts_of(plan, "audio", 3, gaps=(1,), count=3)]), "audio")
    assert "#EXT-X-VERSION:6\n" in printed
    assert "GAP=YES" in printed
    assert "EXT-X-SKIP" not in printed


@pytest.mark.parametrize("ended", [False, True])
def test_playlists_are_utf_8_without_byte_order_mark_or_control_characters(ended: bool) -> None:
    """RFC 8216bis §4."""
    plan = plan_of()
    model = folded(whole_run(plan, 3, ended=ended))
    for printed in [*(text(model, rung, "?t=1") for rung in plan.rung_names), multivariant(model) or ""]:
        assert printed.encode().startswith(b"#EXTM3U\n")
        assert all(character == "\n" or character.isprintable() for character in printed)
