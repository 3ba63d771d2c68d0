"""The fold: what is listed when. Rules are those of RFC 8216bis §6.2 and Apple's authoring specification."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import End, Entry, Gap, Hold, Init, Part, Plan, Profile, RungSpec, RunStart
from headrace.core.hls.multivariant import multivariant
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import media_playlist
from headrace.core.media import TICKS_PER_S
from tests.support.broadcasts import TRACEPARENT
from tests.support.folded import folded, read
from tests.support.playlists import ReadPlaylist
from tests.support.runs import Recorded, chained, init_of, parts_of, plan_of, start_of, whole_run


def listed(model: RunModel, rung: str) -> list[int]:
    playlist = model.playlist(rung)
    return [segment.msn for segment in playlist.segments] if playlist else []


def texts(model: RunModel) -> dict[str, str]:
    playlists = {rung: model.playlist(rung) for rung in model.rungs}
    printed = {rung: media_playlist(playlist) for rung, playlist in playlists.items() if playlist}
    return printed | {"": multivariant(model) or ""}


def test_nothing_is_listed_before_the_first_segment_is_whole_in_every_rendition() -> None:
    plan = plan_of()
    entries = start_of(plan)
    for rung in plan.rung_names:
        model = folded(entries)
        assert all(model.playlist(name) is None for name in plan.rung_names)
        assert multivariant(model) is None
        entries += parts_of(plan, rung, 0)
    model = folded(entries)
    assert all(listed(model, rung) == [0] for rung in plan.rung_names)


def test_a_part_appears_with_its_entry_and_a_segment_with_its_last_part() -> None:
    plan = plan_of(audio=False, profile=Profile(window_s=20))
    rung = plan.rung_names[0]
    model = folded(whole_run(plan, 3))
    for number, (entry, entry_id) in enumerate(chained(list(parts_of(plan, rung, 3)))):
        assert listed(model, rung) == [0, 1, 2]
        assert len(read(model, rung).parts_of(3)) == number
        model.apply(entry, entry_id)
    assert listed(model, rung) == [0, 1, 2, 3]
    assert len(read(model, rung).parts_of(3)) == 6


def test_each_rendition_goes_at_its_own_pace_however_far_another_one_is_behind() -> None:
    plan = plan_of()
    entries = whole_run(plan, 2)
    for msn in (2, 3):
        entries += parts_of(plan, "audio", msn)
    model = folded([*entries, *parts_of(plan, "audio", 4, count=2)])
    assert listed(model, "audio") == [0, 1, 2, 3]
    assert [part.part for part in read(model, "audio").parts_of(4)] == [0, 1]
    assert {tuple(listed(model, rung)) for rung in plan.rung_names[:-1]} == {(0, 1)}


def test_segments_leave_all_renditions_in_one_step_once_the_last_rendition_can_spare_them() -> None:
    plan = plan_of(window_s=20)
    model = folded(whole_run(plan, 10))
    behind, *ahead = plan.rung_names
    for rung in ahead:
        for entry, entry_id in chained(parts_of(plan, rung, 10)):
            model.apply(entry, entry_id)
    for entry, entry_id in chained(parts_of(plan, behind, 10)):
        assert {listed(model, rung)[0] for rung in plan.rung_names} == {0}
        model.apply(entry, entry_id)
    assert {tuple(listed(model, rung)) for rung in plan.rung_names} == {tuple(range(1, 11))}


def test_what_the_log_forgot_before_its_time_is_listed_no_more_and_cannot_be_had() -> None:
    plan = plan_of(window_s=20)
    model = folded(whole_run(plan, 9))
    version = model.version
    model.forget(0)
    assert model.version == version
    model.forget(3)
    assert model.version > version
    assert {tuple(listed(model, rung)) for rung in plan.rung_names} == {tuple(range(3, 9))}
    assert model.segment("audio", 2) is None
    model.forget(2)
    assert listed(model, "audio")[0] == 3


def test_an_open_segment_of_one_rendition_does_not_hold_the_others_back_at_the_end() -> None:
    plan = plan_of()
    entries = whole_run(plan, 2)
    entries += parts_of(plan, plan.rung_names[0], 2)
    entries += parts_of(plan, "audio", 2, count=2)
    model = folded([*entries, End(3 * plan.segment)])
    assert listed(model, plan.rung_names[0]) == [0, 1, 2]
    assert listed(model, plan.rung_names[1]) == [0, 1]
    assert read(model, "audio").segments[-1].extinf == "0.66667"


def test_the_end_closes_every_rendition_in_one_step_and_nothing_is_hinted_any_more() -> None:
    plan = plan_of()
    model = folded([*whole_run(plan, 3), *parts_of(plan, "audio", 3, count=2)])
    for rung in plan.rung_names:
        assert not read(model, rung).ended
        assert read(model, rung).hint
    model.apply(End(3 * plan.segment), "ff")
    for rung in plan.rung_names:
        assert read(model, rung).ended
        assert read(model, rung).hint == read(model, rung).init_hint == model.hint(rung) == ""
        assert read(model, rung).open is None


def test_the_end_removes_nothing_from_any_playlist() -> None:
    plan = plan_of(window_s=20)
    model = folded(whole_run(plan, 20))
    before = {rung: listed(model, rung) for rung in plan.rung_names}
    model.apply(End(20 * plan.segment), "ff")
    assert {rung: listed(model, rung) for rung in plan.rung_names} == before


def test_a_run_that_ends_before_anything_was_whole_lists_what_there_is() -> None:
    plan = plan_of()
    model = folded([*start_of(plan), *parts_of(plan, plan.rung_names[0], 0, count=2), End(60_000)])
    assert listed(model, plan.rung_names[0]) == [0]
    assert model.playlist("audio") is None
    text = multivariant(model)
    assert text is not None
    assert text.count("#EXT-X-STREAM-INF") == 1
    assert "EXT-X-MEDIA" not in text


@pytest.mark.parametrize(
    ("profile", "segment_s", "expected"),
    [
        (Profile(window_s=20), 2, 10),
        (Profile(window_s=60), 2, 30),
        (Profile(window_s=20, segment_s=10, part_ms=1000), 10, 6),  # Apple's six segments outweigh the window
    ],
)
def test_a_playlist_is_as_short_as_window_and_six_segments_allow(
    profile: Profile, segment_s: int, expected: int
) -> None:
    plan = plan_of(profile)
    assert plan.segment == segment_s * TICKS_PER_S
    model = folded(whole_run(plan, 3 * expected))
    assert listed(model, "audio") == list(range(2 * expected, 3 * expected))


def test_a_playlist_is_never_shorter_than_three_target_durations() -> None:
    profile = Profile(source=True, auto=False, max_gop_s=30, window_s=20)
    plan = plan_of(profile)
    slow = replace(plan, target_duration_s=30)
    model = folded(whole_run(slow, 60))
    assert len(listed(model, "source")) * slow.segment == 90 * TICKS_PER_S


def test_media_sequence_grows_by_one_for_each_segment_that_leaves() -> None:
    plan = plan_of(window_s=20)
    model = RunModel()
    before: ReadPlaylist | None = None
    for entry, entry_id in chained(whole_run(plan, 25)):
        model.apply(entry, entry_id)
        if model.playlist("audio") is None:
            continue
        after = read(model, "audio")
        if before is not None:
            gone = [s for s in before.segments if s.msn not in {t.msn for t in after.segments}]
            step = int(after.tags["#EXT-X-MEDIA-SEQUENCE"]) - int(before.tags["#EXT-X-MEDIA-SEQUENCE"])
            assert step == len(gone)
        before = after
    assert before is not None
    assert before.tags["#EXT-X-MEDIA-SEQUENCE"] == "15"


def test_a_segment_with_a_missing_part_is_a_gap_of_its_full_length() -> None:
    plan = plan_of()
    video = plan.rung_names[0]
    entries = whole_run(plan, 1)
    entries += parts_of(plan, video, 1, gaps=(3,))
    for rung in plan.rung_names[1:]:
        entries += parts_of(plan, rung, 1)
    model = folded(entries)
    assert [(s.gap, s.extinf) for s in read(model, video).segments] == [(False, "2.00000"), (True, "2.00000")]
    assert not any(s.gap for s in read(model, "audio").segments)


def test_a_gap_that_the_part_before_it_fills_leaves_the_segment_whole() -> None:
    plan = plan_of("passthrough")
    entries = start_of(plan)
    for rung in plan.rung_names:
        entries += parts_of(plan, rung, 0, filled=(2, 5) if rung == "source" else ())
    assert [(s.gap, s.extinf) for s in read(folded(entries), "source").segments] == [(False, "2.00000")]


def test_a_part_that_no_init_section_covers_is_never_listed() -> None:
    plan = plan_of(audio=False)
    entries = [e for e in whole_run(plan, 4) if not (isinstance(e, Init) and e.rung == plan.rung_names[0])]
    assert folded(entries).playlist(plan.rung_names[0]) is None


def test_entries_that_no_playlist_shows_change_nothing() -> None:
    plan = plan_of()
    model = folded(whole_run(plan, 3))
    before, version = texts(model), model.version
    model.apply(Hold(3 * plan.segment), "ff")
    model.apply(Gap("elsewhere", 3, 0, 0, 1, 0, opened=False), "ff")
    assert texts(model) == before
    assert model.version == version


def test_no_playlist_shows_that_its_run_is_traced() -> None:
    recorded = chained(whole_run(plan_of(), 3, ended=True))
    (start, start_id), *others = recorded
    assert isinstance(start, RunStart)
    traced = [(replace(start, traceparent=TRACEPARENT), start_id), *others]
    models = [RunModel.read([], entries) for entries in (recorded, traced)]
    assert [model.traceparent for model in models] == ["", TRACEPARENT]
    assert texts(models[0]) == texts(models[1])


def test_a_segments_name_changes_with_anything_published_before_its_end() -> None:
    plan = plan_of(audio=False, profile=Profile(window_s=20))
    rung = plan.rung_names[0]
    one = folded([*start_of(plan), *parts_of(plan, rung, 0)])
    other = folded([*start_of(plan), *parts_of(plan, rung, 0, encoder="another")])
    first, second = one.segment(rung, 0), other.segment(rung, 0)
    assert first is not None
    assert second is not None
    assert first.name.startswith("0-")
    assert first.name != second.name


def test_a_segment_that_left_the_playlist_can_be_had_for_its_duration_and_longer() -> None:
    plan = plan_of(window_s=20)
    model = folded(whole_run(plan, 40))
    first = listed(model, "audio")[0]
    lingering = [msn for msn in range(40) if msn < first and model.segment("audio", msn)]
    assert len(lingering) * plan.segment >= 3 * plan.target_duration_s * TICKS_PER_S
    assert model.segment("audio", 0) is None


def test_an_init_section_can_be_had_by_its_name_alone() -> None:
    plan = plan_of()
    model = folded(whole_run(plan, 2))
    name = read(model, "audio").segments[0].map
    section = model.init("audio", name)
    assert section is not None
    assert section.data == init_of(plan, "audio").data
    assert model.init(plan.rung_names[0], name) is None
    assert model.init("audio", "init-00000000.mp4") is None


def with_new_encoder(plan: Plan, at: int, segments: int) -> list[Entry]:
    """A run whose encoders are other builds from segment `at` on."""
    entries = whole_run(plan, at)
    entries += [init_of(plan, rung, "other build") for rung in plan.rung_names]
    for msn in range(at, segments):
        for rung in plan.rung_names:
            entries += parts_of(plan, rung, msn, discontinuity=1)
    return entries


def test_a_new_init_section_stands_after_a_discontinuity_in_every_rendition() -> None:
    plan = plan_of()
    model = folded(with_new_encoder(plan, 3, 6))
    for rung in plan.rung_names:
        playlist = model.playlist(rung)
        assert playlist is not None
        lines = media_playlist(playlist).split("\n")
        assert lines.count("#EXT-X-DISCONTINUITY") == 1
        at = lines.index("#EXT-X-DISCONTINUITY")
        assert lines[at + 1].startswith("#EXT-X-MAP:")
        assert [s.discontinuity for s in read(model, rung).segments] == [0, 0, 0, 1, 1, 1]
        assert len({s.map for s in read(model, rung).segments}) == 2


def test_discontinuity_sequence_grows_when_the_tag_leaves() -> None:
    plan = plan_of(window_s=20)
    model = RunModel()
    seen = set()
    for entry, entry_id in chained(with_new_encoder(plan, 3, 20)):
        model.apply(entry, entry_id)
        if model.playlist("audio"):
            now = read(model, "audio")
            seen.add((now.tags["#EXT-X-DISCONTINUITY-SEQUENCE"], now.discontinuity_tags))
    assert seen == {("0", 0), ("0", 1), ("1", 0)}


def test_the_same_init_section_published_again_is_no_new_map() -> None:
    plan = plan_of()
    entries = whole_run(plan, 3)
    entries += [init_of(plan, rung) for rung in plan.rung_names]
    for rung in plan.rung_names:
        entries += parts_of(plan, rung, 3)
    playlist = folded(entries).playlist("audio")
    assert playlist is not None
    assert media_playlist(playlist).count("#EXT-X-MAP") == 1


@pytest.mark.parametrize("anew", [100, 3])  # the second would be a log's fault, and still no origin's end
def test_a_log_that_starts_anew_later_in_the_run_drops_what_came_before_it(anew: int) -> None:
    plan = plan_of(window_s=20)
    recorded = chained([*whole_run(plan, 12), *(e for rung in plan.rung_names for e in parts_of(plan, rung, anew))])
    model = RunModel.read([], recorded[: -6 * len(plan.rung_names)])
    version = model.version
    for entry, entry_id in recorded[-6 * len(plan.rung_names) : -1]:
        model.apply(entry, entry_id)
        assert not any(model.playlist(rung) for rung in plan.rung_names)
        assert model.version > version
    model.apply(*recorded[-1])
    assert {tuple(listed(model, rung)) for rung in plan.rung_names} == {(anew,)}
    assert all(read(model, rung).hint.startswith(f"{anew + 1}.0-") for rung in plan.rung_names)


def trimmed(recorded: Recorded, keep: int) -> tuple[list[Entry], Recorded]:
    """Head and window of a log that kept its last `keep` entries."""
    opening, newest = ({e.rung: e for e, _ in read if isinstance(e, Init)} for read in (recorded[:-keep], recorded))
    return [recorded[0][0], *opening.values(), *newest.values()], recorded[-keep:]


@pytest.mark.parametrize("profile", ["auto", "passthrough", "source+auto"])
@pytest.mark.parametrize("ended", [False, True])
def test_three_origins_that_began_at_different_points_print_the_same_bytes(profile: str, ended: bool) -> None:
    plan = plan_of(profile, window_s=20)
    recorded = chained(whole_run(plan, 30, ended=ended))
    from_the_start = RunModel()
    for entry, entry_id in recorded:
        from_the_start.apply(entry, entry_id)
    a_segment = 6 * len(plan.rung_names)
    in_the_middle = RunModel.read(*trimmed(recorded[: 20 * a_segment], 15 * a_segment))
    for entry, entry_id in recorded[20 * a_segment :]:
        in_the_middle.apply(entry, entry_id)
    # It begins within a segment, in another one for some renditions than for others.
    at_the_end = RunModel.read(*trimmed(recorded, 11 * a_segment - 9))
    assert texts(from_the_start) == texts(in_the_middle) == texts(at_the_end)
    assert len(texts(at_the_end)) == len(plan.rung_names) + 1


@given(st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_a_trimmed_log_never_shows_a_segment_other_than_it_was(keep: int) -> None:
    """However little is left: no part is missing in it, and no new encoder's init stands before it."""
    plan = plan_of(Profile(auto=False, rungs=(RungSpec(720), RungSpec(360)), window_s=20))
    recorded = chained(with_new_encoder(plan, 10, 15))
    whole, part = RunModel.read([], recorded), RunModel.read(*trimmed(recorded, min(keep, len(recorded))))
    for rung in plan.rung_names:
        if part.playlist(rung):
            known = {s.msn: s for s in read(whole, rung).segments}
            assert all(s == known[s.msn] for s in read(part, rung).segments)


