"""How a writer takes the log over: the claim it makes, what it may open, and the rule by which encoders are kept.

Law: nothing is read or written before a takeover. One that is refused is never tried again: its edge or control acts.
Neighbours: `writers` goes on from there.
"""

from typing import Any

from tests.model import log
from tests.model.lineage import END, EncoderId, Violation, first_place
from tests.model.log import PRIMARY, Call, Fence, Server
from tests.model.world import ASKING, CONFIRM, CONTROL, DIAL, GONE, TOOK, State, Step, World, Writer, keyframe_or, put


def again(state: State, slot: int, writer: Writer) -> State:
    """The writer must take over again: its connection is lost, or the log and it disagree."""
    retaken = writer._replace(server=-1, phase=DIAL, take=writer.take + 1, tip=0, firm=False)
    return state._replace(writers=put(state.writers, slot, retaken))


def stopped(state: State, slot: int, writer: Writer, **edge: Any) -> State:
    """The writer is gone; its edge hears of it, if it is still there."""
    state = state._replace(writers=put(state.writers, slot, None))
    if writer.edge != CONTROL and writer.head < 0:
        changed = state.edges[writer.edge]._replace(writer=-1, **edge)
        state = state._replace(edges=put(state.edges, writer.edge, changed))
    return state


def claim_of(writer: Writer) -> Fence:
    """Its claim."""
    return Fence(writer.session, writer.attempt, writer.edge, writer.take)


def take_over(world: World, state: State, slot: int, writer: Writer, index: int) -> Step:
    """At this server. Raises Violation."""
    server = state.servers[index]
    variant = world.variant
    floor = writer.floor if variant.retakes_with_first_floor else max(writer.floor, writer.durable)
    if writer.edge == CONTROL:
        floor = 0  # it promised nobody anything
    first = (writer.attempt, writer.take) == (1, 1) and floor == 0
    # Who wrote the log that is gone goes on above its own numbers, unless the run was given to somebody else.
    own = writer.take > 1 and writer.head < 0
    may = (first or own) and _may_open(world, state, writer)
    opens = writer.opens >= 0 and (may or writer.edge == CONTROL or (variant.retake_opens and floor == 0))
    claim = claim_of(writer)
    answer, after = log.takeover(world.lineage, variant, server, claim, floor, opens)
    world.calls.append(Call("takeover", claim, answer, after, floor=floor, opens=opens))
    label = ("writer {} takes over at server {} as {} with floor {}: {}", slot, index, tuple(claim), floor, answer)
    if answer == log.REFUSED:
        assert server.fence is not None
        return label, refused(world, state, slot, writer, server.fence)
    if answer == log.OK and world.node(after.tip).reach < floor and not variant.forgets_absent_rungs:
        # A rung that had begun is not there at all: the writer has to see that, the log cannot.
        answer = log.STALE
        state = state._replace(servers=put(state.servers, index, after))
    if answer in (log.EMPTY, log.STALE):
        if server.role != PRIMARY:
            return label, state  # it looks for the primary
        if answer == log.EMPTY and not variant.retake_opens:
            return label, stopped(state, slot, writer, status=ASKING, seen=writer.session, durable=0, resigned=True)
        # Nothing else can be had: the edge goes on without what was promised, and marks a gap.
        return label, stopped(state, slot, writer, durable=0, resigned=True)
    state = state._replace(servers=put(state.servers, index, after))
    if answer == log.ENDED:
        if variant.ended_believed or variant.end_unconfirmed:
            return label, over(state, slot, writer)
        ended = writer._replace(server=index, phase=CONFIRM, tip=after.tip)
        return label, state._replace(writers=put(state.writers, slot, ended))
    state = shown(world, state, server, index)
    taken = writer._replace(server=index, phase=TOOK, tip=after.tip, firm=False)
    if server.fence is None and writer.take > 1 and writer.edge != CONTROL and not variant.retake_opens:
        taken = _anew(world, taken)._replace(opens=state.now, durable=0)
    else:
        taken = _kept(world, taken)
        _resumes(world, state, taken)
    return label, world.check_main(state._replace(writers=put(state.writers, slot, taken)))


