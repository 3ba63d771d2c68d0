"""What a reload may ask for: read from the query, and judged against what is listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.hls.playlist import RunModel
from headrace.origin.blocking import BadDirective, Directives, directives
from tests.support.runs import chained, parts_of, plan_of, start_of

PLAN = plan_of("passthrough", audio=False)
RUNG = "source"


def model_of(whole: list[int], open_parts: int = 0) -> RunModel:
    """A run of segments with this many parts each, and an open one after them."""
    entries = start_of(PLAN)
    for msn, count in enumerate(whole):
        entries += parts_of(PLAN, RUNG, msn, count=count, of=count)
    entries += parts_of(PLAN, RUNG, len(whole), count=open_parts, of=open_parts + 1)
    return RunModel.read([], chained(entries))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", None),
        (b"token=abc", None),
        (b"_HLS_skip=YES", None),
        (b"_HLS_unknown=x&_HLS_unknown=y", None),
        (b"_HLS_msn=0", Directives(0, None)),
        (b"_HLS_msn=12&_HLS_part=3", Directives(12, 3)),
        (b"token=abc&_HLS_part=0&x=_HLS_msn&_HLS_msn=007", Directives(7, 0)),
        (b"_HLS_msn=99999999999999999999", Directives(99999999999999999999, None)),
    ],
)
def test_a_reload_says_what_it_waits_for(query: bytes, expected: Directives | None) -> None:
    assert directives(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        b"_HLS_part=0",
        b"_HLS_part=0&token=a",
        b"_HLS_msn=",
        b"_HLS_msn",
        b"_HLS_msn=x",
        b"_HLS_msn=-1",
        b"_HLS_msn=1.0",
        b"_HLS_msn=+1",
        b"_HLS_msn=1%20",
        b"_HLS_msn=\xd9\xa1",
        b"_HLS_msn=999999999999999999999",
        b"_HLS_msn=1&_HLS_part=",
        b"_HLS_msn=1&_HLS_part=x",
        b"_HLS_msn=1&_HLS_part=-1",
        b"_HLS_msn=1&_HLS_msn=2",
        b"_HLS_msn=1&_HLS_msn=1",
        b"_HLS_msn=1&_HLS_part=1&_HLS_part=1",
    ],
)
def test_what_cannot_be_waited_for_is_refused(query: bytes) -> None:
    with pytest.raises(BadDirective):
        directives(query)


@given(st.binary(max_size=60) | st.text("_HLSmsnpart=&0123456789", max_size=60).map(str.encode))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    try:
        wanted = directives(query)
    except BadDirective:
        return
    assert wanted is None or wanted.msn >= 0


@pytest.mark.parametrize(
    ("msn", "part", "expected"),
    [
        (3, None, True),
        (4, None, False),  # its parts are there, the segment is not whole
        (4, 1, True),
        (4, 2, False),
        (3, 5, True),
        (3, 6, True),  # the fourth segment's first part
        (3, 99, True),
        (5, 0, False),
        (0, None, True),
    ],
)
def test_a_segment_is_shown_when_whole_and_a_part_when_listed(msn: int, part: int | None, expected: bool) -> None:
    assert Directives(msn, part).shown(model_of([6] * 4, open_parts=2), RUNG) is expected


def test_a_part_beyond_its_segments_last_is_the_next_segments_first() -> None:
    beyond = Directives(3, 6)
    assert not beyond.shown(model_of([6] * 4), RUNG)
    assert beyond.shown(model_of([6] * 4, open_parts=1), RUNG)
    assert not beyond.too_far(model_of([6] * 4), RUNG, PLAN.part_target_ms)


@pytest.mark.parametrize(
    ("part_target_ms", "limit"), [(200, 15), (344, 9), (500, 6), (999, 4), (1000, 3), (1004, 3), (4000, 3)]
)
def test_a_part_may_be_asked_for_three_seconds_ahead(part_target_ms: int, limit: int) -> None:
    model = model_of([6] * 4, open_parts=2)
    assert not Directives(4, 1 + limit).too_far(model, RUNG, part_target_ms)
    assert Directives(4, 2 + limit).too_far(model, RUNG, part_target_ms)
    assert not Directives(5, limit - 1).too_far(model, RUNG, part_target_ms)
    assert Directives(5, limit).too_far(model, RUNG, part_target_ms)


@pytest.mark.parametrize("open_parts", [0, 2])
def test_a_segment_may_be_asked_for_two_ahead(open_parts: int) -> None:
    model = model_of([6] * 4, open_parts)
    assert not Directives(5, None).too_far(model, RUNG, 344)
    assert Directives(6, None).too_far(model, RUNG, 344)
    assert Directives(6, 0).too_far(model, RUNG, 344)
    assert Directives(10**20, 0).too_far(model, RUNG, 344)


histories = st.tuples(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.integers(0, 6))
wanted = st.builds(Directives, st.integers(0, 9), st.none() | st.integers(0, 20))


@given(histories, wanted)
def test_what_is_shown_is_what_the_list_of_all_parts_says(history: tuple[list[int], int], asked: Directives) -> None:
    whole, open_parts = history
    listed = [(msn, part) for msn, count in enumerate([*whole, open_parts]) for part in range(count)]
    if asked.part is None:
        expected = asked.msn < len(whole)
    else:
        expected = any(place >= (asked.msn, asked.part) for place in listed)
    assert asked.shown(model_of(whole, open_parts), RUNG) is expected


@given(histories, wanted, st.sampled_from([200, 344, 999, 1004]))
def test_what_is_too_far_is_neither_shown_nor_within_reach(
    history: tuple[list[int], int], asked: Directives, part_target_ms: int
) -> None:
    whole, open_parts = history
    model = model_of(whole, open_parts)
    limit = {200: 15, 344: 9, 999: 4, 1004: 3}[part_target_ms]
    last_whole = len(whole) - 1
    parts_ahead = 0
    if asked.part is not None and asked.msn > last_whole:
        there = open_parts if asked.msn == last_whole + 1 else 0
        parts_ahead = asked.part + 1 - there
    too_far = asked.too_far(model, RUNG, part_target_ms)
    assert too_far is (asked.msn > last_whole + 2 or parts_ahead > limit)
    assert not (too_far and asked.shown(model, RUNG))
