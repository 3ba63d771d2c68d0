"""The state of everything: servers, writers, edges, control, origins, and what was promised so far.

Law: a state is a value and equal states are one; a step is a label in words and the state after it. Time is a count of
parts of media (`now`); nothing else has a clock.
Neighbours: `writers`, `sessions`, `outside` make the steps, `search` walks them.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.model.lineage import SEGMENT, Lineage, Node, Place, Violation
from tests.model.log import DOWN, PRIMARY, REPLICA, Call, Server
from tests.model.variant import Bounds, Variant

NEVER_LOST, NO_PROMISE = -3, -2  # instead of an MSN
CONTROL = 2  # its number where edges have theirs; also as a session id

# What a writer does next
DIAL, TOOK, WAIT, PUBLISH, READY, CONFIRM = "dial", "took", "wait", "publish", "ready", "confirm"

# What an edge is
UNUSED, LIVE, ASKING, ENDING, GONE = "unused", "live", "asking", "ending", "gone"


class Writer(NamedTuple):
    """One accepted call, or control when it ends a run. `head`: media it has, -1 while its edge goes on feeding it."""

    edge: int
    session: int
    attempt: int
    floor: int
    opens: int  # where an empty log is opened; -1: not by this writer
    take: int = 1
    server: int = -1
    phase: str = DIAL
    tip: int = 0  # what it believes to be the log's last entry
    firm: bool = False  # the last wait reached every replica
    durable: int = 0
    head: int = -1
    encoders: tuple[int, ...] = ()  # of each rung, the take at which it began; 0: none
    starts: tuple[Place | None, ...] = ()
    made: tuple[int, ...] = ()  # each encoder's next part


class Edge(NamedTuple):
    """An edge's session; its number in the tuple is its session id."""

    status: str = UNUSED
    session: int = 0
    attempt: int = 0
    durable: int = 0
    trim: int = 0  # it holds its media from here
    since: int = 0  # T₁
    writer: int = -1
    seen: int = 0  # the session that refused it
    asked: bool = False  # its session is not its first
    resigned: bool = False  # it knows that the log lost what was durable


class Control(NamedTuple):
    """The database's row of the run, and how it was before the last change."""

    number: int
    active: int  # which edge has the run, -1 nobody
    old_number: int = 0
    old_active: int = -1
    ended: bool = False


class Origin(NamedTuple):
    """Which server it follows, what it shows, and whether the next push gets lost."""

    server: int = 0
    tip: int = 0
    deaf: bool = False


class State(NamedTuple):
    """Everything. `promised` was told durable, `shown` was published after a full wait: both histories, by node."""

    servers: tuple[Server, ...]
    writers: tuple[Writer | None, ...]
    edges: tuple[Edge, ...]
    control: Control
    origins: tuple[Origin, ...]
    now: int
    budget: int
    promised: int = 0
    shown: int = 0
    top: int = -1  # the highest MSN ever published
    used: int = NEVER_LOST  # `top` when the log was lost: nothing new comes at or below it
    bodies: frozenset[tuple[Any, Any]] = frozenset()  # what was stored under each URL


Label = tuple[Any, ...]  # a format and its arguments
Step = tuple[Label, State]
Steps = Iterator[Step]


def words(label: Label) -> str:
    """A step in words."""
    return str(label[0]).format(*label[1:])


class World:
    """What stays the same during a search."""

    def __init__(self, bounds: Bounds, variant: Variant) -> None:
        self.bounds = bounds
        self.variant = variant
        self.lineage = Lineage(bounds.rungs)
        self.calls: deque[Call] = deque(maxlen=1)  # the last operation on a log

    def start(self) -> State:
        """One edge has a session, nothing is open, one part of media is there."""
        servers = (Server(PRIMARY), Server(REPLICA), *(Server(DOWN) for _ in range(self.bounds.spares)))
        return State(
            servers,
            (None,) * self.bounds.writers,
            (Edge(LIVE, session=1), Edge()),
            Control(1, 0),
            (Origin(),) * self.bounds.origins,
            now=1,
            budget=self.bounds.most,
        )

    def fault(self, state: State, kind: str) -> bool:
        """Whether this fault may happen now."""
        return self.bounds.allows(kind, state.budget)

    def node(self, tip: int) -> Node:
        """What `tip` stands for."""
        return self.lineage.nodes[tip]

    def published(self, server: Server) -> int:
        """The node that readers of this server see."""
        return self.lineage.at(server.tip, server.pub)

    def check_main(self, state: State, label: Label | None = None) -> State:
        """`state`, if the primary still has what was promised. Raises Violation."""
        for server in state.servers:
            if server.role == PRIMARY and not self.lineage.holds(server.tip, state.promised):
                found = Violation("what was told durable is lost")
                found.label = label
                raise found
        return state


def keyframe_or(since: int, at: int) -> int:
    """The keyframe from which `at` can be decoded; a publisher's first picture is one."""
    return max(since, at - at % SEGMENT)


def put(things: tuple[Any, ...], index: int, thing: Any) -> tuple[Any, ...]:
    """`things` with another one there."""
    return (*things[:index], thing, *things[index + 1 :])


def primary_of(state: State) -> int:
    """The index of the server that everybody should use."""
    return next(index for index, server in enumerate(state.servers) if server.role == PRIMARY)
