"""What a transcoder tells of taking runs: in vain, again, and with workers that die."""

import asyncio

import pytest

from headrace.core.broadcast import Plan, Refused, RunId, RunStart
from headrace.livelog.base import Fenced
from headrace.livelog.memory import MemoryLog
from headrace.runtime.telemetry.spans import Span
from headrace.runtime.telemetry.trace_ids import parsed, trace_id_of
from headrace.runtime.telemetry.traces import Tracer
from headrace.transcoder.supervisor import Supervisor
from headrace.transcoder.work import Work
from tests.integration.transcoder.harness import Clip, Recipe, made
from tests.integration.transcoder.test_supervisor import LEAVES_EARLY, RUN, entries, opening, supervising
from tests.support.spans import Memory, ids, recorded

TRACER = Tracer("transcoder")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return made(Recipe(seconds=3), tmp_path_factory.mktemp("media") / "clip.mp4")


@pytest.fixture
def plan(clip: Clip) -> Plan:
    return clip.plan("passthrough")


async def take(supervisor: Supervisor, clip: Clip, plan: Plan, attempt: int = 1, run: RunId = RUN) -> Work:
    """As a call does it."""
    with TRACER.of_run(run, Span.TAKE_RUN, session=1, attempt=attempt):
        return await supervisor.take(opening(clip, plan, run, attempt))


def error(memory: Memory, which: Span) -> object:
    """Why a span failed; None where it did not."""
    return (memory.one(which).attributes or {}).get("error.type")


async def test_the_run_s_first_entry_names_the_span_in_which_it_was_taken(clip: Clip, plan: Plan) -> None:
    log = MemoryLog()
    with recorded() as memory:
        async with supervising(log) as supervisor:
            work = await take(supervisor, clip, plan)
            await work.feed(clip.frames)
            await work.end()
    (start,) = [entry for entry in await entries(log) if isinstance(entry, RunStart)]
    assert parsed(start.traceparent) == ids(memory.one(Span.TAKE_RUN))
    for which in (Span.TAKEOVER, Span.TAKE_WORKER, Span.FIRST_OUTPUT, Span.FIRST_PART):
        parent = memory.one(which).parent
        assert parent is not None
        assert parent.span_id == ids(memory.one(Span.TAKE_RUN))[1], which
        assert error(memory, which) is None
    assert dict(memory.one(Span.TAKE_WORKER).attributes or {})["headrace.worker"] == "new"


async def test_a_run_that_nobody_records_begins_as_it_always_did(clip: Clip, plan: Plan) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor:
        work = await take(supervisor, clip, plan)
        await work.feed(clip.frames)
        await work.end()
    (start,) = [entry for entry in await entries(log) if isinstance(entry, RunStart)]
    assert start == RunStart(plan, start.anchor_ms)


async def test_another_attempt_is_in_the_same_trace_and_told_apart(clip: Clip, plan: Plan) -> None:
    log = MemoryLog()
    with recorded() as memory:
        async with supervising(log) as supervisor:
            first = await take(supervisor, clip, plan)
            await first.feed(clip.frames)
            second = await take(supervisor, clip, plan, attempt=2)
            await second.feed(clip.frames)
            await second.end()
    taken = memory.named(Span.TAKE_RUN)
    assert {ids(span)[0] for span in memory.spans} == {trace_id_of(RUN)}
    assert [dict(span.attributes or {})["headrace.attempt"] for span in taken] == [1, 2]
    assert len(memory.named(Span.TAKEOVER)) == 2


async def test_a_run_that_somebody_else_holds_says_so_where_it_was_asked_for(clip: Clip, plan: Plan) -> None:
    log = MemoryLog()
    async with supervising(log) as supervisor:
        await take(supervisor, clip, plan, attempt=2)
        with recorded() as memory, pytest.raises(Fenced):
            await take(supervisor, clip, plan, attempt=1)
    assert error(memory, Span.TAKE_RUN) == error(memory, Span.TAKEOVER) == "log_fenced"
    assert memory.named(Span.TAKE_WORKER, Span.FIRST_PART) == []


async def test_a_worker_that_dies_before_its_first_part_ends_what_waited_for_it(clip: Clip, plan: Plan) -> None:
    with recorded() as memory:
        async with supervising(MemoryLog(), LEAVES_EARLY) as supervisor:
            work = await take(supervisor, clip, plan)
            with pytest.raises(Refused):
                async with asyncio.timeout(20):
                    await work.end()
    assert error(memory, Span.FIRST_OUTPUT) == error(memory, Span.FIRST_PART) == "worker_lost"
    assert error(memory, Span.TAKE_RUN) is None
