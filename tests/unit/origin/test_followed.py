"""What a run takes from readings: each entry once, in order, whoever brought it; where they differ, the log's word."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import End, Entry, Hold, Init, RunId, RunStart
from headrace.livelog.base import Cursor, Published, Reading
from headrace.origin import followed as module
from headrace.origin.followed import Disagreement, FollowedRun
from tests.support.asgi import settle
from tests.support.playlists import ReadPlaylist, read_playlist
from tests.support.runs import chained, parts_of, plan_of, whole_run

PLAN = plan_of("passthrough", window_s=20)
A_SEGMENT = 12  # entries: six parts of two rungs
START = Cursor(0, "")


def published(entries: list[Entry]) -> list[Published]:
    return [Published(n, entry_id, entry) for n, (entry, entry_id) in enumerate(chained(entries), 1)]


LOG = published(whole_run(PLAN, 20))
# It lost its last two segments and went on with another encoder.
OTHER = published(
    whole_run(PLAN, 18)
    + [e for msn in range(18, 20) for rung in PLAN.rung_names for e in parts_of(PLAN, rung, msn, encoder="e2")]
)


def cursor_of(entries: list[Published]) -> Cursor:
    return Cursor(entries[-1].n, entries[-1].id) if entries else START


def more(entries: list[Published]) -> Reading:
    return Reading(tuple(entries), cursor_of(entries))


def whole(entries: list[Published], oldest: int = 0) -> Reading:
    head: dict[str, Entry] = {}
    for each in LOG:
        if isinstance(each.entry, RunStart | Init):
            head[getattr(each.entry, "rung", "")] = each.entry
    return Reading(tuple(entries), cursor_of(entries), whole=True, head=tuple(head.values()), oldest=oldest)


def after(*readings: Reading) -> FollowedRun:
    followed = FollowedRun(RunId("r1"))
    for reading in readings:
        followed.take(reading)
    return followed


def text(followed: FollowedRun, rung: str = "source") -> str:
    page = followed.pages.media(rung, "")
    return page.plain.decode() if page else ""


def listed(followed: FollowedRun) -> ReadPlaylist:
    return read_playlist(text(followed))


EXPECTED = text(after(whole(LOG)))


def test_entries_that_two_readings_bring_are_taken_once() -> None:
    followed = after(whole(LOG[:100]), more(LOG[100:160]), more(LOG[100:150]), more(LOG[140:170]), more(LOG[150:]))
    assert text(followed) == EXPECTED
    assert followed.cursor == cursor_of(LOG)


def test_a_reading_that_leaves_an_entry_out_is_refused_and_the_next_one_is_whole() -> None:
    followed = after(whole(LOG[:100]))
    before = text(followed)
    with pytest.raises(Disagreement):
        followed.take(more(LOG[101:]))
    assert text(followed) == before
    assert followed.cursor == START
    followed.take(whole(LOG))
    assert text(followed) == EXPECTED


def test_a_log_that_became_shorter_changes_nothing_and_goes_on_where_it_was_lost() -> None:
    followed = after(whole(LOG[:200]))
    before = text(followed)
    followed.take(whole(LOG[:190]))
    assert text(followed) == before
    followed.take(more(LOG[190:196]))
    assert text(followed) == before
    assert followed.cursor == cursor_of(LOG[:200])
    followed.take(more(LOG[196:]))
    assert text(followed) == EXPECTED


def test_a_log_that_is_empty_now_changes_nothing_until_it_says_something_else() -> None:
    followed = after(whole(LOG[:200]))
    before = text(followed)
    followed.take(whole([]))
    assert text(followed) == before
    with pytest.raises(Disagreement):
        followed.take(more(OTHER[:1] and [replace(OTHER[0], id="another")]))
    followed.take(whole(OTHER))
    assert "e2" in text(followed)


def test_a_log_that_says_something_else_wins_though_it_was_shorter_before() -> None:
    followed = after(whole(LOG), whole(OTHER[: 18 * A_SEGMENT]))
    assert text(followed) == EXPECTED
    with pytest.raises(Disagreement):
        followed.take(more(OTHER[18 * A_SEGMENT :]))
    followed.take(whole(OTHER))
    assert [part.uri.split("-")[1] for part in listed(followed).parts if part.msn >= 18] == ["e2.m4s"] * 12


def test_even_where_the_log_wins_no_playlist_goes_back_behind_its_first_segment() -> None:
    """RFC 8216bis §6.2.2: EXT-X-MEDIA-SEQUENCE never falls."""
    followed = after(whole(LOG))
    first = listed(followed).segments[0].msn
    followed.take(whole(OTHER[:-A_SEGMENT]))
    assert listed(followed).segments[-1].msn == 18
    assert listed(after(whole(OTHER[:-A_SEGMENT]))).segments[0].msn == first - 1
    assert listed(followed).segments[0].msn == first
    followed.take(more(OTHER[-A_SEGMENT:]))
    assert text(followed) == text(after(whole(OTHER)))


def test_a_reader_that_fell_behind_takes_the_whole_window() -> None:
    followed = after(whole(LOG[:100]), whole(LOG[11 * A_SEGMENT :], oldest=8))
    assert [segment.msn for segment in listed(followed).segments] == list(range(11, 20))


async def test_all_who_wait_look_again_when_the_log_replaces_everything() -> None:
    followed = after(whole(LOG))
    before = followed.model
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        waiting = [
            group.create_task(followed.until(lambda: followed.model is not before, 1, rung)) for rung in ("", "audio")
        ]
        await settle()
        followed.take(whole(OTHER))
        await settle()
        assert all(task.done() for task in waiting)


def test_kinds_that_nobody_knows_yet_are_skipped_and_counted() -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("headrace_origin_unknown_entries_total") or 0.0

    before = counted()
    followed = after(whole([*LOG[:60], replace(LOG[60], entry=None)]), more([replace(LOG[61], entry=None)]))
    assert counted() - before == 2
    assert followed.cursor.n == 62


def test_how_old_parts_are_when_they_come_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(what: str) -> float:
        return REGISTRY.get_sample_value(f"headrace_origin_part_age_seconds_{what}") or 0.0

    followed = after(whole(LOG[:-1]))
    end_ms = followed.model.anchor_ms + 20 * 2000
    monkeypatch.setattr(module, "unix_ms", lambda: end_ms + 700)
    before = measured("count"), measured("sum")
    followed.take(more(LOG[-1:]))
    assert measured("count") - before[0] == 1
    assert measured("sum") - before[1] == pytest.approx(0.7, abs=1e-3)


def test_the_age_of_a_live_runs_edge_is_that_of_its_newest_part() -> None:
    followed = after(whole(LOG[:-1]))
    edge_ms = followed.model.anchor_ms + 20 * 2000
    assert followed.edge_age_s(edge_ms + 700) == pytest.approx(0.7, abs=1e-3)
    assert followed.edge_age_s(edge_ms - 700) == 0, "clocks differ"
    followed.take(whole(OTHER[:-A_SEGMENT]))
    assert followed.edge_age_s(edge_ms) == pytest.approx(2.0, abs=1e-3)


def test_a_run_whose_source_has_stopped_or_that_is_over_has_no_live_edge() -> None:
    assert FollowedRun(RunId("r1")).edge_age_s(0) is None
    entries = [each.entry for each in LOG if each.entry is not None]
    followed = after(whole(published([*entries[:-A_SEGMENT], Hold(0)])))
    assert followed.edge_age_s(0) is None
    back = published([*entries[:-A_SEGMENT], Hold(0), *entries[-A_SEGMENT:]])
    followed.take(more(back[-A_SEGMENT:]))
    assert followed.edge_age_s(0) == 0
    followed.take(more(published([*entries[:-A_SEGMENT], Hold(0), *entries[-A_SEGMENT:], End(0)])[-1:]))
    assert followed.edge_age_s(0) is None


def test_how_long_the_first_playlist_took_is_told_of_runs_that_were_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(what: str) -> float:
        return REGISTRY.get_sample_value(f"headrace_origin_first_playlist_seconds_{what}") or 0.0

    followed = after(whole(LOG[:6]))
    monkeypatch.setattr(module, "unix_ms", lambda: followed.model.anchor_ms + 2_500)
    before = measured("count"), measured("sum")
    for each in LOG[6:40]:
        followed.take(more([each]))
    assert measured("count") - before[0] == 1
    assert measured("sum") - before[1] == pytest.approx(2.5)
    after(whole(LOG), whole(LOG))
    assert measured("count") - before[0] == 1, "it had one before it was followed here"


def test_only_the_newest_ids_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDS_KEPT", 10)
    followed = after(whole(LOG))
    followed.take(whole(LOG[:-9]))
    assert text(followed) == EXPECTED
    followed.take(whole(LOG[:-10]))
    assert text(followed) != EXPECTED


def test_a_live_run_is_stale_when_its_next_segment_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(module, "monotonic_s", lambda: now_s[0])
    followed = after(whole(LOG[:-1]))
    now_s[0] += 1.5 * PLAN.target_duration_s
    assert not followed.stale
    now_s[0] += 0.001
    assert followed.stale
    followed.take(more(LOG[-1:]))
    assert not followed.stale
    followed.take(more([Published(LOG[-1].n + 1, "last", End(0))]))
    now_s[0] += 600
    assert not followed.stale
