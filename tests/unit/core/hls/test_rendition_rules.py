"""What renditions say of each other and have in common: one rule of RFC 8216bis each."""

from urllib.parse import urljoin

import pytest

from headrace.core.hls.multivariant import multivariant
from tests.support.folded import folded, read, text
from tests.support.playlists import attributes, read_playlist
from tests.support.runs import parts_of, plan_of, whole_run

PROFILES = ["auto", "passthrough", "source+auto"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_segment_of_every_rendition_has_its_date_and_all_agree(profile: str) -> None:
    """RFC 8216bis §6.2.4, Appendix B.1; Apple's authoring specification, 8.4: to the millisecond, with its zone."""
    plan = plan_of(profile)
    entries = whole_run(plan, 4)
    for rung in plan.rung_names:
        entries += parts_of(plan, rung, 4, count=1)
    model = folded(entries)
    dates = []
    for rung in plan.rung_names:
        playlist = read(model, rung)
        assert playlist.open is not None
        dates.append([segment.date for segment in (*playlist.segments, playlist.open)])
    assert dates[0] == [f"2026-03-01T12:00:0{second}.123Z" for second in (0, 2, 4, 6, 8)]
    assert all(each == dates[0] for each in dates)


@pytest.mark.parametrize("query", ["", "?token=x"])
@pytest.mark.parametrize("prefix", ["", "run-1/"])
def test_there_is_one_report_on_every_other_playlist_of_the_multivariant_one_by_the_same_uri(
    query: str, prefix: str
) -> None:
    """RFC 8216bis §4.4.5.4, Appendix B.1: relative, and audio reports on video and video on audio."""
    plan = plan_of()
    model = folded(whole_run(plan, 3))
    base = "https://origin.example/live/stream/" + ("" if prefix else "run-1/")
    whole = multivariant(model, prefix, query)
    assert whole is not None
    children = {urljoin(base + "index.m3u8", uri) for uri in uris_of(whole)}
    assert len(children) == len(plan.rung_names)
    for rung in plan.rung_names:
        own = f"https://origin.example/live/stream/run-1/{rung}/index.m3u8{query}"
        reports = read_playlist(text(model, rung, query)).reports
        assert all("://" not in report.uri and not report.uri.startswith("/") for report in reports)
        assert {urljoin(own, report.uri) for report in reports} == children - {own}
        assert len(reports) == len(children) - 1


def uris_of(multivariant_text: str) -> list[str]:
    lines = multivariant_text.strip().split("\n")
    media = [attributes(line.partition(":")[2])["URI"] for line in lines if line.startswith("#EXT-X-MEDIA:")]
    return [line for line in lines if not line.startswith("#")] + media


def test_a_report_names_the_last_part_whether_or_not_its_segment_is_whole() -> None:
    """RFC 8216bis §4.4.5.4: LAST-MSN and LAST-PART are the last part's, also at a segment's end."""
    plan = plan_of()
    video = plan.rung_names[0]
    entries = whole_run(plan, 2)
    found = []
    for entry in [*parts_of(plan, "audio", 2), *parts_of(plan, "audio", 3, count=1)]:
        entries.append(entry)
        (report,) = [r for r in read(folded(entries), video).reports if r.uri == "../audio/index.m3u8"]
        found.append((report.last_msn, report.last_part))
    assert found == [(2, 0), (2, 1), (2, 2), (2, 3), (2, 4), (2, 5), (3, 0)]


@pytest.mark.parametrize("profile", PROFILES)
def test_header_and_segment_boundaries_are_the_same_in_all_renditions(profile: str) -> None:
    """RFC 8216bis §6.2.4; Apple's authoring specification, 8.2, 8.22: target duration, SERVER-CONTROL, boundaries."""
    plan = plan_of(profile, window_s=20)
    playlists = [read(folded(whole_run(plan, 25)), rung) for rung in plan.rung_names]
    assert len({tuple(playlist.tags.items()) for playlist in playlists}) == 1
    boundaries = {
        tuple((s.msn, s.date, s.extinf, s.discontinuity) for s in playlist.segments) for playlist in playlists
    }
    assert len(boundaries) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_audio_publishes_parts_as_video_does(profile: str) -> None:
    """RFC 8216bis §4.4.3.7: PART-INF without parts stalls players."""
    plan = plan_of(profile)
    model = folded([*whole_run(plan, 3), *parts_of(plan, "audio", 3, count=2)])
    assert [(part.msn, part.part) for part in read(model, "audio").parts[-2:]] == [(3, 0), (3, 1)]
    assert all(read(model, rung).parts for rung in plan.rung_names)
