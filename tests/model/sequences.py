"""Operations on one log with the answers that the model gives, and how they are put to a real log.

Law: `polite` are those of the model's own writers; `rude` are whatever somebody might ask, mostly near what is right.
"""

import random
from dataclasses import dataclass

from headrace.core.broadcast import Claim, End, Epoch, Gap, Part, RunId
from headrace.core.broadcast import Entry as RealEntry
from headrace.livelog.base import (
    Append,
    Cursor,
    Fenced,
    LiveLog,
    NoRun,
    OutOfStep,
    RunEnded,
    RungPosition,
    StaleLog,
)
from tests.model import log, outside
from tests.model.lineage import END, GAP, NOBODY, PART, SEGMENT, EncoderId, Entry, Lineage, Place, first_place
from tests.model.log import PRIMARY, Call, Fence, Server
from tests.model.search import chosen, steps
from tests.model.variant import DESIGN, Bounds
from tests.model.world import Step, World

TICKS = 30_000  # of a part
FAULTS = (
    *(outside.LOST, outside.CRASH, outside.EDGE_CRASH, outside.EDGE_LINK),
    *(outside.RESTORED, outside.SECOND, outside.FINISH),
)


POLITE = {
    *(("takeover", answer) for answer in (log.OK, log.EMPTY, log.REFUSED, log.ENDED)),
    *(("stage", log.OK), ("stage", log.FENCED), ("publish", log.OK), ("publish", log.FENCED)),
}
RUDE = {
    *(("takeover", answer) for answer in (log.OK, log.EMPTY, log.REFUSED, log.ENDED, log.STALE)),
    *(("stage", answer) for answer in (log.OK, log.HAVE, log.FENCED, log.ENDED, log.CONFLICT, log.BEHIND)),
    *(("stage", log.POSITION), ("stage", log.SPLICE)),
    *(("publish", answer) for answer in (log.OK, log.FENCED, log.BEHIND)),
}


@dataclass
class Calls:
    """Calls, and the lineage in which their nodes are known."""

    calls: list[Call]
    lineage: Lineage


def polite(seed: int, length: int) -> Calls:
    """What the model's writers do in a walk of so many steps in which the server stays."""
    bounds = Bounds(FAULTS, budget=10, length=12, rungs=2, writers=3, batch=True)
    world, chance = World(bounds, DESIGN), random.Random(seed)
    state = world.start()
    calls: list[Call] = []
    for _ in range(length):
        following: list[Step] = []
        made: dict[int, Call] = {}
        world.calls.clear()
        for step in steps(world, state):
            if world.calls:
                made[len(following)] = world.calls.pop()
            following.append(step)
        if not following:
            break
        step = chosen(chance, state, following)
        state = step[1]
        if call := made.get(following.index(step)):
            calls.append(call)
    return Calls(calls, world.lineage)


def rude(seed: int, length: int) -> Calls:
    """So many calls by anybody."""
    chance = random.Random(seed)
    lineage = Lineage(2, obeyed=False)
    server = Server(PRIMARY)
    calls: list[Call] = []
    for _ in range(length):
        kind = chance.choice(("stage", "stage", "stage", "publish", "takeover")) if server.fence else "takeover"
        node = lineage.nodes[server.tip]
        claim = _claim(chance, server.fence, 0.1 if kind != "takeover" else 0.8)
        if kind == "takeover":
            floor = chance.choice((0, 0, node.begun_reach, node.begun_reach + 1))
            opens = chance.random() < 0.7
            answer, server = log.takeover(lineage, DESIGN, server, claim, floor, opens)
            calls.append(Call(kind, claim, answer, server, floor=floor, opens=opens))
        elif kind == "publish":
            n = max(0, node.n + chance.choice((0, 0, 0, -1, -2, 1)))
            answer, server = log.publish(lineage, server, claim, n)
            calls.append(Call(kind, claim, answer, server, n))
        else:
            n = max(1, node.n + chance.choice((1,) * 8 + (0, -1, 2)))
            entry = _entry(chance, lineage, server.tip, n)
            answer, server = log.stage(lineage, DESIGN, server, claim, n, entry)
            calls.append(Call(kind, claim, answer, server, n, entry))
    return Calls(calls, lineage)


def _claim(chance: random.Random, fence: Fence | None, other: float) -> Fence:
    if fence is None:
        return Fence(2, 2, 0, 1)
    if chance.random() >= other:
        return fence
    field = chance.choice(("session", "attempt", "take", "session_id", "writer"))
    if field in ("session_id", "writer"):
        return fence._replace(**{field: 1 - getattr(fence, field)})
    changed = max(1, getattr(fence, field) + chance.choice((1, 1, -1)))
    return fence._replace(**{field: changed})


