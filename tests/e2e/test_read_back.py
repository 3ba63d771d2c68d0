"""Publishes by real encoders, read back by a real player: every picture, every sound, every number in the playlists."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.e2e.sources import BUNNY, FAST, MONO, SILENT, WIDE, Source
from tests.support.publishers import Pace, Publisher, publish
from tests.support.reader import (
    OFFSET,
    Fragment,
    Loudness,
    Multivariant,
    Playlist,
    Track,
    Viewer,
    demux,
    loudness,
    numbers,
)
from tests.support.stack import Stack, Stream, eventually

pytestmark = pytest.mark.timeout(240)

MS = 90
FFMPEG, PYAV = Publisher.FFMPEG, Publisher.PYAV
REALTIME, FASTER = Pace.REALTIME, Pace.FAST

FAST_LADDER = {"rungs": [{"height": 360, "fps": 60}, {"height": 240, "fps": 30}]}
SMALL_LADDER = {"rungs": [{"height": 240}]}
AUTO_FROM_FILM = {"720p": 1, "540p": 1, "360p": 1, "240p": 1}


@dataclass(frozen=True, slots=True)
class Case:
    """One publish. `rungs`: what its viewers are promised, each with how many of the source's pictures make one."""

    name: str
    source: Source
    publisher: Publisher
    pace: Pace
    profile: str | dict[str, Any]
    rungs: dict[str, int]
    audio: bool = True


# The film in every profile, by both encoders, in real time and faster. GOPs of up to 10 s cannot define the cuts of
# encoded rungs, so beside `auto` its source rung is left out.
FILM = [
    Case(f"film, {name}, {publisher} {pace}", BUNNY, publisher, pace, profile, rungs)
    for name, profile, rungs in (
        ("passthrough", "passthrough", {"source": 1}),
        ("auto", "auto", AUTO_FROM_FILM),
        ("source+auto", "source+auto", AUTO_FROM_FILM),
        ("small ladder", SMALL_LADDER, {"240p": 1}),
    )
    for publisher in (PYAV, FFMPEG)
    for pace in (FASTER, REALTIME)
]
CASES = [
    *FILM,
    Case("25 fps 640x272, auto", WIDE, FFMPEG, FASTER, "auto", {"360p": 1, "240p": 1}),
    Case("25 fps 640x272, source+auto", WIDE, PYAV, REALTIME, "source+auto", {"source": 1, "360p": 1, "240p": 1}),
    Case("59.94 fps, ladder", FAST, PYAV, FASTER, FAST_LADDER, {"360p": 1, "240p": 2}),
    Case("59.94 fps, passthrough", FAST, FFMPEG, REALTIME, "passthrough", {"source": 1}),
    Case("no sound, auto", SILENT, FFMPEG, FASTER, "auto", {"360p": 1, "240p": 1}, audio=False),
    Case("no sound, passthrough", SILENT, PYAV, FASTER, "passthrough", {"source": 1}, audio=False),
    Case("44.1 kHz mono, source+auto", MONO, FFMPEG, FASTER, "source+auto", {"source": 1, "240p": 1}),
    Case("44.1 kHz mono, passthrough", MONO, PYAV, REALTIME, "passthrough", {"source": 1}),
]


@dataclass(slots=True)
class Watched:
    """Everything that was to be seen of a case, once its publisher had ended it."""

    case: Case
    stream: Stream
    multivariant: Multivariant
    playlists: dict[str, Playlist] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    fragments: dict[str, list[Fragment]] = field(default_factory=dict)
    numbers: dict[str, dict[int, int]] = field(default_factory=dict)

    @property
    def video(self) -> list[str]:
        """The renditions with pictures."""
        return [name for name in self.playlists if name != "audio"]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def watched(request: pytest.FixtureRequest, stack: Stack, viewer: Viewer, clip: Callable[[Source], Path]) -> Watched:
    case: Case = request.param
    stream = stack.create(case.name, case.profile)
    with publish(case.publisher, case.pace, clip(case.source), stream.publish_url) as publisher:
        assert publisher.wait(180) == 0, publisher.output
    eventually("the run is over", lambda: stream.state == "idle", 120)
    watched = Watched(case, stream, viewer.multivariant(stream.hls_url))
    renditions = list(watched.multivariant.variants)
    if watched.multivariant.audio is not None:
        renditions.append(watched.multivariant.audio)
    for rendition in renditions:
        playlist = watched.playlists[rendition.name] = viewer.playlist(rendition.url)
        assert playlist.ended, f"{rendition.name} has no ENDLIST"
        watched.tracks[rendition.name] = demux(rendition.url)
        watched.fragments[rendition.name] = viewer.fragments(playlist)
        if rendition is not watched.multivariant.audio:
            watched.numbers[rendition.name] = numbers(rendition.url)
    return watched


def test_viewers_get_the_promised_renditions(watched: Watched) -> None:
    assert set(watched.video) == set(watched.case.rungs)
    assert ("audio" in watched.playlists) == watched.case.audio


