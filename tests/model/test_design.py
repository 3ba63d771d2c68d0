"""The live log's protocol holds: every interleaving within small bounds, and long random walks beyond them."""

import pytest

from tests.model.outside import (
    ALL,
    CRASH,
    DEAF,
    EDGE_CRASH,
    EDGE_LINK,
    EMPTIED,
    FAILOVER,
    FINISH,
    LINK,
    LOST,
    REPLACED_DEAD,
    RESTART,
    RESTORED,
    SECOND,
)
from tests.model.search import Search
from tests.model.variant import DESIGN, Bounds

EVERYTHING = Bounds(ALL, budget=8, length=8, rungs=2, origins=2, writers=3, spares=1, batch=True)
WALKS = 250
HAPPENS = (
    *("EMPTY", "ENDED", "REFUSED", "FENCED", "waits in vain", "waits after the end", "gap"),
    *("loses its connection", "writer 0 dies", "leaves", "edge 0 dies", "gives up", "still answers", "dies; server"),
    *("is cut off from", "restarts empty", "database is restored", "starts anew", "miss a push", "opens session"),
    *("the publisher", "control ends", "control closes", "control gives", "replica again", "reads"),
)


@pytest.mark.parametrize(
    ("bounds", "states"),
    [
        (Bounds((LOST, CRASH, FAILOVER, LINK), budget=2, length=2), 10_000),
        (Bounds((LOST, EDGE_LINK, REPLACED_DEAD), budget=2, length=2), 10_000),
        (Bounds((FINISH, FAILOVER, LOST, RESTART, DEAF), budget=2, length=2, origins=1), 3_000),
        (Bounds((FINISH, EDGE_CRASH, CRASH, FAILOVER), budget=3, length=1), 10_000),
        (Bounds((SECOND, RESTORED, EDGE_CRASH, EMPTIED), budget=2, length=2), 10_000),
    ],
    ids=["a writer and its log", "two writers", "the end", "nobody to end it", "two edges"],
)
def test_nothing_goes_wrong_in_any_order(bounds: Bounds, states: int) -> None:
    search = Search(bounds, DESIGN)
    found = search.breadth_first(150_000, recover_every=20)
    assert found is None, str(found)
    print(search.states, search.left, search.recoveries)
    assert search.left == 0
    assert search.states > states


@pytest.mark.parametrize("block", range(2))
def test_nothing_goes_wrong_in_long_walks(block: int) -> None:
    search = Search(EVERYTHING, DESIGN)
    for seed in range(block * 10_000, block * 10_000 + WALKS):
        found = search.walk(seed, 400)
        assert found is None, str(found)
    met = "\n".join(search.met)
    assert [what for what in HAPPENS if what not in met] == []
