"""Where decoding can begin: independent parts and segments, as the real cutters make them of any source."""

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings

from headrace.core.broadcast import AudioSource, Gap, Part, Plan
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.segmenter import PassthroughPart
from tests.support.cut_runs import cut_run
from tests.support.cuts import passed
from tests.support.folded import read
from tests.support.media_patterns import Pattern, patterns
from tests.support.playlists import ReadPlaylist
from tests.support.runs import chained

SOUND = AudioSource("mp4a", b"", 48_000, 2, 1024)
slowly = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shown(plan: Plan, pattern: Pattern, rung: str) -> Iterator[ReadPlaylist]:
    """The rung's playlist whenever a segment of it is whole."""
    model = RunModel()
    for entry, entry_id in chained(cut_run(plan, pattern)):
        model.apply(entry, entry_id)
        if isinstance(entry, Part | Gap) and (entry.rung, entry.segment_end) == (rung, True) and model.playlist(rung):
            yield read(model, rung)


@given(patterns())
@slowly
def test_segments_start_with_an_independent_part_wherever_the_playlist_promises_it(pattern: Pattern) -> None:
    """RFC 8216bis §4.4.2.1, Appendix B.1; Apple's authoring specification, 7.4. Of a gap nothing is decoded."""
    for profile in ("auto", "source+auto"):
        plan = pattern.plan(profile, SOUND)
        for rung in plan.rung_names:
            for playlist in shown(plan, pattern, rung):
                assert "#EXT-X-INDEPENDENT-SEGMENTS" in playlist.tags
                for segment in playlist.segments:
                    parts = playlist.parts_of(segment.msn)
                    assert not parts or parts[0].independent or all(part.gap for part in parts)


@given(patterns())
@slowly
def test_a_passed_through_source_promises_nothing_and_marks_each_part_that_holds_a_keyframe(pattern: Pattern) -> None:
    """RFC 8216bis §4.4.4.9. Its long GOPs are cut between keyframes, which no profile without an encoder can help."""
    plan = pattern.plan("passthrough", SOUND)
    keyframes = {
        (part.msn, part.part): any(sample.keyframe for sample in part.samples)
        for part in passed(plan, pattern)
        if isinstance(part, PassthroughPart)
    }
    for playlist in shown(plan, pattern, "source"):
        assert "#EXT-X-INDEPENDENT-SEGMENTS" not in playlist.tags
        for part in playlist.parts:
            assert part.independent == keyframes.get((part.msn, part.part), False)
