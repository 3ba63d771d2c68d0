"""What a call is a part of goes with it, over a real socket."""

import asyncio

from grpc.aio import Metadata, UnaryUnaryMultiCallable

from headrace.core.broadcast import RunId
from headrace.runtime.telemetry import traces
from headrace.runtime.telemetry.traces import Span, Tracer
from headrace.wire import calls, media
from headrace.wire.channel import Channel
from tests.integration.wire.conftest import Serving
from tests.support.broadcasts import PLAN, SOURCE
from tests.support.spans import ids, recorded

RUN = RunId("r")
OPEN = media.Open(RUN, 3, "sid", 2, 90_000, PLAN, SOURCE, 1_700_000_000_000)
EDGE, OTHER = Tracer("edge"), Tracer("transcoder")


async def one_call(channel: Channel) -> None:
    call = media.IngestClient(channel).ingest()
    await call.write(OPEN)
    assert await call.read() == media.Accepted(0)
    await call.write(media.End())
    await call.done_writing()
    assert await call.read() is None


async def ingest(_: media.Open, stream: media.IngestStream) -> None:
    with OTHER.of_run(RUN, Span.TAKE_RUN):
        await stream.write(media.Accepted(0))
    while await stream.read() is not None:
        pass


async def test_who_answers_a_call_does_it_for_the_caller_s_span(serving: Serving) -> None:
    with recorded() as memory:
        async with serving(lambda server: media.add_ingest(server, ingest)) as channel:
            with EDGE.of_run(RUN, Span.INGEST):
                await one_call(channel)
            await one_call(channel)
    theirs, nobodys = memory.named(Span.TAKE_RUN)
    assert theirs.parent is not None
    assert theirs.parent.span_id == ids(memory.one(Span.INGEST))[1]
    assert nobodys.parent is None


async def test_a_question_carries_it_too_and_one_answer_never_has_the_parent_of_another(serving: Serving) -> None:
    async def answer(data: bytes) -> bytes:
        await asyncio.sleep(0.01)
        with OTHER.answer(Span.CONTROL_ALLOCATE):
            return traces.here().encode()

    async def ask(channel: Channel, span: Span) -> tuple[str, str]:
        with EDGE.of_run(RUN, span):
            return traces.here(), (await calls.unary_call(channel, "/s/m", b"", 5)).decode()

    with recorded() as memory:
        async with serving(lambda server: calls.add_service(server, {"/s/m": calls.unary_handler(answer)})) as channel:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(ask(channel, Span.ALLOCATE)) for _ in range(20)]
            assert await calls.unary_call(channel, "/s/m", b"", 5) == b""
    parents = {span.parent.span_id for span in memory.named(Span.CONTROL_ALLOCATE) if span.parent is not None}
    assert parents == {ids(span)[1] for span in memory.named(Span.ALLOCATE)}
    assert len(parents) == len({task.result()[1] for task in tasks}) == 20


async def test_metadata_that_names_nothing_is_a_call_without_a_parent(serving: Serving) -> None:
    async def answer(data: bytes) -> bytes:
        with OTHER.of_run(RUN, Span.CONTROL_ALLOCATE):
            return b"well"

    with recorded() as memory:
        async with serving(lambda server: calls.add_service(server, {"/s/m": calls.unary_handler(answer)})) as channel:
            for said in ("", "00-", "x" * 4000, "00-" + 32 * "0" + "-" + 16 * "0" + "-01"):
                method: UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/s/m")
                assert await method(b"", metadata=Metadata(("traceparent", said)), timeout=5) == b"well"
    assert [span.parent for span in memory.spans] == [None] * 4
