"""The first playlist of a run at this origin, as its trace has it: once, and only while the run is young."""

from dataclasses import replace

import pytest

from headrace.core.broadcast import End, RunId, RunStart
from headrace.livelog.base import Published
from headrace.origin import followed as module
from headrace.runtime.telemetry.spans import Span
from headrace.runtime.telemetry.trace_ids import trace_id_of, traceparent_of
from tests.support.runs import ANCHOR_MS
from tests.support.spans import ids, recorded
from tests.unit.origin.test_followed import LOG, after, more, whole

RUN = RunId("r1")  # as `after` calls it
TAKEN = traceparent_of(trace_id_of(RUN), 7)


def traced(log: list[Published], traceparent: str = TAKEN) -> list[Published]:
    """The same log, whose run was taken in a span."""
    begun, *others = log
    assert isinstance(begun.entry, RunStart)
    return [replace(begun, entry=replace(begun.entry, traceparent=traceparent)), *others]


def told(*logs: list[Published]) -> list[int | None]:
    """The parents of the first playlists that origins tell of who read these logs, entry by entry."""
    with recorded() as memory:
        for log in logs:
            followed = after()
            for each in log:
                followed.take(more([each]))
    for span in memory.named(Span.FIRST_PLAYLIST):
        assert ids(span)[0] == trace_id_of(RUN)
        assert (span.start_time or 0) < (span.end_time or 0)
    return [span.parent.span_id if span.parent else None for span in memory.named(Span.FIRST_PLAYLIST)]


@pytest.fixture(autouse=True)
def young(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is in its third second."""
    monkeypatch.setattr(module, "unix_ms", lambda: ANCHOR_MS + 2_500)


def test_the_first_playlist_is_told_of_once_below_the_span_in_which_the_run_was_taken() -> None:
    assert told(traced(LOG)) == [7]


def test_each_origin_tells_of_its_own() -> None:
    assert told(traced(LOG), traced(LOG)) == [7, 7]


def test_a_run_whose_transcoder_recorded_nothing_has_one_without_a_parent() -> None:
    assert told(LOG) == [None]


@pytest.mark.parametrize("strange", ["00-nonsense", traceparent_of(trace_id_of(RunId("another")), 7)])
def test_what_names_no_span_of_this_trace_is_no_parent(strange: str) -> None:
    assert told(traced(LOG, strange)) == [None]


def test_a_log_that_lists_nothing_tells_nothing() -> None:
    assert told(traced(LOG[:6])) == []


def test_what_an_origin_first_shows_of_an_old_run_is_no_part_of_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "unix_ms", lambda: ANCHOR_MS + module.START_MS)
    assert told(traced(LOG)) == []


def test_nor_is_what_it_shows_of_one_that_is_over() -> None:
    over = [*LOG, replace(LOG[-1], n=LOG[-1].n + 1, id="end", entry=End(0))]
    with recorded() as memory:
        after(whole(over))
    assert memory.spans == []
