"""Calls are counted by method and status on both sides, and timed, whatever becomes of them."""

import asyncio
from collections.abc import Callable

import grpc
import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import Refused, RunId
from headrace.core.broadcast.refusals import Reason
from headrace.wire import calls, media
from headrace.wire.channel import Channel, Server, open_channel
from headrace.wire.errors import CallLost
from headrace.wire.measuring import MADE_NOW, METHODS, SERVED_NOW
from tests.integration.wire.conftest import Serving
from tests.support.broadcasts import PLAN, SOURCE

RELEASE = "/headrace.wire.v1.Sessions/Release"
OPEN = media.Open(RunId("r"), 3, "sid", 2, 90_000, PLAN, SOURCE, 1_700_000_000_000)


def said(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_wire_{name}", labels) or 0.0


class Watched:
    """What has been counted of one method since this was made."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._before = self._now()

    def ended(self) -> dict[str, float]:
        """How many calls ended, by side and status."""
        return {key: value - self._before[key] for key, value in self._now().items() if value != self._before[key]}

    def _now(self) -> dict[str, float]:
        return {
            f"{side} {status.name}": said(f"{side}_calls_total", method=self._method, status=status.name)
            for side in ("made", "served")
            for status in grpc.StatusCode
        }


@pytest.fixture(autouse=True)
def no_calls() -> None:
    """Other tests of this process drop calls that they never cancel, as the edge always does: those count no more."""
    for gauge in (MADE_NOW, SERVED_NOW):
        for method in METHODS:
            gauge.labels(method).set(0)


async def all_ended(method: str) -> None:
    async with asyncio.timeout(5):
        while said("served_open_calls", method=method) or said("made_open_calls", method=method):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def answering(behave: Callable[[bytes], bytes]) -> Callable[[Server], None]:
    async def handle(request: bytes) -> bytes:
        await asyncio.sleep(0.05)
        return behave(request)

    return lambda server: calls.add_service(server, {RELEASE: calls.unary_handler(handle)})


async def ask(channel: Channel, deadline_s: float = 5.0) -> bytes:
    return await calls.unary_call(channel, RELEASE, b"", deadline_s)


async def test_an_answer_is_counted_and_timed_on_both_sides(serving: Serving) -> None:
    watched = Watched("Sessions/Release")
    before_s = {side: said(f"{side}_call_seconds_sum", method="Sessions/Release") for side in ("made", "served")}
    async with serving(answering(lambda request: request)) as channel:
        await ask(channel)
        await all_ended("Sessions/Release")
    assert watched.ended() == {"made OK": 1, "served OK": 1}
    for side, was_s in before_s.items():
        assert 0.04 < said(f"{side}_call_seconds_sum", method="Sessions/Release") - was_s < 5


async def test_a_refusal_is_counted_by_its_status(serving: Serving) -> None:
    watched = Watched("Sessions/Release")

    def refuse(_: bytes) -> bytes:
        raise Refused(Reason.BUSY, "somebody publishes already")

    async with serving(answering(refuse)) as channel:
        with pytest.raises(CallLost):
            await ask(channel)
        await all_ended("Sessions/Release")
    assert watched.ended() == {"made ALREADY_EXISTS": 1, "served ALREADY_EXISTS": 1}


async def test_a_bug_is_counted_as_one(serving: Serving) -> None:
    watched = Watched("Sessions/Release")
    async with serving(answering(lambda _: b"" + None)) as channel:  # type: ignore[operator]
        with pytest.raises(CallLost):
            await ask(channel)
        await all_ended("Sessions/Release")
    assert watched.ended() == {"made INTERNAL": 1, "served INTERNAL": 1}


async def test_who_takes_too_long_is_seen_by_who_asks(serving: Serving) -> None:
    watched = Watched("Sessions/Release")
    async with serving(answering(lambda request: request)) as channel:
        with pytest.raises(CallLost):
            await ask(channel, 0.01)
        await all_ended("Sessions/Release")
    ended = watched.ended()
    assert ended.pop("made DEADLINE_EXCEEDED") == 1
    # Whether it was cancelled, or had never heard of the call.
    assert ended in ({"served CANCELLED": 1}, {"served OK": 1}, {})


async def test_who_is_not_there_is_counted_by_who_asks(serving: Serving) -> None:
    watched = Watched("Sessions/Release")
    async with open_channel("unix:/nowhere/at/all") as channel:
        with pytest.raises(CallLost):
            await ask(channel)
    assert watched.ended() == {"made UNAVAILABLE": 1}


async def test_a_stream_counts_while_it_lasts_and_by_its_end(serving: Serving) -> None:
    watched = Watched("Ingest/Ingest")

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        while await stream.read() is not None:
            pass

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call, other = media.IngestClient(channel).ingest(), media.IngestClient(channel).ingest()
        for each in (call, other):
            await each.write(OPEN)
            assert await each.read() == media.Accepted(0)
        for side in ("made", "served"):
            assert said(f"{side}_open_calls", method="Ingest/Ingest") == 2
        await call.write(media.End())
        await call.done_writing()
        assert await call.read() is None
        call.cancel()
        other.cancel()
        await all_ended("Ingest/Ingest")
    assert watched.ended() == {"made OK": 1, "served OK": 1, "made CANCELLED": 1, "served CANCELLED": 1}


async def test_a_transcoder_that_fails_is_counted_by_the_error_that_it_sends(serving: Serving) -> None:
    watched = Watched("Ingest/Ingest")

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        raise Refused(Reason.NO_CAPACITY, "full")

    async with serving(lambda server: media.add_ingest(server, handler)) as channel:
        call = media.IngestClient(channel).ingest()
        await call.write(OPEN)
        with pytest.raises(media.IngestLost):
            await call.read()
        call.cancel()
        await all_ended("Ingest/Ingest")
    assert watched.ended() == {"made RESOURCE_EXHAUSTED": 1, "served RESOURCE_EXHAUSTED": 1}


async def test_a_method_that_a_caller_made_up_is_other(serving: Serving) -> None:
    watched = Watched("other")
    async with serving(answering(lambda request: request)) as channel:
        for full in ("/a.peers.Word/Secret", "/headrace.wire.v1.Sessions/Nonsense"):
            method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(full)
            with pytest.raises(grpc.aio.AioRpcError):
                await method(b"")
    assert watched.ended() == {"served UNIMPLEMENTED": 2}


def test_every_method_of_ours_has_a_label() -> None:
    assert {"Sessions/OpenSession", "Sessions/Renew", "Fleet/Report", "Ingest/Ingest", "Health/Watch"} <= set(METHODS)
