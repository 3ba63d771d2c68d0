"""The search finds each mistake: the first draft's, and others. A finding is the shortest trace, in words."""

import pytest

from tests.model.outside import (
    CRASH,
    DEAF,
    EDGE_CRASH,
    EDGE_LINK,
    EMPTIED,
    FAILOVER,
    FINISH,
    LINK,
    LOST,
    RESTART,
    RESTORED,
    SECOND,
)
from tests.model.search import Search
from tests.model.variant import DESIGN, Bounds, Variant

MOST = 60_000

FIRST_DRAFT = [
    (Variant(takeover_publishes=True), Bounds((LOST, CRASH, FAILOVER), length=2), 1, "published twice"),
    (Variant(silent_reconnect=True), Bounds((FAILOVER,), length=2), 1, "told durable is lost"),
    (Variant(no_encoder_check=True), Bounds((EDGE_LINK, FAILOVER, LOST), length=2), 50, "spliced in mid-GOP"),
    (Variant(url_by_epoch=True), Bounds((FAILOVER,), length=3), 20, "two bodies at one URL"),
    (Variant(floor_from_return=True), Bounds((SECOND,), length=2), 1, "never comes to rest"),
]
OTHERS = [
    (Variant(publishes_before_wait=True), Bounds((CRASH, FAILOVER), length=2), 1, "published twice"),
    (Variant(edge_raises_attempt=True), Bounds((RESTORED, SECOND), length=1), 1, "never comes to rest"),
    (Variant(trims_by_published=True), Bounds((FAILOVER,), length=2), 1, "the edge has nothing before"),
    (
        Variant(retakes_with_first_floor=True),
        Bounds((LOST, FAILOVER, LOST), length=2, spares=1, writers=1),
        50,
        "the edge has nothing before",
    ),
    (Variant(keeps_encoders_blindly=True), Bounds((FAILOVER,), length=4), 1, "nothing new is published"),
    (Variant(retries_refusals=True), Bounds((RESTORED, SECOND, EDGE_LINK), length=2), 1, "never comes to rest"),
    (Variant(rungs_begin_apart=True), Bounds((CRASH,), length=4, rungs=2), 10, "number one segment differently"),
    (Variant(ended_when_staged=True), Bounds((EDGE_CRASH, CRASH), length=1), 1, "the run is over"),
    (Variant(end_unconfirmed=True), Bounds((EDGE_CRASH, FAILOVER, RESTART), length=1, origins=1), 1, "the run is over"),
    (Variant(ended_believed=True), Bounds((FINISH, CRASH, FAILOVER), length=1, origins=1), 1, "the run is over"),
    (Variant(reopens_at_session_start=True), Bounds((EMPTIED,), length=2), 1, "used before the log was lost"),
    (Variant(anybody_opens=True), Bounds((SECOND, EDGE_CRASH, EMPTIED), length=2), 1, "used before the log was lost"),
    (Variant(retake_opens=True), Bounds((LINK, EMPTIED), length=2), 1, "used before the log was lost"),
    (Variant(follows_by_push_alone=True), Bounds((DEAF,), length=1, origins=1), 1, "misses an entry for ever"),
]


def named(case: object) -> str | None:
    if not isinstance(case, Variant):
        return ""
    return next(name for name, set_ in vars(case).items() if set_).replace("_", " ")


@pytest.mark.parametrize(("variant", "bounds", "every", "what"), [*FIRST_DRAFT, *OTHERS], ids=named)
def test_the_search_finds_what_goes_wrong(variant: Variant, bounds: Bounds, every: int, what: str) -> None:
    search = Search(bounds, variant)
    found = search.breadth_first(MOST, every)
    assert found is not None, "nothing goes wrong: the search or the model has gone blind"
    print(found)  # pytest -rP lists each with its shortest trace
    assert what in found.what, str(found)
    assert found.trace
    # It is the mistake's fault, not the faults'.
    assert Search(bounds, DESIGN).breadth_first(search.states + 100, max(every, 5)) is None


def test_a_rung_that_an_old_primary_lacks_is_seen_by_the_writer() -> None:
    """Too deep for a search: one rung is a part ahead when the primary is cut off, and the other is durable later."""
    bounds = Bounds((FAILOVER, LOST, LOST), length=2, rungs=2, spares=1, writers=1)
    ahead = ("of rung 0 at server 0: OK", "waits", "publishes")
    behind = ("of rung 1 at server 1: OK", "waits", "publishes")
    way = (
        *("part 1", "dials", "takes over at server 0", "waits", "publishes", *ahead, *ahead),
        *("is cut off, and still", "loses", "takes over at server 1", "server 2 is the", "waits", "publishes"),
        *(*behind, *behind, "hears that all before 2", "loses", "takes over at server 0"),
    )
    found = Search(bounds, Variant(forgets_absent_rungs=True)).follow(*way)
    assert found is not None
    assert "the edge has nothing before" in found.what
    assert Search(bounds, DESIGN).follow(*way) is None
