"""Sessions and Fleet over a real socket: answers, refusals, and a control that is not there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headrace.core.broadcast import Profile, Refused, RunId, Source, StreamId, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.wire import control
from headrace.wire.channel import listen, make_server
from headrace.wire.errors import CallLost, CannotListen
from headrace.wire.replicas import Replicas
from headrace.wire.trust import PLAINTEXT
from tests.integration.wire.conftest import Serving
from tests.support.broadcasts import PLAN, SOURCE

OPENED = control.OpenedSession(StreamId("s"), RunId("r"), 4, "sid", Profile(source=True))
ALLOCATED = control.Allocated(PLAN, ("unix:/run/a.sock", "10.0.0.1:7000"))
REPORT = control.PodReport("pod-0", "unix:/t.sock", "0.1.0", True, 10**9, 5, (RunId("r"),))


@dataclass
class Control:
    """A control that answers as told and remembers what it heard."""

    refusal: Exception | None = None
    allocated: control.Allocated = ALLOCATED
    heard: list[object] = field(default_factory=list)

    async def open_session(
        self, app: str, key: StreamKey, edge: str, peer: str, session_id: str
    ) -> control.OpenedSession:
        self.heard.append((app, key, edge, peer, session_id))
        if self.refusal is not None:
            raise self.refusal
        return OPENED

    async def renew(self, edge: str, sessions: Sequence[control.HeldSession]) -> Sequence[control.Verdict]:
        return [control.Verdict(one.session_id, held=True) for one in sessions]

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> control.Allocated:
        self.heard.append((session_id, source))
        return self.allocated

    async def release(self, session_id: str, reason: control.ReleaseReason, *, flushed: bool) -> None:
        self.heard.append((session_id, reason, flushed))


async def test_every_question_and_answer_arrives_as_it_was_meant(serving: Serving, replicas: Replicas) -> None:
    handler = Control()
    async with serving(lambda server: control.add_sessions(server, handler)):
        client = control.SessionsClient(replicas)
        assert await client.open_session("live", StreamKey("k"), "edge-0", "192.0.2.1:5", "sid") == OPENED
        assert await client.allocate("sid", SOURCE, 0) == ALLOCATED
        for reason in control.ReleaseReason:
            await client.release("sid", reason, flushed=reason is control.ReleaseReason.LOST)
    assert handler.heard == [
        ("live", StreamKey("k"), "edge-0", "192.0.2.1:5", "sid"),
        ("sid", SOURCE),
        ("sid", control.ReleaseReason.ENDED, False),
        ("sid", control.ReleaseReason.LOST, True),
        ("sid", control.ReleaseReason.FAILED, False),
    ]


@pytest.mark.parametrize("reason", Reason)
async def test_a_refusal_arrives_with_its_reason_and_its_words(
    serving: Serving, replicas: Replicas, reason: Reason
) -> None:
    handler = Control(Refused(reason, "because – of this"))
    async with serving(lambda server: control.add_sessions(server, handler)):
        with pytest.raises(Refused, match=r"^because – of this$") as refused:
            await control.SessionsClient(replicas).open_session("live", StreamKey("k"), "e", "p", "sid")
    assert refused.value.reason is reason


async def test_a_bug_in_control_is_unavailable_to_the_encoder(serving: Serving, replicas: Replicas) -> None:
    handler = Control(KeyError("a secret"))
    async with serving(lambda server: control.add_sessions(server, handler)):
        with pytest.raises(Refused) as refused:
            await control.SessionsClient(replicas).open_session("live", StreamKey("k"), "e", "p", "sid")
    assert refused.value.reason is Reason.UNAVAILABLE
    assert "secret" not in refused.value.description


async def test_an_answer_that_makes_no_sense_is_unavailable(serving: Serving, replicas: Replicas) -> None:
    handler = Control(allocated=control.Allocated(PLAN, ()))
    async with serving(lambda server: control.add_sessions(server, handler)):
        with pytest.raises(Refused) as refused:
            await control.SessionsClient(replicas).allocate("sid", SOURCE, 0)
    assert refused.value.reason is Reason.UNAVAILABLE


async def test_a_control_that_is_not_there_is_waited_for_then_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "RELEASE_DEADLINE_S", 0.3)
    async with Replicas(f"unix:{tmp_path / 'nobody.sock'}") as replicas:
        client = control.SessionsClient(replicas)
        with pytest.raises(Refused) as refused:
            await client.release("sid", control.ReleaseReason.ENDED, flushed=True)
        assert refused.value.reason is Reason.UNAVAILABLE
        monkeypatch.setattr(control, "RELEASE_DEADLINE_S", 10.0)
        handler = Control()
        server = make_server()
        control.add_sessions(server, handler)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(client.release("sid", control.ReleaseReason.ENDED, flushed=True))
            await asyncio.sleep(0.1)
            listen(server, f"unix:{tmp_path / 'nobody.sock'}")
            await server.start()
            await asking
        await server.stop(0)
    assert handler.heard == [("sid", control.ReleaseReason.ENDED, True)]


async def test_reports_arrive_in_order_and_end_when_the_pod_says_so(serving: Serving) -> None:
    heard: list[object] = []

    async def handler(reports: AsyncIterator[control.PodReport]) -> None:
        async for report in reports:
            heard.append(report)
        heard.append("end")

    async def reports() -> AsyncIterator[control.PodReport]:
        for _ in range(3):
            yield REPORT

    async with serving(lambda server: control.add_fleet(server, handler)) as channel:
        await control.FleetClient(channel).report(reports())
    assert heard == [REPORT, REPORT, REPORT, "end"]


async def test_a_pod_that_is_lost_ends_its_reports(serving: Serving) -> None:
    heard = asyncio.Event()
    over = asyncio.Event()

    async def handler(reports: AsyncIterator[control.PodReport]) -> None:
        try:
            async for _ in reports:
                heard.set()
        finally:
            over.set()

    async def reports() -> AsyncIterator[control.PodReport]:
        yield REPORT
        await asyncio.get_running_loop().create_future()

    async with serving(lambda server: control.add_fleet(server, handler)) as channel:
        async with asyncio.TaskGroup() as group:
            reporting = group.create_task(control.FleetClient(channel).report(reports()))
            await heard.wait()
            reporting.cancel()
        async with asyncio.timeout(5):
            await over.wait()


async def test_a_report_ends_when_control_does(serving: Serving) -> None:
    async def handler(reports: AsyncIterator[control.PodReport]) -> None:
        async for _ in reports:
            raise KeyError

    async def reports() -> AsyncIterator[control.PodReport]:
        while True:
            yield REPORT
            await asyncio.sleep(0.01)

    async with serving(lambda server: control.add_fleet(server, handler)) as channel:
        with pytest.raises(CallLost):
            async with asyncio.timeout(5):
                await control.FleetClient(channel).report(reports())


async def test_an_address_in_use_is_one_sentence() -> None:
    server = make_server()
    other = make_server()
    target = listen(server, "127.0.0.1:0", trust=PLAINTEXT)
    assert not target.endswith(":0")
    await server.start()
    with pytest.raises(CannotListen, match=f"cannot listen for gRPC on {target}"):
        listen(other, target, trust=PLAINTEXT)
    await server.stop(0)
    await other.stop(0)