def test_a_window_that_ends_with_a_new_init_does_not_give_it_to_what_came_before() -> None:
    plan = plan_of(window_s=20)
    recorded = chained([*whole_run(plan, 12), *(init_of(plan, rung, "other build") for rung in plan.rung_names)])
    part = RunModel.read(*trimmed(recorded, 8 * 6 * len(plan.rung_names)))
    listing = read(part, "audio")
    assert {segment.map for segment in listing.segments} == {read(folded(whole_run(plan, 1)), "audio").segments[0].map}
    assert listing.init_hint not in ("", listing.segments[0].map)


def test_a_segment_that_the_log_shrank_to_does_not_name_parts_that_only_some_can_name() -> None:
    plan = replace(plan_of("passthrough", audio=False, window_s=20), target_duration_s=10)
    entries = start_of(plan)
    for msn in range(9):
        entries += parts_of(plan, "source", msn, gaps=(0,) if msn == 3 else (), independent=(1,))
    recorded = chained(entries)
    warm, cold = RunModel.read([], recorded), RunModel.read(*trimmed(recorded, 6 * 6))
    for model in (warm, cold):
        model.forget(3)
    assert texts(warm) == texts(cold)
    assert {part.msn for part in read(warm, "source").parts} == {4, 5, 6, 7, 8}


