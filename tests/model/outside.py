"""What happens to everybody: media arrives, origins read, and all that can fail does.

Law: each fault costs one of the budget; a repair costs nothing.
"""

from tests.model.log import ANSWERING, CUT, DOWN, ISOLATED, PRIMARY, REPLICA, Server
from tests.model.sessions import detached
from tests.model.taking import again, stopped
from tests.model.world import (
    DIAL,
    ENDING,
    GONE,
    LIVE,
    NEVER_LOST,
    NO_PROMISE,
    Origin,
    State,
    Step,
    Steps,
    World,
    primary_of,
    put,
)

LOST = "a writer loses its connection"
CRASH = "a writer dies"
EDGE_CRASH = "an edge dies"
EDGE_LINK = "an edge gives up on its transcoder"
FAILOVER = "the primary is replaced"
REPLACED_DEAD = "the primary dies and is replaced"
LINK = "a replica is cut off"
EMPTIED = "the log is emptied"
RESTORED = "control's database is restored"
RESTART = "an origin starts anew"
DEAF = "a push is lost"
SECOND = "another edge takes the run"
FINISH = "the publisher ends"

ALL = (
    *(LOST, CRASH, EDGE_CRASH, EDGE_LINK, FAILOVER, REPLACED_DEAD, LINK, EMPTIED, RESTORED, RESTART, DEAF),
    *(SECOND, FINISH),
)


def steps(world: World, state: State) -> Steps:
    """All that can happen next that nobody decides."""
    if state.now < world.bounds.length and any(edge.status == LIVE for edge in state.edges):
        yield ("media arrives: part {}", state.now), state._replace(now=state.now + 1)
    yield from _replication(world, state)
    yield from reading(world, state)
    if not state.budget:
        return
    for label, after in _faults(world, state):
        yield label, after._replace(budget=state.budget - 1)


def heard(world: World, state: State) -> State:
    """Who was connected to a server that answers no more, or only for reading, knows it."""
    for slot, writer in enumerate(state.writers):
        if writer is not None and writer.server >= 0 and state.servers[writer.server].role not in ANSWERING:
            if world.variant.silent_reconnect:
                moved = writer._replace(server=primary_of(state))
                state = state._replace(writers=put(state.writers, slot, moved))
            else:
                state = again(state, slot, writer)
    for number, origin in enumerate(state.origins):
        if state.servers[origin.server].role not in ANSWERING:
            moved_origin = origin._replace(server=primary_of(state), deaf=False)
            state = state._replace(origins=put(state.origins, number, moved_origin))
    return state


def joined(world: World, state: State, index: int) -> State:
    """This server is the primary's replica from here on, with what that has."""
    primary = state.servers[primary_of(state)]
    state = state._replace(servers=put(state.servers, index, primary._replace(role=REPLICA)))
    return heard(world, state)


def read(world: World, state: State, number: int) -> State:
    """An origin reads: it goes on, waits, or goes back to the last equal entry."""
    origin = state.origins[number]
    seen = world.published(state.servers[origin.server])
    if world.lineage.holds(origin.tip, seen):
        return state
    return state._replace(origins=put(state.origins, number, origin._replace(tip=seen)))


def _replication(world: World, state: State) -> Steps:
    primary = state.servers[primary_of(state)]
    for index, server in enumerate(state.servers):
        if server.role == REPLICA and server != primary._replace(role=REPLICA):
            label = ("server {} catches up", index)
            yield label, state._replace(servers=put(state.servers, index, primary._replace(role=REPLICA)))
        elif server.role in (CUT, DOWN, ISOLATED):
            yield ("server {} is the primary's replica again", index), joined(world, state, index)


def reading(world: World, state: State) -> Steps:
    """Each origin may read at any time."""
    for number, _ in enumerate(state.origins):
        if world.variant.follows_by_push_alone and state.origins[number].tip:
            continue
        after = read(world, state, number)
        if after is not state:
            yield ("origin {} reads", number), after


