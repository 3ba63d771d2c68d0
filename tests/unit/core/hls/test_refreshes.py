"""Between any two refreshes: what a playlist may do, for every history that a log can hold."""

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import Entry, Gap, Init, Part
from headrace.core.hls.durations import round_half_up_seconds
from headrace.core.hls.multivariant import multivariant
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import media_playlist
from tests.support.histories import History, histories
from tests.support.playlists import ReadPlaylist, read_playlist
from tests.support.refreshes import assert_permitted
from tests.support.runs import Recorded, chained

slowly = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def printed(model: RunModel) -> dict[str, str]:
    """Every playlist that there is; the multivariant one as ""."""
    playlists = {rung: model.playlist(rung) for rung in model.rungs}
    texts = {rung: media_playlist(playlist) for rung, playlist in playlists.items() if playlist}
    whole = multivariant(model)
    return texts if whole is None else texts | {"": whole}


def media(texts: dict[str, str]) -> dict[str, ReadPlaylist]:
    return {rung: read_playlist(text) for rung, text in texts.items() if rung}


@given(histories())
@slowly
def test_between_two_refreshes_only_permitted_edits_happen(history: History) -> None:
    """RFC 8216bis §6.2.1: append; let the oldest leave in order; let parts leave with age; add ENDLIST."""
    model = RunModel()
    before: dict[str, ReadPlaylist] = {}
    for entry, entry_id in chained(history.entries):
        model.apply(entry, entry_id)
        now = media(printed(model))
        assert set(before) <= set(now)
        for rung, earlier in before.items():
            assert_permitted(earlier, now[rung])
        before = now


@given(histories(), st.data())
@slowly
def test_a_player_that_misses_refreshes_sees_permitted_edits_as_well(history: History, data: st.DataObject) -> None:
    recorded = chained(history.entries)
    first, second = sorted(data.draw(st.integers(0, len(recorded))) for _ in range(2))
    earlier, later = media(printed(RunModel.read([], recorded[:first]))), RunModel.read([], recorded[:second])
    now = media(printed(later))
    for rung, playlist in earlier.items():
        if playlist.ended or playlist.segments[-1].msn >= now[rung].segments[0].msn - 1:
            assert_permitted(playlist, now[rung])


@given(histories())
@slowly
def test_a_media_sequence_number_keeps_its_uri_its_discontinuity_and_its_parts_for_ever(history: History) -> None:
    """RFC 8216bis §6.2.2, §6.3.4: players stop where a URI changes."""
    model = RunModel()
    segments: dict[tuple[str, int], object] = {}
    parts: dict[tuple[str, int, int], object] = {}
    for entry, entry_id in chained(history.entries):
        model.apply(entry, entry_id)
        for rung, playlist in media(printed(model)).items():
            for segment in playlist.segments:
                assert segments.setdefault((rung, segment.msn), segment) == segment
            for part in playlist.parts:
                assert parts.setdefault((rung, part.msn, part.part), part) == part
    assert len({uri for uri in segments.values()}) == len(segments)


@given(histories())
@slowly
def test_media_sequence_and_discontinuities_are_the_same_in_all_renditions(history: History) -> None:
    """RFC 8216bis §6.2.4: matching content has matching discontinuity numbers; and with us matching MSNs too."""
    model = RunModel()
    for entry, entry_id in chained(history.entries):
        model.apply(entry, entry_id)
        now = media(printed(model))
        listed: dict[int, tuple[int, str]] = {}
        for playlist in now.values():
            for segment in playlist.segments:
                matching = (segment.discontinuity, segment.date)
                assert listed.setdefault(segment.msn, matching) == matching
        if not model.ended:
            assert len({playlist.segments[0].msn for playlist in now.values()}) <= 1


@given(histories())
@slowly
def test_target_duration_holds_for_every_segment_and_never_changes(history: History) -> None:
    """RFC 8216bis §6.2.1, §4.4.3.1."""
    model = RunModel()
    for entry, entry_id in chained(history.entries):
        model.apply(entry, entry_id)
        for rung in model.rungs:
            if playlist := model.playlist(rung):
                assert playlist.target_duration_s == history.plan.target_duration_s
                for segment in playlist.segments:
                    assert round_half_up_seconds(segment.end - segment.start) <= playlist.target_duration_s


@given(histories())
@slowly
def test_every_change_that_can_be_seen_is_a_new_version_and_one_entry_makes_all_of_it(history: History) -> None:
    """RFC 8216bis §6.2.1: changes are atomic. A playlist once taken stays as it was."""
    model = RunModel()
    texts: dict[str, str] = {}
    for entry, entry_id in chained(history.entries):
        taken = {rung: model.playlist(rung) for rung in model.rungs}
        version = model.version
        model.apply(entry, entry_id)
        assert {rung: media_playlist(playlist) for rung, playlist in taken.items() if playlist} == {
            rung: text for rung, text in texts.items() if rung
        }
        now = printed(model)
        assert now == texts or model.version > version
        texts = now


@given(histories())
@slowly
def test_rendition_reports_are_as_fresh_as_the_playlist_that_carries_them(history: History) -> None:
    """RFC 8216bis §4.4.5.4, Appendix B.1: one on every other playlist, audio and video alike."""
    model = RunModel()
    for entry, entry_id in chained(history.entries):
        model.apply(entry, entry_id)
        now = media(printed(model))
        for rung, playlist in now.items():
            others = {f"../{other}/index.m3u8": other for other in now if other != rung}
            assert {report.uri for report in playlist.reports} == set(others)
            for report in playlist.reports:
                newest = now[others[report.uri]].parts[-1]
                assert (report.last_msn, report.last_part) == (newest.msn, newest.part)


@dataclass
class Origin:
    """A model that began to read at some point, and how far it has come."""

    model: RunModel
    at: int


def begun(recorded: Recorded, at: int, first_msn: int) -> Origin:
    """An origin that reads a log trimmed to the window, and the segment before it, after `at` entries."""
    held: list[Entry] = [entry for entry, _ in recorded[:at]]
    start = next(n for n, entry in enumerate(held) if isinstance(entry, Part | Gap) and entry.msn >= first_msn - 1)
    newest = {entry.rung: entry for entry in held if isinstance(entry, Init)}
    return Origin(RunModel.read([held[0], *newest.values()], recorded[start:at]), at)


@given(histories(builds=False), st.data())
@slowly
def test_origins_that_began_at_different_points_print_the_same_bytes_after_every_entry(
    history: History, data: st.DataObject
) -> None:
    recorded = chained(history.entries)
    begins = {data.draw(st.integers(len(recorded) // 2, len(recorded))) for _ in range(2)}
    model = RunModel()
    origins: list[Origin] = []
    for at, (entry, entry_id) in enumerate(recorded, 1):
        model.apply(entry, entry_id)
        for origin in origins:
            origin.model.apply(entry, entry_id)
        listed = model.playlist(history.plan.rung_names[0])
        if at in begins and listed:
            origins.append(begun(recorded, at, listed.media_sequence))
        expected = printed(model)
        assert all(printed(origin.model) == expected for origin in origins)
