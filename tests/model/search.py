"""Looking at every state within bounds, or at long random walks; and what must follow once nothing fails any more.

Law: a finding is a Violation with the trace that led to it, in words. Recovery is the same machine with no faults left,
in which everybody gets a turn: from wherever it starts, all that lives must come to agree.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.model import outside, sessions, writers
from tests.model.lineage import Violation
from tests.model.log import PRIMARY
from tests.model.variant import Bounds, Variant
from tests.model.world import ASKING, ENDING, LIVE, Label, State, Step, Steps, World, primary_of, words

TURNS = 60  # of everybody
REPEATS = 4  # more media comes each time
FAULTS = 0.04  # of all steps of a walk


@dataclass
class Finding:
    """What went wrong, and how it came to that."""

    what: str
    trace: list[Label]

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"{n:3} {words(label)}" for n, label in enumerate(self.trace, 1))])


def steps(world: World, state: State) -> Steps:
    """Everything that can happen next."""
    yield from writers.steps(world, state)
    yield from sessions.steps(world, state)
    yield from outside.steps(world, state)


def chosen(chance: random.Random, state: State, following: Sequence[Step]) -> Step:
    """One of them; faults are many, and seldom."""
    faults = [step for step in following if step[1].budget < state.budget]
    others = [step for step in following if step[1].budget == state.budget]
    return chance.choice(faults if faults and (not others or chance.random() < FAULTS) else others)


@dataclass
class Search:
    """One search; `states` counts those seen."""

    bounds: Bounds
    variant: Variant

    def __post_init__(self) -> None:
        self.world = World(self.bounds, self.variant)
        self.states = 0
        self.recoveries = 0
        self.left = 0  # states that were not looked at any more
        self.met: set[str] = set()  # what happened in walks, in words

    def breadth_first(self, most: int, recover_every: int = 0) -> Finding | None:
        """The shortest way to a violation among the first `most` states; every so many states recover as well."""
        start = self.world.start()
        came: dict[State, tuple[State, Label] | None] = {start: None}
        queue = deque([start])
        while queue:
            state = queue.popleft()
            after_all: list[Label] = []
            try:
                if recover_every and self.states % recover_every == 0:
                    after_all = [("faults stop",)]
                    self.recover(state, after_all)
                    after_all = []
                self.states += 1
                for label, after in self._next(state):
                    if after not in came:
                        came[after] = (state, label)
                        queue.append(after)
            except Violation as found:
                return Finding(str(found), [*_way(came, state), *after_all, found.label or ("and then",)])
            if len(came) > most:
                self.left = len(queue)
                return None
        return None

    def walk(self, seed: int, length: int) -> Finding | None:
        """One random walk, and a recovery at its end."""
        chance = random.Random(seed)
        state = self.world.start()
        trace: list[Label] = []
        try:
            for _ in range(length):
                following = list(self._next(state))
                if not following:
                    break
                label, state = chosen(chance, state, following)
                trace.append(label)
                self.met.add(words(label))
                self.states += 1
            trace.append(("faults stop",))
            self.recover(state, trace)
        except Violation as found:
            return Finding(f"{found} (seed {seed})", [*trace, found.label or ("and then",)])
        return None

    def follow(self, *texts: str) -> Finding | None:
        """The walk in which each step's words hold the next of these. Raises LookupError where no step's do."""
        state, trace = self.world.start(), list[Label]()
        for text in texts:
            following: Iterator[Step] = self._next(state)
            try:
                label, state = next(step for step in following if text in words(step[0]))
            except StopIteration:
                raise LookupError(f"nothing that can happen says {text!r}") from None
            except Violation as found:
                return Finding(str(found), [*trace, found.label or ("and then",)])
            trace.append(label)
        return None

    def recover(self, state: State, trace: list[Label] | None = None) -> None:
        """Raises Violation unless everything comes to rest and is right."""
        trace = [] if trace is None else trace
        world = self.world
        self.recoveries += 1
        state = state._replace(budget=0)
        for index, server in enumerate(state.servers):
            if server.role != PRIMARY:
                state = outside.joined(world, state, index)
        for _ in range(REPEATS):
            if any(edge.status == LIVE for edge in state.edges):
                state = state._replace(now=state.now + 1)
            for _ in range(TURNS):
                before = state
                state = _round(world, state, trace)
                if state == before:
                    break
            else:
                raise Violation("it never comes to rest")
        self._agreed(state)

    def _agreed(self, state: State) -> None:
        world = self.world
        server = state.servers[primary_of(state)]
        seen = world.published(server)
        node = world.node(seen)
        living = [edge for edge in state.edges if edge.status in (LIVE, ASKING, ENDING)]
        if state.control.ended and server.fence is None:
            return  # the log went after its run
        if len(living) > 1:
            raise Violation("two edges hold the run for ever")
        if not living and not node.ended:
            raise Violation("nobody can see that the run is over")
        if living and node.reach < state.now:
            raise Violation("the run is blocked: nothing new is published")
        for number, origin in enumerate(state.origins):
            if origin.tip != seen:
                raise Violation(f"origin {number} misses an entry for ever")

    def _next(self, state: State) -> Steps:
        return steps(self.world, state)


def _round(world: World, state: State, trace: list[Label]) -> State:
    """Everybody's turn: the first thing that each can do."""
    turns: list[Callable[[State], Steps]] = [
        *(partial(_writer, world, slot) for slot in range(len(state.writers))),
        *(partial(_edge, world, number) for number in range(len(state.edges))),
        sessions.ending,
        partial(outside.reading, world),
    ]
    for turn in turns:
        for label, after in turn(state):
            if after != state:
                trace.append(label)
                state = after
                break
    return state


def _writer(world: World, slot: int, state: State) -> Steps:
    writer = state.writers[slot]
    return writers.of(world, state, slot, writer) if writer is not None else iter(())


def _edge(world: World, number: int, state: State) -> Steps:
    return sessions.of(world, state, number)


def _way(came: dict[State, tuple[State, Label] | None], state: State) -> list[Label]:
    trace = []
    while (step := came[state]) is not None:
        state, label = step
        trace.append(label)
    return trace[::-1]
