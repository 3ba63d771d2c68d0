"""How long parts and segments are, as playlists print them: any source, cut by the real cutters."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import AudioSource, Gap, Part, Plan
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import media_playlist
from tests.support.cut_runs import cut_run
from tests.support.media_patterns import TICKS, Pattern, patterns
from tests.support.playlists import ListedPart, ReadPlaylist, attributes, read_playlist
from tests.support.runs import chained

SOUNDS = [None, AudioSource("mp4a", b"", 48_000, 2, 1024), AudioSource("mp4a", b"", 44_100, 2, 1024, grid=300)]
STEP = Fraction(1, 100_000)  # the last printed decimal

sources = given(
    patterns(max_seconds=24), st.sampled_from(["auto", "passthrough", "source+auto"]), st.sampled_from(SOUNDS)
)
slowly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shown(plan: Plan, pattern: Pattern) -> Iterator[dict[str, ReadPlaylist]]:
    """Every rendition's playlist, each time that one segment more is whole in all of them."""
    model = RunModel()
    whole = 0
    for entry, entry_id in chained(cut_run(plan, pattern)):
        model.apply(entry, entry_id)
        whole += isinstance(entry, Part | Gap) and entry.segment_end
        if whole == len(plan.rung_names):
            whole = 0
            playlists = ((rung, model.playlist(rung)) for rung in plan.rung_names)
            yield {rung: read_playlist(media_playlist(playlist)) for rung, playlist in playlists if playlist}


def part_target(playlist: ReadPlaylist) -> Fraction:
    return Fraction(attributes(playlist.tags["#EXT-X-PART-INF"])["PART-TARGET"])


def parents(playlist: ReadPlaylist) -> Iterator[tuple[ListedPart, ...]]:
    """The parts of each whole segment that lists them."""
    for segment in playlist.segments:
        if parts := playlist.parts_of(segment.msn):
            yield parts


@sources
@slowly
def test_no_part_is_longer_than_the_part_target(pattern: Pattern, profile: str, sound: AudioSource | None) -> None:
    """RFC 8216bis §4.4.4.9."""
    for playlists in shown(pattern.plan(profile, sound), pattern):
        for playlist in playlists.values():
            assert playlist.parts
            for part in playlist.parts:
                assert 0 < Fraction(part.duration) <= part_target(playlist)


@sources
@slowly
def test_a_part_is_shorter_than_85_percent_of_the_part_target_only_where_that_is_allowed(
    pattern: Pattern, profile: str, sound: AudioSource | None
) -> None:
    """RFC 8216bis §4.4.4.9: if it is independent, a gap, directly before a gap, or the last of its parent."""
    for playlists in shown(pattern.plan(profile, sound), pattern):
        for playlist in playlists.values():
            for parts in parents(playlist):
                for part, following in pairwise(parts):
                    excused = part.independent or part.gap or following.gap
                    assert excused or 100 * Fraction(part.duration) >= 85 * part_target(playlist)


@sources
@slowly
def test_the_parts_of_a_segment_add_up_to_it_to_the_last_digit(
    pattern: Pattern, profile: str, sound: AudioSource | None
) -> None:
    """RFC 8216bis §3.2: a segment's parts hold all of it."""
    for playlists in shown(pattern.plan(profile, sound), pattern):
        for playlist in playlists.values():
            for segment in playlist.segments:
                if parts := playlist.parts_of(segment.msn):
                    assert sum(Fraction(part.duration) for part in parts) == Fraction(segment.extinf)


@sources
@slowly
def test_no_segment_rounds_to_more_than_the_target_duration(
    pattern: Pattern, profile: str, sound: AudioSource | None
) -> None:
    """RFC 8216bis §6.2.1; Apple's authoring specification, 7.7."""
    plan = pattern.plan(profile, sound)
    for playlists in shown(plan, pattern):
        for playlist in playlists.values():
            target = int(playlist.tags["#EXT-X-TARGETDURATION"])
            assert target == plan.target_duration_s
            for segment in playlist.segments:
                assert int(Fraction(segment.extinf) + Fraction(1, 2)) <= target


@sources
@slowly
def test_printed_durations_of_any_run_of_segments_are_the_real_one_to_the_last_digit(
    pattern: Pattern, profile: str, sound: AudioSource | None
) -> None:
    """Apple's authoring specification, 8.1, asks for a video frame."""
    plan = pattern.plan(profile, sound)
    ends = {
        entry.msn: entry.end for entry in cut_run(plan, pattern) if isinstance(entry, Part | Gap) and entry.segment_end
    }
    for playlists in shown(plan, pattern):
        for playlist in playlists.values():
            for first in range(len(playlist.segments)):
                some = playlist.segments[first:]
                start, end = ends.get(some[0].msn - 1, 0), ends[some[-1].msn]
                assert abs(sum(Fraction(s.extinf) for s in some) - Fraction(end - start, TICKS)) <= STEP
