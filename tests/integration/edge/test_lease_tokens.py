"""Lease tokens on the edge: shown with every call, renewed, and what happens where a transcoder trusts none of them."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from headrace.core import rtmp
from headrace.core.broadcast import LeaseToken, Refused, SignedLease
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import ReleaseReason, Verdict
from tests.integration.edge.harness import Encoder, Stack, until
from tests.integration.edge.test_leases import NO_MORE, publishing, refused, send

OLD, NEW = (SignedLease(LeaseToken(f"eyJ-{name}-token"), unix_ms() + 10_000) for name in ("old", "new"))


def untrusted() -> float:
    return REGISTRY.get_sample_value("headrace_edge_untrusted_calls_total", {"reason": "lease_unknown_key"}) or 0


async def started(stack: Stack) -> Encoder:
    """An encoder that publishes, whatever becomes of its media."""
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish("a"), rtmp.PublishStarted)
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    await encoder.flush()
    return encoder


async def test_a_call_shows_the_token_that_came_with_the_session(stack: Stack) -> None:
    stack.control.state["lease"] = OLD
    stack.transcoder.trusted = {OLD.token.reveal()}
    await publishing(stack)
    (opened,) = stack.transcoder.opens
    assert opened.token == OLD.token
    await until(lambda: stack.control.renewed)
    assert stack.control.renewed[-1].lease_expires_ms == OLD.expires_ms


async def test_without_tokens_there_is_none_to_show(stack: Stack) -> None:
    await publishing(stack)
    (opened,) = stack.transcoder.opens
    assert opened.token is None
    await until(lambda: stack.control.renewed)
    assert stack.control.renewed[-1].lease_expires_ms == 0


async def test_a_renewed_token_takes_the_place_of_the_old_one(stack: Stack) -> None:
    stack.control.state["lease"] = OLD
    await publishing(stack)
    stack.control.verdicts["a"] = Verdict("", held=True, lease=NEW)
    await until(lambda: stack.control.renewed and stack.control.renewed[-1].lease_expires_ms == NEW.expires_ms)


async def test_a_token_that_is_renewed_before_the_first_dial_is_the_one_that_is_shown(stack: Stack) -> None:
    stack.control.state |= {"lease": OLD, "lease_s": 0.3}
    stack.control.verdicts["a"] = Verdict("", held=True, lease=NEW)
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish("a"), rtmp.PublishStarted)
    await until(lambda: stack.control.renewed and stack.control.renewed[-1].lease_expires_ms == NEW.expires_ms)
    encoder.describe()
    await send(stack, encoder, 0, 30)
    assert [opened.token for opened in stack.transcoder.opens] == [NEW.token]


async def test_an_edge_that_is_not_trusted_asks_control_for_a_new_token_and_dials_once_more(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    stack.control.state |= {"lease": OLD, "lease_s": 60.0}
    stack.control.verdicts["a"] = Verdict("", held=True, lease=NEW)
    stack.transcoder.trusted = {NEW.token.reveal()}
    before = untrusted()
    encoder = await started(stack)
    await until(lambda: len(stack.transcoder.frames.get("a", ())) == 60)
    await send(stack, encoder, 30, 40)
    assert [(opened.token, opened.attempt) for opened in stack.transcoder.opens] == [(OLD.token, 1), (NEW.token, 1)]
    assert [held.lease_expires_ms for held in stack.control.renewed] == [0], "it says that it wants a new one"
    assert untrusted() == before + 1
    assert "a transcoder does not trust this edge's lease token" in caplog.text
    for lease in (OLD, NEW):
        assert lease.token.reveal() not in "".join(f"{record.__dict__}" for record in caplog.records)


@pytest.mark.parametrize("lease", [None, NEW])
async def test_an_edge_that_nobody_trusts_stops_after_one_more_dial_and_does_not_end_the_run(
    stack: Stack, lease: SignedLease | None
) -> None:
    stack.control.state |= {"lease": OLD, "lease_s": 60.0}
    stack.control.verdicts["a"] = Verdict("", held=True, lease=lease)
    stack.transcoder.trusted = set()
    answer = await refused(await started(stack))
    assert answer.code == "NetStream.Failed"
    assert "does not trust" in answer.description
    await until(lambda: stack.control.released)
    assert stack.control.released == [(stack.control.asked[0], ReleaseReason.LOST, True)]
    assert len(stack.transcoder.opens) == (1 if lease is None else 2)
    await asyncio.sleep(0.3)
    assert len(stack.transcoder.opens) <= 2
    assert len(stack.control.renewed) == 1


async def test_a_session_that_is_anothers_by_now_ends_in_controls_words(stack: Stack) -> None:
    stack.control.state |= {"lease": OLD, "lease_s": 60.0}
    stack.control.verdicts["a"] = NO_MORE
    stack.transcoder.trusted = set()
    answer = await refused(await started(stack))
    assert (answer.code, answer.description) == ("NetStream.Publish.BadName", NO_MORE.description)
    assert len(stack.transcoder.opens) == 1
    await asyncio.sleep(0.1)
    assert stack.control.released == []


async def test_an_edge_that_is_not_trusted_while_control_is_away_gives_up_in_time(stack: Stack) -> None:
    stack.control.state |= {"lease": OLD, "lease_s": 60.0}
    stack.transcoder.trusted = set()
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish("a"), rtmp.PublishStarted)

    async def away(*_: object) -> None:
        raise Refused(Reason.UNAVAILABLE, "there is no database")

    stack.control.renew = away  # type: ignore[assignment, method-assign]
    encoder.describe()
    for i in range(30):
        encoder.frame(i)
    answer = await refused(encoder)
    assert "does not trust" in answer.description
    assert len(stack.transcoder.opens) == 1