def _faults(world: World, state: State) -> Steps:
    for slot, writer in enumerate(state.writers):
        if writer is None:
            continue
        if world.fault(state, LOST) and writer.phase != DIAL:
            if world.variant.silent_reconnect:
                moved = writer._replace(server=primary_of(state))
                label = ("writer {} loses its connection and reconnects by itself", slot)
                yield label, state._replace(writers=put(state.writers, slot, moved))
            else:
                yield ("writer {} loses its connection", slot), again(state, slot, writer)
        if world.fault(state, CRASH):
            yield ("writer {} dies", slot), stopped(state, slot, writer)
    for number, edge in enumerate(state.edges):
        if edge.status not in (LIVE, ENDING):
            continue
        if world.fault(state, EDGE_CRASH):
            after = detached(state, edge.writer) if edge.writer >= 0 else state
            gone = edge._replace(status=GONE, writer=-1)
            yield ("edge {} dies", number), after._replace(edges=put(state.edges, number, gone))
        if world.fault(state, EDGE_LINK) and edge.writer >= 0:
            after = detached(state, edge.writer)
            free = edge._replace(writer=-1)
            yield (
                ("edge {} gives up on writer {}", number, edge.writer),
                after._replace(edges=put(state.edges, number, free)),
            )
    yield from _server_faults(world, state)
    if world.fault(state, RESTORED):
        row = state.control
        if (row.number, row.active) != (row.old_number, row.old_active):
            older = row._replace(number=row.old_number, active=row.old_active)
            yield (
                ("control's database is restored: session {}", row.old_number),
                state._replace(control=older, used=NO_PROMISE),
            )
    for number, origin in enumerate(state.origins):
        if world.fault(state, RESTART) and origin.tip:
            yield (
                ("origin {} starts anew", number),
                state._replace(origins=put(state.origins, number, Origin(primary_of(state)))),
            )
        if world.fault(state, DEAF) and not origin.deaf:
            deaf = origin._replace(deaf=True)
            yield ("origin {} will miss a push", number), state._replace(origins=put(state.origins, number, deaf))


def _server_faults(world: World, state: State) -> Steps:
    primary = primary_of(state)
    for index, server in enumerate(state.servers):
        if server.role in (REPLICA, CUT):
            for fault, role in ((FAILOVER, ISOLATED), (REPLACED_DEAD, DOWN)):
                if world.fault(state, fault):
                    yield _failover(world, state, index, primary, role)
        if server.role == REPLICA and world.fault(state, LINK):
            cut = server._replace(role=CUT)
            yield (
                ("server {} is cut off from the primary", index),
                state._replace(servers=put(state.servers, index, cut)),
            )
    if world.fault(state, EMPTIED) and state.servers[primary].fence is not None:
        roles = (PRIMARY if s.role == PRIMARY else DOWN if s.role == DOWN else REPLICA for s in state.servers)
        empty = tuple(map(Server, roles))
        after = state._replace(servers=empty, promised=0, shown=0)
        # Of a second loss nothing is promised: ⌈4·T₁/D⌉ is above what was used once, not above itself.
        after = after._replace(used=state.top if state.used == NEVER_LOST else NO_PROMISE)
        for slot, writer in enumerate(state.writers):
            if writer is not None and writer.phase != DIAL and not world.variant.silent_reconnect:
                after = again(after, slot, writer)
        yield ("the primary restarts empty, and its replica with it",), after


def _failover(world: World, state: State, index: int, primary: int, role: str) -> Step:
    servers = put(state.servers, index, state.servers[index]._replace(role=PRIMARY))
    # Other replicas must first find the new primary.
    servers = tuple(s._replace(role=CUT) if s.role == REPLICA else s for s in servers)
    servers = put(servers, primary, servers[primary]._replace(role=role))
    what = "dies" if role == DOWN else "is cut off, and still answers"
    label = ("server {} " + what + "; server {} is the primary", primary, index)
    return label, world.check_main(heard(world, state._replace(servers=servers)), label)
