"""Parts in playlists: one rule of RFC 8216bis each."""

from fractions import Fraction

from headrace.core.hls.playlist import RunModel
from tests.support.folded import folded, read, text
from tests.support.runs import chained, init_of, parts_of, plan_of, whole_run


def test_discontinuity_map_and_date_of_the_open_segment_stand_before_its_first_part() -> None:
    """RFC 8216bis §4.4.4.9."""
    plan = plan_of()
    entries = whole_run(plan, 3)
    entries += [init_of(plan, rung, "other build") for rung in plan.rung_names]
    entries += parts_of(plan, "audio", 3, discontinuity=1, count=1)
    lines = text(folded(entries), "audio").split("\n")
    at = next(n for n, line in enumerate(lines) if 'URI="3.0-e1.m4s"' in line)
    assert lines[at - 3] == "#EXT-X-DISCONTINUITY"
    assert lines[at - 2].startswith("#EXT-X-MAP:")
    assert lines[at - 1] == "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:06.123Z"
    opened = read(folded(entries), "audio").open
    assert opened is not None
    assert opened.map != read(folded(entries), "audio").segments[-1].map


def test_segments_within_three_target_durations_of_the_end_list_their_parts_and_older_ones_do_not() -> None:
    """RFC 8216bis §6.2.2."""
    plan = plan_of()
    assert plan.target_duration_s == 2
    model = folded(whole_run(plan, 10))
    assert {part.msn for part in read(model, "audio").parts} == {7, 8, 9}
    for number, (entry, entry_id) in enumerate(chained(parts_of(plan, "audio", 10)), 1):
        model.apply(entry, entry_id)
        listed = read(model, "audio")
        assert [part.msn for part in listed.parts] == [8] * 6 + [9] * 6 + [10] * number


def test_a_part_can_be_had_for_three_target_durations_after_its_tag_has_gone() -> None:
    """RFC 8216bis §6.2.2."""
    plan = plan_of(window_s=20)
    model = RunModel()
    gone_at: dict[int, int] = {}
    before: set[int] = set()
    for entry, entry_id in chained(whole_run(plan, 40)):
        model.apply(entry, entry_id)
        if model.playlist("audio") is None:
            continue
        listed = {part.msn for part in read(model, "audio").parts}
        now = model.newest("audio").msn
        for msn in before - listed:
            gone_at[msn] = now
        before = listed
        for msn, since in gone_at.items():
            if (now - since) * plan.segment <= 3 * plan.target_duration_s * 90_000:
                assert all(model.part("audio", msn, number) for number in range(6))
    assert len(gone_at) > 30


def test_every_part_with_an_independent_frame_says_so_and_a_gap_never_does() -> None:
    """RFC 8216bis §4.4.4.9."""
    plan = plan_of()
    video = plan.rung_names[0]
    entries = [*whole_run(plan, 2), *parts_of(plan, video, 2, gaps=(1,), independent=(2,))]
    assert [part.independent for part in read(folded(entries), video).parts_of(2)] == [True, False, True, *[False] * 3]
    assert [part.gap for part in read(folded(entries), video).parts_of(2)] == [False, True, *[False] * 4]
    assert all(part.independent for part in read(folded(whole_run(plan, 3)), "audio").parts)


def test_a_missing_part_makes_a_gap_of_itself_and_of_its_segment_and_time_goes_on() -> None:
    """RFC 8216bis §6.2.1, §4.4.4.7: GAP=YES and EXT-X-GAP; what is there of the segment can still be fetched."""
    plan = plan_of()
    video = plan.rung_names[0]
    model = folded([*whole_run(plan, 2), *parts_of(plan, video, 2, gaps=(3,))])
    playlist = read(model, video)
    assert [part.gap for part in playlist.parts_of(2)] == [number == 3 for number in range(6)]
    assert [(segment.gap, segment.extinf) for segment in playlist.segments[1:]] == [
        (False, "2.00000"),
        (True, "2.00000"),
    ]
    assert sum(Fraction(part.duration) for part in playlist.parts_of(2)) == 2


def test_after_the_end_nothing_changes_any_more() -> None:
    """RFC 8216bis §4.4.3.4."""
    plan = plan_of()
    entries = whole_run(plan, 3, ended=True)
    model = folded(entries)
    before = {rung: text(model, rung) for rung in plan.rung_names}
    model.apply(entries[-1], "ff")
    assert {rung: text(model, rung) for rung in plan.rung_names} == before
    assert all(len(read(model, rung).reports) == len(plan.rung_names) - 1 for rung in plan.rung_names)
