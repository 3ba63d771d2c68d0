"""What writers do: takeover, wait, publish; then stage, wait, publish; and after the end one wait more.

Law: a writer that the log contradicts takes over again with a higher take, before it does anything else.
Neighbours: `taking` has the takeover.
"""

from tests.model import log
from tests.model.lineage import END, GAP, PART, SEGMENT, Entry, Place, Violation
from tests.model.log import ANSWERING, CUT, PRIMARY, REPLICA, Call, Server
from tests.model.taking import again, claim_of, encoder_of, firmly, over, refused, shown, take_over
from tests.model.world import (
    CONFIRM,
    CONTROL,
    DIAL,
    ENDING,
    PUBLISH,
    READY,
    TOOK,
    WAIT,
    State,
    Step,
    Steps,
    World,
    Writer,
    keyframe_or,
    put,
)


def steps(world: World, state: State) -> Steps:
    """All that writers can do next."""
    for slot, writer in enumerate(state.writers):
        if writer is not None:
            yield from of(world, state, slot, writer)


def of(world: World, state: State, slot: int, writer: Writer) -> Steps:
    """All that this one can do next."""
    try:
        if writer.phase == DIAL:
            for index, server in enumerate(state.servers):
                if server.role in ANSWERING:
                    yield take_over(world, state, slot, writer, index)
        if writer.phase in (TOOK, WAIT):
            yield from _wait(world, state, slot, writer)
        if writer.phase == PUBLISH:
            yield _publish(world, state, slot, writer)
        if writer.phase == READY or (writer.phase == WAIT and world.bounds.batch):
            yield from _stage(world, state, slot, writer)
            if writer.head >= 0:
                yield (
                    ("writer {} leaves: nobody feeds it", slot),
                    state._replace(writers=put(state.writers, slot, None)),
                )
        if writer.phase == CONFIRM:
            yield from _confirm(world, state, slot, writer)
    except Violation as found:
        found.label = ("writer {} goes on from: {}", slot, writer.phase)
        raise


def _wait(world: World, state: State, slot: int, writer: Writer) -> Steps:
    server = state.servers[writer.server]
    replicas = [index for index, other in enumerate(state.servers) if other.role == REPLICA]
    all_linked = replicas and not any(other.role == CUT for other in state.servers)
    if server.role == PRIMARY and all_linked:
        servers = state.servers
        for index in replicas:
            servers = put(servers, index, server._replace(role=REPLICA))
        reached = state._replace(servers=servers, promised=_promised(world, state, writer))
        reach = world.node(writer.tip).reach
        durable = max(writer.durable, reach)
        label = ("writer {} waits: on every replica", slot)
        after = writer._replace(phase=PUBLISH, firm=True, durable=durable)
        yield label, world.check_main(reached._replace(writers=put(state.writers, slot, after)))
    else:
        label = ("writer {} waits in vain, and goes on undurable", slot)
        after = writer._replace(phase=PUBLISH, firm=False)
        yield label, state._replace(writers=put(state.writers, slot, after))


def _promised(world: World, state: State, writer: Writer) -> int:
    if world.lineage.holds(writer.tip, state.promised):
        return writer.tip
    if not world.lineage.holds(state.promised, writer.tip):
        raise Violation("two histories were told durable")
    return state.promised


def _publish(world: World, state: State, slot: int, writer: Writer) -> Step:
    server = state.servers[writer.server]
    claim, n = claim_of(writer), world.node(writer.tip).n
    answer, after = log.publish(world.lineage, server, claim, n)
    world.calls.append(Call("publish", claim, answer, after, n))
    label = ("writer {} publishes {} at server {}: {}", slot, n, writer.server, answer)
    if answer == log.FENCED:
        return label, _fenced(world, state, slot, writer, server)
    if answer == log.BEHIND:
        return label, again(state, slot, writer)
    state = state._replace(servers=put(state.servers, writer.server, after))
    if writer.firm or world.variant.publishes_before_wait:
        state = firmly(world, state, world.lineage.at(after.tip, n))
    state = shown(world, state, server, writer.server)
    node = world.node(writer.tip)
    if world.variant.trims_by_published and writer.head < 0 and writer.edge != CONTROL:
        edge = state.edges[writer.edge]
        trim = max(edge.trim, keyframe_or(edge.since, node.reach))
        state = state._replace(edges=put(state.edges, writer.edge, edge._replace(trim=trim)))
    if world.variant.publishes_before_wait and not writer.firm:
        return label, state._replace(writers=put(state.writers, slot, writer._replace(phase=WAIT)))
    if node.ended:
        if world.variant.end_unconfirmed:
            return label, over(state, slot, writer)
        return label, state._replace(writers=put(state.writers, slot, writer._replace(phase=CONFIRM)))
    return label, state._replace(writers=put(state.writers, slot, writer._replace(phase=READY)))