def test_a_trimmed_log_keeps_old_segments_where_the_same_init_came_again() -> None:
    plan = plan_of(window_s=20)
    entries = whole_run(plan, 12)
    entries += [init_of(plan, rung) for rung in plan.rung_names]
    for rung in plan.rung_names:
        entries += parts_of(plan, rung, 12)
    recorded = chained(entries)
    whole = RunModel.read([], recorded)
    part = RunModel.read(*trimmed(recorded, 11 * 6 * len(plan.rung_names)))
    assert texts(part) == texts(whole)


def test_what_the_log_forgot_before_anything_was_listed_is_never_listed() -> None:
    plan = plan_of(window_s=20)
    model = RunModel()
    model.forget(3)
    for entry, entry_id in chained(whole_run(plan, 8)):
        model.apply(entry, entry_id)
    assert {tuple(listed(model, rung)) for rung in plan.rung_names} == {(3, 4, 5, 6, 7)}


def test_parts_stay_in_the_model_with_all_that_names_their_bytes() -> None:
    plan = plan_of()
    segment = folded(whole_run(plan, 1)).segment("audio", 0)
    parts = [e for e in parts_of(plan, "audio", 0) if isinstance(e, Part)]
    assert segment is not None
    assert [(p.start, p.end, p.independent, p.size, p.encoder) for p in segment.pieces] == [
        (e.start, e.end, e.independent, e.size, e.encoder) for e in parts
    ]