def _entry(chance: random.Random, lineage: Lineage, tip: int, n: int) -> Entry:
    node = lineage.nodes[tip]
    if n <= node.n and chance.random() < 0.7:
        again = lineage.nodes[lineage.at(tip, n)].entry
        assert again is not None
        return again
    if chance.random() < 0.01:
        return Entry(END, 0, Place(0, 0, 0))
    rung = chance.randrange(2)
    position = node.rungs[rung]
    place = position.next if position else first_place(node, chance.randrange(3))
    if chance.random() < 0.1:
        place = chance.choice(
            (place.after, place._replace(msn=place.msn + 1), Place(place.msn, place.part, place.at + 2))
        )
    last = position.encoder if position else NOBODY
    encoder = last if last != NOBODY and chance.random() < 0.7 else (1, 1, 1, chance.randrange(1, 4))
    if chance.random() < 0.1:
        return Entry(GAP, rung, place, chance.choice((NOBODY, encoder)))
    return Entry(PART, rung, place, encoder, chance.random() < 0.4)


async def replay(real: LiveLog, run: RunId, sequence: Calls) -> set[tuple[str, str]]:
    """Put every call to a real log, and compare answers and what readers see; the kinds of answers that came."""
    ids = {0: ""}
    met = set()
    for at, call in enumerate(sequence.calls):
        answer = await _answer(real, run, sequence.lineage, call, ids)
        assert answer == call.answer, f"call {at}: {call}"
        met.add((call.kind, answer))
        if call.kind == "publish" and at % 7 == 0:
            await _compare(real, run, sequence.lineage, call.server, ids)
    await _compare(real, run, sequence.lineage, sequence.calls[-1].server, ids)
    return met


async def _answer(real: LiveLog, run: RunId, lineage: Lineage, call: Call, ids: dict[int, str]) -> str:
    claim = Claim(
        Epoch(call.claim.session, call.claim.attempt),
        f"s{call.claim.session_id}",
        f"w{call.claim.writer}",
        call.claim.take,
    )
    try:
        if call.kind == "takeover":
            taken = await real.takeover(run, claim, call.floor * TICKS, open_new=call.opens)
            tip = call.server.tip
            assert (taken.n, taken.published, taken.id) == (lineage.nodes[tip].n, call.server.pub, ids[tip])
            assert taken.rungs == _positions(lineage, tip)
        elif call.kind == "stage":
            assert call.entry is not None
            staged = await real.stage(run, claim, call.n, Append(_real(call.entry), _body(call.entry)))
            node = lineage.at(call.server.tip, call.n)
            assert staged.n == call.n
            assert ids.setdefault(node, staged.id) == staged.id
            return log.HAVE if call.answer == log.HAVE else log.OK  # both are the same answer
        else:
            assert await real.wait(run)
            await real.publish(run, claim, call.n)
    except NoRun:
        return log.EMPTY
    except Fenced as fenced:
        if call.server.fence is None or fenced.epoch != Epoch(*call.server.fence[:2]):
            return f"fenced by {fenced.epoch}"
        return log.REFUSED if call.kind == "takeover" else log.FENCED
    except RunEnded:
        return log.ENDED
    except StaleLog:
        return log.STALE
    except OutOfStep as refused:
        return refused.kind.upper()
    return log.OK


async def _compare(real: LiveLog, run: RunId, lineage: Lineage, server: Server, ids: dict[int, str]) -> None:
    if server.fence is None:
        return
    reading = await real.read(run, Cursor(0, ""))
    expected = lineage.between(0, lineage.at(server.tip, server.pub))
    assert [published.entry for published in reading.entries] == [_real(entry) for entry in expected]
    for published in reading.entries:
        assert published.id == ids[lineage.at(server.tip, published.n)]
    for entry in expected[-3:]:
        if entry.kind == PART:
            real_part = _real(entry)
            assert isinstance(real_part, Part)
            name = (real_part.rung, real_part.msn, real_part.part, real_part.encoder)
            assert await real.get(run, *name) == _body(entry)


def _positions(lineage: Lineage, tip: int) -> dict[str, RungPosition]:
    positions = {}
    for rung, position in enumerate(lineage.nodes[tip].rungs):
        if position:
            (msn, part, at), encoder = position
            positions[f"r{rung}"] = RungPosition(
                msn, part, at * TICKS, (at - part) * TICKS, opened=part == 0, encoder=_name(encoder)
            )
    return positions


def _real(entry: Entry) -> RealEntry:
    if entry.kind == END:
        return End(0)
    rung, (msn, part, at) = f"r{entry.rung}", entry.place
    place = (rung, msn, part, at * TICKS, (at + 1) * TICKS, (at - part) * TICKS)
    last = (at + 1) % SEGMENT == 0
    if entry.kind == GAP:
        return Gap(*place, opened=False, segment_end=last, encoder=_name(entry.encoder))
    return Part(
        *place,
        opened=False,
        independent=entry.independent,
        size=len(_body(entry) or b""),
        digest="",
        encoder=_name(entry.encoder),
        segment_end=last,
    )


def _body(entry: Entry) -> bytes | None:
    return f"{entry.rung} {entry.place} {entry.encoder}".encode() if entry.kind == PART else None


def _name(encoder: EncoderId) -> str:
    return "" if encoder == NOBODY else "e" + "-".join(map(str, encoder))
