"""Every way to open a session gives its edge a lease token, and renewals keep it young: for what the rows say, only."""

from dataclasses import replace

import pytest

from headrace.control.keys import new_session_id
from headrace.core.broadcast import StreamId
from headrace.wire.control import ReleaseReason
from headrace.wire.lease import LIFE_S
from tests.unit.control.signing import Signing
from tests.unit.control.support import Control, Place
from tests.unit.control.test_renewals import forget, on_air
from tests.unit.control.test_renewals import verdict as verdict_of
from tests.unit.control.test_sessions import PEER, publish


async def test_a_first_session_has_a_token_of_its_own(signing: Signing) -> None:
    one, other = [await publish(signing.parts, (await signing.parts.stream(name))[1]) for name in "ab"]
    assert signing.good(one.lease, one)
    assert signing.good(other.lease, other)
    assert not signing.good(one.lease, other)


async def test_who_asks_again_has_one_too(signing: Signing) -> None:
    _, key = await signing.parts.stream()
    name = new_session_id()
    first, again = [await signing.parts.sessions.open_session("live", key, "edge-1", PEER, name) for _ in range(2)]
    assert signing.good(again.lease, first)


async def test_a_session_that_goes_on_with_a_run_has_one_of_its_own_number(signing: Signing) -> None:
    _, key = await signing.parts.stream()
    first, _ = await on_air(signing.parts, key)
    await signing.parts.sessions.release(first.session_id, ReleaseReason.LOST, flushed=True)
    second = await publish(signing.parts, key)
    assert (second.run, second.session > first.session) == (first.run, True)
    assert signing.good(second.lease, second)
    assert not signing.good(first.lease, second)
    assert signing.good(first.lease, first), "that it is stale is the fence's to say"


async def test_a_renewal_brings_a_new_token_once_half_of_its_life_is_over(signing: Signing) -> None:
    opened, held = await on_air(signing.parts, (await signing.parts.stream())[1])
    assert opened.lease is not None
    young = await verdict_of(signing.parts, replace(held, lease_expires_ms=opened.lease.expires_ms))
    assert young.held
    assert young.lease is None
    for expires_ms in (opened.lease.expires_ms - LIFE_S * 1000 // 2 - 1000, 0):
        old = await verdict_of(signing.parts, replace(held, lease_expires_ms=expires_ms))
        assert old.held
        assert signing.good(old.lease, held)


async def test_a_silent_transcoder_is_no_reason_to_let_a_token_grow_old(signing: Signing) -> None:
    _, held = await on_air(signing.parts, (await signing.parts.stream())[1])
    signing.parts.clock.now_s += 3
    told = await verdict_of(signing.parts, held)
    assert told.suspect
    assert signing.good(told.lease, held)


async def test_a_token_is_signed_for_what_the_row_says_and_not_for_what_an_edge_does(signing: Signing) -> None:
    _, held = await on_air(signing.parts, (await signing.parts.stream("mine"))[1])
    _, others = await on_air(signing.parts, (await signing.parts.stream("another's"))[1])
    for lie in ({"run": others.run}, {"session": 99}, {"run": others.run, "session": others.session}):
        told = await verdict_of(signing.parts, replace(held, **lie))
        assert signing.good(told.lease, held)
        assert not signing.good(told.lease, replace(held, **lie))
        assert not signing.good(told.lease, others)


async def test_an_edge_that_makes_a_session_up_gets_no_token_for_the_run_of_another(signing: Signing) -> None:
    _, others = await on_air(signing.parts, (await signing.parts.stream())[1])
    lie = replace(others, session_id=new_session_id(), session=99)
    for _ in range(3):
        signing.parts.edge(others.session_id, pod="another")
        assert (await verdict_of(signing.parts, lie)).lease is None


async def test_a_session_that_is_over_or_unknown_is_given_no_token(signing: Signing, place: Place) -> None:
    opened, held = await on_air(signing.parts, (await signing.parts.stream())[1])
    unknown = replace(held, session_id="nobody's", stream=StreamId("nobody's"))
    assert (await verdict_of(signing.parts, unknown)).lease is None
    forget(place)
    back = await verdict_of(signing.parts, held)
    assert (back.held, back.lease) == (True, None)
    assert signing.good((await verdict_of(signing.parts, held)).lease, held), "it is known again"
    await signing.parts.sessions.release(opened.session_id, ReleaseReason.ENDED, flushed=True)
    assert (await verdict_of(signing.parts, held)).lease is None


async def test_no_line_of_the_log_holds_a_token(signing: Signing, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    opened, held = await on_air(signing.parts, (await signing.parts.stream())[1])
    told = await verdict_of(signing.parts, held)
    for lease in (opened.lease, told.lease):
        assert lease is not None
        assert lease.token.reveal() not in caplog.text
        assert lease.token.reveal() not in "".join(str(record.__dict__) for record in caplog.records)


async def test_without_a_key_there_are_no_tokens(parts: Control) -> None:
    opened, held = await on_air(parts, (await parts.stream())[1])
    assert opened.lease is None
    assert (await verdict_of(parts, held)).lease is None
