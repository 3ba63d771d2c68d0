"""The multivariant playlist."""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.broadcast import Init, Part, Plan, Profile
from headrace.core.hls.listing import InitSection, MediaPlaylist, Piece, Segment
from headrace.core.hls.multivariant import measured, multivariant
from headrace.core.hls.playlist import RunModel
from headrace.core.media import TICKS_PER_S
from tests.support.runs import chained, plan_of, start_of, whole_run


def text_of(plan: Plan, *, segments: int = 2, prefix: str = "", query: str = "") -> str:
    text = multivariant(RunModel.read([], chained(whole_run(plan, segments))), prefix, query)
    assert text is not None
    return text


def variants(text: str) -> list[dict[str, str]]:
    """Each variant's attributes, its URI as "URI"."""
    lines = text.split("\n")
    found = []
    for line, uri in pairwise(lines):
        if line.startswith("#EXT-X-STREAM-INF:"):
            pairs = re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', line)
            found.append({name: value.strip('"') for name, value in pairs} | {"URI": uri})
    return found


def test_a_ladder_reads_as_the_specification_writes_it() -> None:
    plan = plan_of(Profile.parse({"rungs": [{"height": 720, "maxrate_kbps": 2800}, {"height": 360, "fps": 15}]}))
    assert text_of(plan) == (
        "#EXTM3U\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"'
        ',URI="audio/index.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=4544400,AVERAGE-BANDWIDTH=2928000"
        ',CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE'
        ',AUDIO="audio"\n'
        "720p/index.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=1236900,AVERAGE-BANDWIDTH=828000"
        ',CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=12.500,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE'
        ',AUDIO="audio"\n'
        "360p/index.m3u8\n"
    )


def test_bandwidth_covers_the_caps_and_a_full_buffer_within_a_target_duration() -> None:
    plan = plan_of()
    found = {v["URI"].split("/")[0]: v for v in variants(text_of(plan))}
    assert plan.audio is not None
    assert set(found) == {rung.name for rung in plan.video}
    for rung in plan.encoded:
        assert rung.encoding is not None
        caps = rung.encoding.maxrate_kbps + plan.audio.kbps
        peak = Fraction(105, 100) * (caps + Fraction(rung.encoding.bufsize_kbps, plan.target_duration_s))
        assert abs(int(found[rung.name]["BANDWIDTH"]) - 1000 * peak) <= 2
        assert int(found[rung.name]["AVERAGE-BANDWIDTH"]) == 1000 * caps


def test_the_variant_nearest_to_two_megabits_comes_first_and_the_rest_falls() -> None:
    means = [int(v["AVERAGE-BANDWIDTH"]) for v in variants(text_of(plan_of()))]
    assert means[0] == min(means, key=lambda mean: abs(mean - 2_000_000))
    assert means[1:] == sorted(means[1:], reverse=True)
    assert len(means) > 2


@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize("profile", ["auto", "passthrough", "source+auto"])
def test_every_variant_says_its_codecs_size_rate_range_captions_and_both_bandwidths(profile: str, audio: bool) -> None:
    """Apple's authoring specification, 9.1, 9.2, 9.14, 9.15; captions are NONE in all variants or in no one."""
    plan = plan_of(profile, audio=audio)
    found = variants(text_of(plan))
    assert len(found) == len(plan.video)
    for variant in found:
        rung = next(rung for rung in plan.video if variant["URI"] == f"{rung.name}/index.m3u8")
        assert variant["CODECS"].split(",") == ["avc1.64001f", "mp4a.40.2"][: 1 + audio]
        assert variant["RESOLUTION"] == f"{rung.width}x{rung.height}"
        assert Fraction(variant["FRAME-RATE"]) == rung.frame_rate
        assert (variant["VIDEO-RANGE"], variant["CLOSED-CAPTIONS"]) == ("SDR", "NONE")
        assert int(variant["BANDWIDTH"]) >= int(variant["AVERAGE-BANDWIDTH"]) > 0


@pytest.mark.parametrize("profile", ["passthrough", "source+auto"])
def test_a_passed_through_rung_is_measured_together_with_the_sound_that_plays_with_it(profile: str) -> None:
    """Apple's authoring specification, 9.13: the largest sum of peaks over what plays together."""
    plan = plan_of(profile)
    model = RunModel.read([], chained(whole_run(plan, 3)))
    together = [model.segment(rung, 2) for rung in ("source", "audio")]
    text = multivariant(model)
    assert text is not None
    (own,) = [int(v["BANDWIDTH"]) for v in variants(text) if v["URI"].startswith("source/")]
    assert all(together)
    assert own >= sum(Fraction(8 * s.size * TICKS_PER_S, s.end - s.start) for s in together if s)


