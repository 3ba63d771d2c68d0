"""The text of media playlists."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.broadcast import End, Entry, Profile, RungSpec
from headrace.core.hls.dates import iso_8601
from headrace.core.hls.listing import MediaPlaylist
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import date_ms, media_playlist
from tests.support.runs import chained, init_of, parts_of, plan_of, whole_run


def playlist_of(entries: list[Entry], rung: str) -> MediaPlaylist:
    playlist = RunModel.read([], chained(entries)).playlist(rung)
    assert playlist is not None
    return playlist


def test_a_media_playlist_reads_as_the_specification_writes_it() -> None:
    plan = plan_of(Profile(auto=False, rungs=(RungSpec(720),)))
    entries = whole_run(plan, 2)
    entries += parts_of(plan, "audio", 2, gaps=(1,), of=2, count=2)
    entries += parts_of(plan, "720p", 2, of=2, count=2)
    entries += [init_of(plan, rung, "other build") for rung in plan.rung_names]
    for rung in plan.rung_names:
        entries += parts_of(plan, rung, 3, discontinuity=1, of=2, count=2)
    entries += parts_of(plan, "720p", 4, discontinuity=1, of=2, count=2)
    entries += parts_of(plan, "audio", 4, discontinuity=1, of=2, count=1)
    playlist = playlist_of(entries, "audio")
    zero, one, two, three = (segment.name for segment in playlist.segments)
    head = (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.032\n"
        "#EXT-X-PART-INF:PART-TARGET=0.344\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="init-a4451ad2.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.123Z\n"
        "#EXTINF:2.00000,\n"
        f"{zero}\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:02.123Z\n"
        "#EXTINF:2.00000,\n"
        f"{one}\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:04.123Z\n"
    )
    last = (
        '#EXT-X-PART:DURATION=1.00000,URI="2.0-e1.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=1.00000,URI="2.1-e1.m4s",GAP=YES\n',
        "#EXT-X-GAP\n"
        "#EXTINF:2.00000,\n"
        f"{two}\n"
        "#EXT-X-DISCONTINUITY\n"
        '#EXT-X-MAP:URI="init-5b4aef93.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:06.123Z\n"
        '#EXT-X-PART:DURATION=1.00000,URI="3.0-e1.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=1.00000,URI="3.1-e1.m4s",INDEPENDENT=YES\n'
        "#EXTINF:2.00000,\n"
        f"{three}\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:08.123Z\n"
        '#EXT-X-PART:DURATION=1.00000,URI="4.0-e1.m4s",INDEPENDENT=YES\n',
        '#EXT-X-RENDITION-REPORT:URI="../720p/index.m3u8",LAST-MSN=4,LAST-PART=1\n',
    )
    live = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="4.1-e1.m4s"\n'
    assert media_playlist(playlist) == head + last[0] + last[1] + live + last[2]
    entries += parts_of(plan, "audio", 4, discontinuity=1, of=2, count=2)[1:]
    ended = playlist_of([*entries, End(5 * plan.segment)], "audio")
    four = ended.segments[-1].name
    rest = f'#EXT-X-PART:DURATION=1.00000,URI="4.1-e1.m4s",INDEPENDENT=YES\n#EXTINF:2.00000,\n{four}\n'
    assert media_playlist(ended) == head + last[0] + last[1] + rest + last[2] + "#EXT-X-ENDLIST\n"


def test_passthrough_never_promises_independent_segments() -> None:
    for profile, promised in (("passthrough", False), ("source+auto", True), ("auto", True)):
        plan = plan_of(profile)
        for rung in plan.rung_names:
            text = media_playlist(playlist_of(whole_run(plan, 1), rung))
            assert ("#EXT-X-INDEPENDENT-SEGMENTS" in text) == promised


def test_counters_stand_before_the_first_segment_and_discontinuity_sequence_always() -> None:
    text = media_playlist(playlist_of(whole_run(plan_of(), 3), "audio"))
    first = text.index("#EXTINF")
    assert text.index("#EXT-X-MEDIA-SEQUENCE:") < text.index("#EXT-X-DISCONTINUITY-SEQUENCE:") < first


def test_a_query_is_repeated_on_every_uri() -> None:
    plan = plan_of()
    entries = [*whole_run(plan, 2), init_of(plan, "audio", "other build")]
    playlist = playlist_of(entries, "audio")
    plain, with_query = media_playlist(playlist), media_playlist(playlist, "?token=a%20b")
    uris = [line for line in with_query.split("\n") if "URI=" in line or (line and not line.startswith("#"))]
    # Two segments of six parts, the init section, two hints, a report on each other rendition.
    assert len(uris) == 2 * 7 + 1 + 2 + len(plan.rung_names) - 1
    assert all(line.count("?token=a%20b") == 1 for line in uris)
    assert with_query.replace("?token=a%20b", "") == plain


@given(st.integers(0, 253_402_300_799_999))
def test_dates_agree_with_the_calendar(unix_ms: int) -> None:
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=unix_ms)
    assert iso_8601(unix_ms) == moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{unix_ms % 1000:03}Z"


@pytest.mark.parametrize(("tick", "ms"), [(0, 0), (44, 0), (45, 1), (90, 1), (134, 1), (135, 2), (180_180, 2002)])
def test_dates_round_media_time_to_the_nearest_millisecond(tick: int, ms: int) -> None:
    playlist = playlist_of(whole_run(plan_of(), 1), "audio")
    assert date_ms(playlist.anchor_ms, tick) == playlist.anchor_ms + ms
