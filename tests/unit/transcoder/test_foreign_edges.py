"""A call's lease token is looked at before anything else, and says nothing of who is newest: that is the fence's."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import Claim, Epoch, LeaseFault, LeaseToken, RunId, RunStart
from headrace.livelog.base import Fenced
from headrace.livelog.memory import MemoryLog
from headrace.runtime.config import BadSetting
from headrace.transcoder.grpc_server import Ingest
from headrace.transcoder.service import build
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.writer import Writer
from headrace.wire.lease import LEEWAY_S, LIFE_S, LeaseSigner, LeaseVerifier
from headrace.wire.lease_keys import LeaseKey
from headrace.wire.media import IngestRefused, Open
from tests.support.broadcasts import PLAN, SOURCE

NOW_MS = 1_700_000_000_000
RUN = RunId("run")
KEY = LeaseKey.made()


def dialled(session: int, attempt: int, session_id: str = "sid") -> Open:
    """What the edge says to which control gave this session, and its token."""
    token = LeaseSigner(KEY, lambda: NOW_MS).sign(RUN, session, session_id).token
    return Open(RUN, session, session_id, attempt, 0, PLAN, SOURCE, 0, token=token)


class Log:
    """A transcoder that takes runs over in a log, and starts no worker."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.asked: list[Open] = []

    async def take(self, opened: Open) -> Any:
        self.asked.append(opened)
        claim = Claim(opened.epoch, opened.session_id, writer=secrets.token_hex(8))
        await Writer(self.log, opened.run, claim, RunStart(PLAN, 0)).take(0)
        raise Taken


class Taken(Exception):
    """The log is this call's."""


class Call:
    """Remembers what an edge is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    async def write(self, step: object) -> None:
        self.told.append(step)


async def answer(log: Log, opened: Open, late_s: float = 0) -> str | tuple[str, Epoch | None]:
    """`taken`, or the code and the fence of the refusal."""
    verifier = LeaseVerifier(KEY.public, lambda: NOW_MS + round(late_s * 1000))
    call = Call()
    try:
        await Ingest(cast(Any, log), verifier).serve(opened, cast(Any, call))
    except Taken:
        assert call.told == []
        return "taken"
    (refused,) = call.told
    assert isinstance(refused, IngestRefused)
    assert opened.token is None or opened.token.reveal() not in refused.description
    return refused.code, refused.fence


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("headrace_transcoder_calls_total", {"outcome": outcome}) or 0


def foreign() -> Sequence[tuple[LeaseFault, Open]]:
    own, stranger = dialled(2, 1), LeaseKey.made()
    strange = LeaseSigner(stranger, lambda: NOW_MS).sign(RUN, 2, "sid").token
    assert own.token is not None
    head, claims, _ = own.token.reveal().split(".")
    return [
        (LeaseFault.MISSING, replace(own, token=None)),
        (LeaseFault.UNKNOWN_KEY, replace(own, token=strange)),
        (LeaseFault.INVALID, replace(own, token=LeaseToken(f"{head}.{claims}.{'A' * 86}"))),
        (LeaseFault.INVALID, replace(own, token=LeaseToken("nonsense"))),
        (LeaseFault.FOREIGN, replace(own, run=RunId("another"))),
        (LeaseFault.FOREIGN, replace(own, session=3)),
        (LeaseFault.FOREIGN, replace(own, session=1)),
        (LeaseFault.FOREIGN, replace(own, session_id="another")),
    ]


@pytest.mark.parametrize(("fault", "opened"), foreign())
async def test_a_foreign_edge_is_refused_before_anybody_is_asked_and_is_counted(
    fault: LeaseFault, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    log, before = Log(), counted(fault.value)
    assert await answer(log, opened) == (fault.value, None)
    assert log.asked == []
    assert counted(fault.value) == before + 1
    if opened.token is not None:
        assert opened.token.reveal() not in caplog.text


async def test_what_control_signed_is_taken() -> None:
    assert await answer(Log(), dialled(1, 1)) == "taken"


async def test_an_old_token_that_is_signed_gets_to_the_fence_and_is_refused_there() -> None:
    log = Log()
    assert await answer(log, dialled(2, 3, "newer")) == "taken"
    fence = Epoch(2, 3)
    for stale in (dialled(1, 1), dialled(1, 9), dialled(2, 2, "newer"), dialled(2, 9, "of an equal session")):
        assert await answer(log, stale) == (Fenced.code, fence)
    assert len(log.asked) == 5, "each of them was the log's to refuse"
    assert await answer(log, dialled(2, 4, "newer")) == "taken"
    assert await answer(log, dialled(3, 1, "newest")) == "taken"


async def test_control_may_be_away_for_days_while_an_edge_dials_standbys() -> None:
    log, days_s = Log(), 3 * 86_400
    assert await answer(log, dialled(1, 1)) == "taken"
    for attempt in (2, 3, 4):
        assert await answer(log, dialled(1, attempt), late_s=days_s) == "taken"


async def test_a_session_that_never_dialled_does_not_start_after_its_lease() -> None:
    log, late_s = Log(), LIFE_S + LEEWAY_S + 1
    assert await answer(log, dialled(1, 1), late_s) == (LeaseFault.EXPIRED.value, None)
    assert log.asked == []
    assert await answer(log, dialled(1, 1), LIFE_S) == "taken"


def test_a_transcoder_with_a_file_that_is_no_key_does_not_start() -> None:
    with pytest.raises(BadSetting, match="nowhere"):
        build(TranscoderSettings(transcoder_target="unix:/x", lease_public_keys="/nowhere"), log=MemoryLog())