def _fenced(world: World, state: State, slot: int, writer: Writer, server: Server) -> State:
    if server.fence is None or server.fence[:2] < (writer.session, writer.attempt):
        return again(state, slot, writer)  # the log was rolled back
    return refused(world, state, slot, writer, server.fence)


def _stage(world: World, state: State, slot: int, writer: Writer) -> Steps:
    node = world.node(writer.tip)
    if node.ended:
        return
    if writer.edge == CONTROL:
        yield _store(world, state, slot, writer, Entry(END, 0, Place(0, 0, 0)))
        return
    head = head_of(state, writer)
    places = [
        log.position_of(world.lineage, world.variant, writer.tip, rung, _opens(state, writer)).next
        for rung in range(len(node.rungs))
    ]
    places = [
        start if position is None and start is not None else place
        for place, start, position in zip(places, writer.starts, node.rungs, strict=True)
    ]
    least = min(place.at for place in places)
    for rung, place in enumerate(places):
        if place.at >= head or place.at > least + 1:
            continue
        first = state.edges[writer.edge].trim
        take = writer.encoders[rung]
        if not take and writer.head >= 0 and first > place.at:
            continue  # nobody gives it any media
        if not take and place.at < first:
            yield _store(world, state, slot, writer, Entry(GAP, rung, place))
            continue
        if not take:
            writer_then = writer._replace(
                encoders=put(writer.encoders, rung, writer.take),
                starts=put(writer.starts, rung, place),
                made=put(writer.made, rung, place.at),
            )
        else:
            writer_then = writer
        start, made = writer_then.starts[rung], writer_then.made[rung]
        assert start is not None
        at = place.at
        if made < at or at < max(start.at, made - world.bounds.memory):
            # It has gone past what the log wants, and goes on with what it has.
            ahead = place
            while ahead.at < made:
                ahead = ahead.after
            place, at = ahead, ahead.at
            if at >= head:
                continue
        independent = at % SEGMENT == 0 or place == start
        entry = Entry(PART, rung, place, encoder_of(writer_then, rung), independent)
        writer_then = writer_then._replace(made=put(writer_then.made, rung, max(made, at + 1)))
        yield _store(world, state, slot, writer_then, entry)
    edge = state.edges[writer.edge]
    if edge.status == ENDING and writer.head < 0 and least >= state.now:
        yield _store(world, state, slot, writer, Entry(END, 0, Place(0, 0, 0)))


def head_of(state: State, writer: Writer) -> int:
    """Up to where it has media."""
    return state.now if writer.head < 0 else writer.head


def _opens(state: State, writer: Writer) -> int:
    return writer.opens if writer.opens >= 0 else head_of(state, writer)


def _store(world: World, state: State, slot: int, writer: Writer, entry: Entry) -> Step:
    server = state.servers[writer.server]
    claim, n = claim_of(writer), world.node(writer.tip).n + 1
    if world.variant.url_by_epoch and entry.kind == PART:
        # The bytes are set first, whatever the function then says.
        url = (entry.rung, entry.place[:2], entry.encoder[:2])
        for other, body in state.bodies:
            if other == url and body != entry.encoder:
                raise Violation(f"two bodies at one URL: {url}")
        state = state._replace(bodies=state.bodies | {(url, entry.encoder)})
    answer, after = log.stage(world.lineage, world.variant, server, claim, n, entry)
    world.calls.append(Call("stage", claim, answer, after, n, entry))
    label = (
        "writer {} stages {} {} {} of rung {} at server {}: {}",
        slot,
        n,
        entry.kind,
        tuple(entry.place),
        entry.rung,
        writer.server,
        answer,
    )
    if answer == log.FENCED:
        return label, _fenced(world, state, slot, writer, server)
    if answer not in (log.OK, log.HAVE):
        return label, again(state, slot, writer)
    phase = PUBLISH if world.variant.publishes_before_wait else WAIT
    tip = world.lineage.at(after.tip, n)
    writer = writer._replace(phase=phase, tip=tip, firm=False)
    return label, state._replace(
        servers=put(state.servers, writer.server, after), writers=put(state.writers, slot, writer)
    )


def _confirm(world: World, state: State, slot: int, writer: Writer) -> Steps:
    """A wait after the end is published: only then may everybody forget the run."""
    for _, after in _wait(world, state, slot, writer):
        waited = after.writers[slot]
        if waited and waited.firm:
            yield ("writer {} waits after the end: on every replica", slot), over(after, slot, writer)