def refused(world: World, state: State, slot: int, writer: Writer, fence: Fence) -> State:
    """By a takeover: its edge or control has to do something, whatever the fence is."""
    if world.variant.retries_refusals and fence[:2] < (writer.session, writer.attempt):
        return again(state, slot, writer)
    if writer.edge == CONTROL:
        # A number above ours: the database is older than the log.
        number = max(state.control.number, fence.session)
        return stopped(state._replace(control=state.control._replace(number=number)), slot, writer)
    if fence.session == writer.session and fence.session_id == writer.edge:
        return stopped(state, slot, writer)
    if world.variant.edge_raises_attempt:
        return stopped(state, slot, writer, attempt=max(writer.attempt, fence.attempt))
    return stopped(state, slot, writer, status=ASKING, seen=fence.session)


def _may_open(world: World, state: State, writer: Writer) -> bool:
    """Whether control's row of the run names this session."""
    row = state.control
    named = writer.edge == CONTROL or (row.active, row.number) == (writer.edge, writer.session)
    return named or world.variant.anybody_opens


def _kept(world: World, writer: Writer) -> Writer:
    """With the encoders that it may keep: all or none."""
    if writer.edge == CONTROL:
        return writer
    node = world.node(writer.tip)
    rungs = node.rungs
    for rung, take in enumerate(writer.encoders):
        start, made = writer.starts[rung], writer.made[rung]
        position = rungs[rung]
        if not take or start is None:
            # Nothing was made here yet.
            continue
        low = max(start.at, made - world.bounds.memory)
        if position is None and (start.part or (any(rungs) and first_place(node, 0) != start)):
            break  # what came before its start is missing
        there = position.next if position else start
        own = position is None or position.encoder == encoder_of(writer, rung) or there == start
        if not (own or world.variant.no_encoder_check):
            break
        if not (low <= there.at <= made or world.variant.keeps_encoders_blindly):
            break
    else:
        return writer
    return _anew(world, writer)


def _anew(world: World, writer: Writer) -> Writer:
    """With no encoders: new ones come with the next parts."""
    count = world.bounds.rungs
    return writer._replace(encoders=(0,) * count, starts=(None,) * count, made=(0,) * count)


def _resumes(world: World, state: State, writer: Writer) -> None:
    """Raises Violation where a session's own media is missing that it threw away."""
    if writer.edge == CONTROL or writer.head >= 0:
        return
    edge = state.edges[writer.edge]
    if edge.resigned:
        return
    reach = world.node(writer.tip).reach
    if edge.since <= reach and keyframe_or(edge.since, reach) < edge.trim:
        raise Violation(f"a log is taken over that goes on at {reach}, and the edge has nothing before {edge.trim}")


def firmly(world: World, state: State, node: int) -> State:
    """Published as what stays. Raises Violation where something else was."""
    if world.lineage.holds(node, state.shown):
        return state._replace(shown=node)
    if not world.lineage.holds(state.shown, node):
        raise Violation("a position was published twice, after it was to stay")
    return state


def shown(world: World, state: State, before: Server, index: int) -> State:
    """What readers see anew at this server: pushed to origins, and counted."""
    server = state.servers[index]
    if server.pub <= before.pub:
        return state
    old, new = world.published(before), world.published(server)
    if world.variant.takeover_publishes and before.fence != server.fence:
        state = firmly(world, state, new)
    if server.role == PRIMARY and "the log is emptied" in world.bounds.faults:
        top = state.top
        for entry in world.lineage.between(old, new):
            if entry.kind != END:
                if entry.place.msn <= state.used:
                    raise Violation(f"a position was used before the log was lost: {entry.place}")
                top = max(top, entry.place.msn)
        state = state._replace(top=top)
    for number, origin in enumerate(state.origins):
        if origin.server != index:
            continue
        if origin.deaf:
            origin = origin._replace(deaf=False)
        elif origin.tip == old or not world.variant.follows_by_push_alone:
            origin = origin._replace(tip=new)
        state = state._replace(origins=put(state.origins, number, origin))
    return state


def encoder_of(writer: Writer, rung: int) -> EncoderId:
    """The id of the encoder that it has for a rung."""
    return (writer.session, writer.attempt, writer.edge + 1, writer.encoders[rung])


def over(state: State, slot: int, writer: Writer) -> State:
    """The run has ended, and everybody knows."""
    state = state._replace(control=state.control._replace(ended=True, active=-1))
    return stopped(state, slot, writer, status=GONE)