def test_every_rung_has_exactly_the_pictures_it_should_in_order(watched: Watched) -> None:
    """The source's, or at half the rate each part's first one and every second after: none missing, none twice."""
    source = watched.case.source
    number_at = {pts: number for number, pts in enumerate(source.pts)}
    full_rate = next(rung for rung, stride in watched.case.rungs.items() if stride == 1)
    parts = [sorted(part.pts) for part in watched.fragments[full_rate]]
    assert sorted(pts for part in parts for pts in part) == [pts + OFFSET for pts in source.pts]
    for rung, stride in watched.case.rungs.items():
        kept = [pts - OFFSET for part in parts for pts in (part if stride == 1 else part[::stride])]
        assert sorted(watched.tracks[rung].pts) == sorted(kept), rung
        assert list(watched.numbers[rung].items()) == [(pts, number_at[pts]) for pts in sorted(kept)], rung
        if stride > 1:
            assert [sorted(part.pts) for part in watched.fragments[rung]] == [part[::stride] for part in parts]


def test_sound_and_picture_start_together_and_end_together(watched: Watched) -> None:
    for rung in watched.video:
        video = watched.tracks[rung]
        assert video.start == 0
        assert abs(video.end - watched.case.source.end) <= watched.case.source.frame_span
        if watched.case.audio:
            audio = watched.tracks["audio"]
            assert abs(audio.start - video.start) <= watched.case.source.frame_span
            assert abs(audio.end - video.end) <= 50 * MS


def test_times_are_continuous_across_all_segments(watched: Watched) -> None:
    for name, track in watched.tracks.items():
        assert all(a < b for a, b in pairwise(track.dts)), name
        fragments = watched.fragments[name]
        assert [part.end for part in fragments[:-1]] == [part.dts for part in fragments[1:]], name
        shown = sorted(track.pts)
        most = 2 * watched.case.source.frame_span if name != "audio" else 1024 * 90_000 // 44_100 + 2
        assert max(b - a for a, b in pairwise(shown)) <= most, name


def test_the_listed_durations_add_up_to_the_sources(watched: Watched) -> None:
    totals = {sum(segment.extinf for segment in playlist.segments) for playlist in watched.playlists.values()}
    assert len(totals) == 1
    assert abs(totals.pop() - Fraction(watched.case.source.end, 90_000)) < Fraction(2, 1000)


def test_playlists_keep_what_they_declare(watched: Watched) -> None:
    assert len({playlist.target_duration for playlist in watched.playlists.values()}) == 1
    assert len({len(playlist.segments) for playlist in watched.playlists.values()}) == 1
    for playlist in watched.playlists.values():
        assert playlist.media_sequence == 0
        assert len(playlist.init_urls) == 1
        for segment in playlist.segments:
            assert int(segment.extinf + Fraction(1, 2)) <= playlist.target_duration
            assert not segment.gap
            assert not segment.discontinuity


def test_a_segment_that_is_called_independent_is(watched: Watched, viewer: Viewer) -> None:
    for rung in watched.video:
        playlist = watched.playlists[rung]
        assert playlist.independent == (watched.case.profile != "passthrough")
        if playlist.independent:
            assert all(viewer.decodable_alone(playlist, index) for index in range(len(playlist.segments)))


def test_the_sound_is_the_sources_and_where_it_belongs(watched: Watched, clip: Callable[[Source], Path]) -> None:
    if not watched.case.audio:
        assert all("AUDIO" not in variant.attributes for variant in watched.multivariant.variants)
        return
    sent = loudness(str(clip(watched.case.source)))
    heard = loudness(watched.playlists["audio"].url)
    likeness = {late_ms: likeness_of(sent, heard, late_ms) for late_ms in range(-100, 101)}
    best_ms = max(likeness, key=lambda late_ms: likeness[late_ms])
    assert abs(best_ms) <= 2
    assert likeness[best_ms] > 0.98


def test_a_player_that_opens_the_stream_by_its_one_address_finds_all_of_it(watched: Watched) -> None:
    with av.open(watched.stream.hls_url, format="hls", timeout=30) as container:
        assert len(container.streams.video) == len(watched.case.rungs)
        assert bool(container.streams.audio) == watched.case.audio
        for variant, video in zip(watched.multivariant.variants, container.streams.video, strict=True):
            assert variant.attributes["RESOLUTION"] == f"{video.width}x{video.height}"
            assert variant.attributes["CODECS"].startswith("avc1.")


def likeness_of(sent: Loudness, heard: Loudness, late_ms: int) -> float:
    """How well `heard` fits `sent` if it is that much late: 1 for the same."""
    sent, heard = (sent, heard[late_ms:]) if late_ms >= 0 else (sent[-late_ms:], heard)
    length = min(len(sent), len(heard))
    return float(np.corrcoef(sent[:length], heard[:length])[0, 1])


def test_a_viewer_who_follows_live_misses_nothing(stack: Stack, viewer: Viewer, clip: Callable[[Source], Path]) -> None:
    stream = stack.create("followed", SMALL_LADDER)
    with publish(FFMPEG, REALTIME, clip(MONO), stream.publish_url) as publisher:
        eventually("the first segment", lambda: viewer.exists(stream.hls_url), 20)
        (variant,) = viewer.multivariant(stream.hls_url).variants
        followed = numbers(variant.url)
        assert publisher.wait(20) == 0, publisher.output
    assert followed == {pts: n for n, pts in enumerate(MONO.pts)}