def test_a_run_without_sound_has_no_audio_group_and_no_audio_codec() -> None:
    text = text_of(plan_of(audio=False))
    assert "AUDIO" not in text
    assert "mp4a" not in text
    assert all(variant["CODECS"] == "avc1.64001f" for variant in variants(text))


def test_passthrough_never_promises_independent_segments() -> None:
    assert "INDEPENDENT-SEGMENTS" not in text_of(plan_of("passthrough"))
    assert "INDEPENDENT-SEGMENTS" in text_of(plan_of("source+auto"))


def test_prefix_and_query_are_on_every_child() -> None:
    plan = plan_of()
    text = text_of(plan, prefix="run-1/", query="?token=x")
    assert [v["URI"] for v in variants(text)].count("run-1/720p/index.m3u8?token=x") == 1
    assert 'URI="run-1/audio/index.m3u8?token=x"' in text
    assert text.count("run-1/") == text.count("?token=x") == len(plan.rung_names)


def test_an_encoded_ladder_says_the_same_whatever_was_encoded() -> None:
    plan = plan_of(window_s=20)
    assert text_of(plan, segments=1) == text_of(plan, segments=30)


@pytest.mark.parametrize(
    "rate", [(24_000, 1001, "23.976"), (30, 1, "30.000"), (60_000, 1001, "59.940"), (25, 2, "12.500")]
)
def test_frame_rates_have_three_decimals(rate: tuple[int, int, str]) -> None:
    plan = plan_of("passthrough")
    frame_rate = Fraction(rate[0], rate[1])
    entries = [replace(e, frame_rate=frame_rate) if isinstance(e, Init) and e.width else e for e in whole_run(plan, 1)]
    text = multivariant(RunModel.read([], chained(entries)))
    assert text is not None
    assert variants(text)[0]["FRAME-RATE"] == rate[2]


def playlist_of_sizes(sizes: list[tuple[int, int]], target_s: int = 2) -> MediaPlaylist:
    """Segments of (ticks, bytes); none of 0 bytes can be fetched."""
    init = InitSection("init-0.mp4", b"", "avc1", 0, 0, Fraction(0), 0)
    segments, at = [], 0
    for msn, (ticks, size) in enumerate(sizes):
        piece = Piece(at, at + ticks, True, size, "e", gap=size == 0, missing=size == 0)
        segments.append(Segment(msn, (piece,), 0, init, "0" * 40))
        at += ticks
    return MediaPlaylist(
        "source", tuple(segments), None, target_s, 344, 1032, 0, False, False, "", "", others=(), trimmed=False
    )


def test_measured_rates_hold_the_peak_with_a_tenth_to_spare() -> None:
    two = 2 * TICKS_PER_S
    rates = measured(playlist_of_sizes([(two, 250_000), (two, 500_000), (two, 250_000)]))
    assert 2_200_000 <= rates.peak <= 2_200_000 * 1.19
    assert 1_466_666 <= rates.mean <= 1_466_666 * 1.19


def test_a_segment_of_a_few_frames_makes_no_peak_of_its_own() -> None:
    two = 2 * TICKS_PER_S
    steady = measured(playlist_of_sizes([(two, 250_000)] * 4))
    with_runt = measured(playlist_of_sizes([(two, 250_000), (two // 50, 40_000), (two, 250_000), (two, 250_000)]))
    assert with_runt.peak < 2 * steady.peak


def test_gaps_are_not_measured() -> None:
    two = 2 * TICKS_PER_S
    assert measured(playlist_of_sizes([(two, 250_000), (two, 0), (two, 250_000)])) == measured(
        playlist_of_sizes([(two, 250_000)])
    )
    assert measured(playlist_of_sizes([(two, 0)])).peak > 0


@given(st.lists(st.tuples(st.integers(1000, 900_000), st.integers(1, 10**7)), min_size=1, max_size=8))
def test_measured_rates_are_never_below_what_was_listed(sizes: list[tuple[int, int]]) -> None:
    rates = measured(playlist_of_sizes(sizes))
    ticks, octets = sum(s[0] for s in sizes), sum(s[1] for s in sizes)
    assert rates.mean * ticks >= 8 * octets * TICKS_PER_S
    assert rates.peak >= rates.mean


def test_measured_rates_stay_the_same_while_the_source_does() -> None:
    plan = plan_of("passthrough", window_s=20)
    model, seen = RunModel(), set()
    for number, (entry, entry_id) in enumerate(chained(whole_run(plan, 40))):
        if isinstance(entry, Part):
            size = 100_000 + 500 * (number % 7)
            entry = replace(entry, size=size)
        model.apply(entry, entry_id)
        seen.add(multivariant(model))
    assert len(seen - {None}) == 1


def test_a_run_that_has_only_begun_has_no_multivariant_playlist() -> None:
    assert multivariant(RunModel()) is None
    assert multivariant(RunModel.read(start_of(plan_of()), [])) is None
