"""What edges and control do: attempts, sessions, who wins, and the end.

Law: control alone raises a session, an edge alone its attempts, and only while nothing else refused it.
"""

from tests.model.world import (
    ASKING,
    CONTROL,
    ENDING,
    GONE,
    LIVE,
    UNUSED,
    Control,
    Edge,
    State,
    Step,
    Steps,
    World,
    Writer,
    keyframe_or,
    put,
)


def steps(world: World, state: State) -> Steps:
    """All that edges and control can do next."""
    for number in range(len(state.edges)):
        yield from of(world, state, number)
    yield from ending(state)


def of(world: World, state: State, number: int) -> Steps:
    """All that this edge can do next, and control for it."""
    edge = state.edges[number]
    if edge.status in (LIVE, ENDING):
        if edge.writer < 0:
            yield from _dial(world, state, number, edge)
        else:
            yield from _report(state, number, edge)
    elif edge.status == ASKING:
        yield _ask(state, number, edge)
    elif edge.status == UNUSED and world.fault(state, "another edge takes the run"):
        yield _open(state, number)
    if edge.status == LIVE and world.fault(state, "the publisher ends"):
        label = ("the publisher of edge {} ends", number)
        edges = put(state.edges, number, edge._replace(status=ENDING))
        yield label, state._replace(edges=edges, budget=state.budget - 1)


def ending(state: State) -> Steps:
    """Control ends a run that nobody feeds."""
    if state.control.ended or any(edge.status in (LIVE, ASKING, ENDING) for edge in state.edges):
        return
    if any(writer is not None and writer.edge == CONTROL for writer in state.writers):
        return
    slot = _free(state)
    if slot < 0:
        return
    session = state.control.number + 1
    writer = Writer(CONTROL, session, 1, 0, 0)
    label = ("control ends the run under session {}, as writer {}", session, slot)
    control = state.control._replace(number=session, active=-1)
    yield label, state._replace(writers=put(state.writers, slot, writer), control=control)


def detached(state: State, slot: int) -> State:
    """Nobody feeds this writer any more; it may live on."""
    writer = state.writers[slot]
    assert writer is not None
    # An empty log is not opened by one whose call is gone.
    return state._replace(writers=put(state.writers, slot, writer._replace(head=state.now, opens=-1)))


def _dial(world: World, state: State, number: int, edge: Edge) -> Steps:
    slot = _free(state)
    if slot < 0:
        return
    variant = world.variant
    floor = edge.since if variant.floor_from_return else edge.durable
    # Nothing can be published beyond the media that it had sent before.
    opens = edge.since if (edge.attempt == 0 and not edge.asked) or variant.reopens_at_session_start else state.now
    count = world.bounds.rungs
    writer = Writer(
        number,
        edge.session,
        edge.attempt + 1,
        floor,
        opens,
        encoders=(0,) * count,
        starts=(None,) * count,
        made=(0,) * count,
        durable=0 if variant.floor_from_return else edge.durable,
    )
    label = ("edge {} dials attempt {} as writer {}", number, edge.attempt + 1, slot)
    edges = put(state.edges, number, edge._replace(attempt=edge.attempt + 1, writer=slot))
    yield label, state._replace(edges=edges, writers=put(state.writers, slot, writer))


def _free(state: State) -> int:
    for slot, writer in enumerate(state.writers):
        if writer is None:
            return slot
    return -1


def _report(state: State, number: int, edge: Edge) -> Steps:
    writer = state.writers[edge.writer]
    assert writer is not None
    if writer.durable > edge.durable:
        trim = max(edge.trim, keyframe_or(edge.since, writer.durable))
        resigned = edge.resigned and writer.durable < edge.trim
        told = edge._replace(durable=writer.durable, trim=trim, resigned=resigned)
        label = ("edge {} hears that all before {} is durable", number, writer.durable)
        yield label, state._replace(edges=put(state.edges, number, told))


def _open(state: State, number: int) -> Step:
    row = state.control
    session = row.number + 1
    edge = Edge(LIVE, session=session, since=state.now, trim=state.now)
    label = ("edge {} opens session {} at {}", number, session, state.now)
    control = Control(session, number, row.number, row.active)
    return label, state._replace(edges=put(state.edges, number, edge), control=control, budget=state.budget - 1)


def _ask(state: State, number: int, edge: Edge) -> Step:
    row = state.control
    other = row.active
    closed = state._replace(edges=put(state.edges, number, edge._replace(status=GONE)))
    if row.ended:
        return ("control closes edge {}: the run has ended", number), closed
    if other not in (-1, number, CONTROL) and state.edges[other].status in (LIVE, ASKING, ENDING):
        return ("control closes edge {}: edge {} has the run", number, other), closed
    session = max(row.number, edge.seen, edge.session) + 1
    given = ("control gives edge {} session {}", number, session)
    won = edge._replace(status=LIVE, session=session, attempt=0, seen=0, asked=True)
    control = row._replace(number=session, active=number)
    return given, state._replace(edges=put(state.edges, number, won), control=control)
