"""One server of the log: the operations, said once more.

Law: `cluster.md` §1 word by word, on values; each operation is one step and returns its answer and the server after it.
Neighbours: `lineage` holds what was stored. The real logs are compared with this in `sequences`.
"""

from typing import NamedTuple

from tests.model.lineage import EMPTY_LOG, END, NOBODY, PART, Entry, Lineage, Position, first_place
from tests.model.variant import Variant

PRIMARY, REPLICA, CUT, ISOLATED, DOWN = "primary", "replica", "cut off replica", "isolated primary", "down"
ANSWERING = (PRIMARY, ISOLATED)

OK, EMPTY, REFUSED, ENDED, STALE = "OK", "EMPTY", "REFUSED", "ENDED", "STALE"
FENCED, HAVE, CONFLICT, BEHIND, POSITION, SPLICE = "FENCED", "HAVE", "CONFLICT", "BEHIND", "POSITION", "SPLICE"


class Fence(NamedTuple):
    """Who may write."""

    session: int
    attempt: int
    session_id: int
    take: int
    writer: int = 0  # told apart by their sessions and attempts, except where a test makes it hard


class Server(NamedTuple):
    """A server, and what it holds of the run: `fence` None where it holds nothing."""

    role: str
    fence: Fence | None = None
    tip: int = 0
    pub: int = 0


class Call(NamedTuple):
    """An operation, its answer, and the server after it."""

    kind: str
    claim: Fence
    answer: str
    server: Server
    n: int = 0
    entry: Entry | None = None
    floor: int = 0
    opens: bool = False


def takeover(
    lineage: Lineage, variant: Variant, server: Server, claim: Fence, floor: int, opens: bool
) -> tuple[str, Server]:
    """OK, EMPTY, REFUSED, ENDED, STALE."""
    fence = server.fence
    if fence is None:
        return (OK, server._replace(fence=claim)) if opens else (EMPTY, server)
    if claim[:2] < fence[:2] or (claim.session == fence.session and claim.session_id != fence.session_id):
        return REFUSED, server
    if claim[:2] == fence[:2] and (claim.writer != fence.writer or claim.take < fence.take):
        return REFUSED, server
    node = lineage.nodes[server.tip]
    if node.ended and (server.pub == node.n or variant.ended_when_staged):
        return ENDED, server
    if node.begun_reach < floor:
        return STALE, server
    pub = node.n if variant.takeover_publishes else server.pub
    return OK, server._replace(fence=claim, pub=pub)


def stage(lineage: Lineage, variant: Variant, server: Server, claim: Fence, n: int, entry: Entry) -> tuple[str, Server]:
    """OK, HAVE, FENCED, ENDED, CONFLICT, BEHIND, POSITION, SPLICE."""
    if claim != server.fence:
        return FENCED, server
    node = lineage.nodes[server.tip]
    if node.ended:
        return ENDED, server
    if n <= node.n:
        have = lineage.nodes[lineage.at(server.tip, n)].entry
        return (HAVE if have == entry else CONFLICT), server
    if n > node.n + 1:
        return BEHIND, server
    if entry.kind != END:
        position = node.rungs[entry.rung]
        begins = entry.place.part == 0 if position is None else entry.place == position.next
        if not begins:
            return POSITION, server
        alien = position is None or position.encoder != entry.encoder
        if entry.kind == PART and not entry.independent and alien and not variant.no_encoder_check:
            return SPLICE, server
    return OK, server._replace(tip=lineage.extend(server.tip, entry))


def publish(lineage: Lineage, server: Server, claim: Fence, n: int) -> tuple[str, Server]:
    """OK, FENCED, BEHIND."""
    if claim != server.fence:
        return FENCED, server
    if n > lineage.nodes[server.tip].n:
        return BEHIND, server
    return OK, server._replace(pub=max(n, server.pub))


def position_of(lineage: Lineage, variant: Variant, tip: int, rung: int, opens: int) -> Position:
    """Where `rung` goes on after `tip`; a rung that has not begun does so at `opens`."""
    node = lineage.nodes[EMPTY_LOG if variant.rungs_begin_apart and not lineage.nodes[tip].rungs[rung] else tip]
    return node.rungs[rung] or Position(first_place(node, opens), NOBODY)
