"""Several replicas of control: each hears every pod, and any of them answers, whatever becomes of the others."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import Profile, Refused, RunId, Source, StreamId, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.wire import replicas as replicas_module
from headrace.wire import reporting as reporting_module
from headrace.wire.channel import listen, make_server
from headrace.wire.control import (
    Allocated,
    HeldSession,
    OpenedSession,
    PodKind,
    PodReport,
    ReleaseReason,
    SessionsClient,
    Verdict,
    add_fleet,
    add_sessions,
)
from headrace.wire.errors import BadTarget
from headrace.wire.replicas import Replicas
from headrace.wire.reporting import Reporting
from headrace.wire.trust import PLAINTEXT
from tests.support.frozen import Freezer

WITHIN_S = 10.0
FOUND_OUT_S = 5.0  # a peer that has gone silent: a ping and its timeout, with room for a busy machine


@dataclass
class Control:
    """One replica; `refusal` is its answer to publishes, `thinking` what it waits for before it has one."""

    name: str
    refusal: Refused | None = None
    thinking: Callable[[], Awaitable[object]] | None = None
    asked: list[str] = field(default_factory=list)
    reports: list[PodReport] = field(default_factory=list)

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        self.asked.append(session_id)
        if self.thinking is not None:
            await self.thinking()
        if self.refusal is not None:
            raise self.refusal
        return OpenedSession(StreamId(self.name), RunId("r"), 1, session_id, Profile(source=True))

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        raise NotImplementedError

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        raise NotImplementedError

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        raise NotImplementedError

    async def fleet(self, reports: AsyncIterator[PodReport]) -> None:
        async for report in reports:
            self.reports.append(report)

    @asynccontextmanager
    async def at(self, target: str) -> AsyncIterator[str]:
        """Serve there; the end of the block is a killed process: no goodbye to anybody."""
        server = make_server()
        add_sessions(server, self)
        add_fleet(server, self.fleet)
        target = listen(server, target, trust=PLAINTEXT)
        await server.start()
        try:
            yield target
        finally:
            await server.stop(0)


async def ask(replicas: Replicas, session_id: str = "sid") -> OpenedSession:
    return await SessionsClient(replicas).open_session("live", StreamKey("k"), "edge-0", "192.0.2.1:5", session_id)


async def until(true: Callable[[], object], within_s: float = WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another task's lists
            await asyncio.sleep(0.01)


@asynccontextmanager
async def following(targets: str) -> AsyncIterator[Replicas]:
    async with Replicas(targets, trust=PLAINTEXT) as replicas, asyncio.TaskGroup() as group:
        task = group.create_task(replicas.run())
        yield replicas
        task.cancel()


@asynccontextmanager
async def reporting(targets: str) -> AsyncIterator[Reporting]:
    """A pod that says how often it has spoken."""
    said = 0

    def report() -> PodReport:
        nonlocal said
        said += 1
        return PodReport("edge-0", "", "1", True, 0, said, (), PodKind.EDGE)

    async with following(targets) as replicas, asyncio.TaskGroup() as group:
        reports = Reporting(replicas, report)
        task = group.create_task(reports.run())
        yield reports
        task.cancel()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting_module, "PERIOD_S", 0.05)
    monkeypatch.setattr(replicas_module, "RESOLVE_EVERY_S", 0.05)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str | Exception]:
    """What a name resolves to, for the test to change."""
    addresses: list[str | Exception] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        for error in addresses:
            if isinstance(error, Exception):
                raise error
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (str(address), port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lambda _, *given, **named: getaddrinfo(*given, **named))
    return addresses


@pytest.mark.usefixtures("quickly")
async def test_every_replica_hears_every_report(tmp_path: Path) -> None:
    a, b = Control("a"), Control("b")
    async with a.at(f"unix:{tmp_path}/a") as at_a, b.at(f"unix:{tmp_path}/b") as at_b, reporting(f"{at_a}, {at_b}"):
        await until(lambda: len(a.reports) > 5 and len(b.reports) > 5)


@pytest.mark.usefixtures("quickly")
async def test_a_replica_that_comes_later_or_again_is_told_then(tmp_path: Path) -> None:
    a, b = Control("a"), Control("b")
    async with a.at(f"unix:{tmp_path}/a") as at_a, reporting(f"{at_a},unix:{tmp_path}/b"):
        await until(lambda: len(a.reports) > 5)
        for _ in range(2):
            b.reports.clear()
            async with b.at(f"unix:{tmp_path}/b"):
                await until(lambda: len(b.reports) > 5)
        a.reports.clear()
        await until(lambda: len(a.reports) > 5)


@pytest.mark.usefixtures("quickly")
async def test_a_replica_that_hangs_holds_no_other_back_and_hears_again_when_it_goes_on(tmp_path: Path) -> None:
    hung, other, freezer = Control("hung"), Control("other"), Freezer()
    async with (
        hung.at(f"unix:{tmp_path}/far"),
        freezer.between(tmp_path / "near", tmp_path / "far"),
        other.at(f"unix:{tmp_path}/other") as at_other,
        reporting(f"unix:{tmp_path}/near,{at_other}"),
    ):
        await until(lambda: hung.reports and other.reports)
        freezer.freeze()
        for _ in range(10):  # seconds: long enough for it to be found out, and dialled again in vain
            other.reports.clear()
            await until(lambda: len(other.reports) > 5, 2.0)
            await asyncio.sleep(0.5)
        hung.reports.clear()
        freezer.thaw()
        last = other.reports[-1].used
        await until(lambda: hung.reports and hung.reports[-1].used > last)


@pytest.mark.usefixtures("quickly")
async def test_nobody_has_heard_a_pod_before_control_is_there(tmp_path: Path) -> None:
    async with reporting(f"unix:{tmp_path}/a") as reports:
        await asyncio.sleep(0.5)
        assert not reports.heard
        async with Control("a").at(f"unix:{tmp_path}/a"):
            await until(lambda: reports.heard)
        await asyncio.sleep(0.5)
        assert reports.heard  # by one that has gone since


@pytest.mark.usefixtures("quickly")
async def test_a_name_stands_for_all_its_addresses_as_they_come_and_go(names: list[str | Exception]) -> None:
    controls = {f"127.0.0.{i}": Control(str(i)) for i in (1, 2, 3)}
    names[:] = ["127.0.0.1", "127.0.0.2"]
    async with controls["127.0.0.1"].at("127.0.0.1:0") as target:
        port = target.rpartition(":")[2]
        async with (
            controls["127.0.0.2"].at(f"127.0.0.2:{port}"),
            controls["127.0.0.3"].at(f"127.0.0.3:{port}"),
            reporting(f"control.example:{port}"),
        ):
            await until(lambda: all(controls[str(a)].reports for a in names))
            assert not controls["127.0.0.3"].reports
            names[:] = ["127.0.0.2", "127.0.0.3"]
            await until(lambda: controls["127.0.0.3"].reports)
            failed = REGISTRY.get_sample_value("headrace_wire_failed_lookups_total") or 0.0
            names[:] = [OSError("no answer")]
            for control in controls.values():
                control.reports.clear()
            await until(lambda: controls["127.0.0.2"].reports and controls["127.0.0.3"].reports)
            assert (REGISTRY.get_sample_value("headrace_wire_failed_lookups_total") or 0.0) > failed


@pytest.mark.usefixtures("quickly")
async def test_an_address_that_a_name_has_lost_is_given_up_once_it_is_gone(names: list[str | Exception]) -> None:
    names[:] = ["127.0.0.1"]
    control = Control("a")
    async with following("control.example:1"):
        pass
    async with control.at("127.0.0.1:0") as target:
        port = target.rpartition(":")[2]
        async with following(f"control.example:{port}") as replicas:
            await until(lambda: replicas.known)
            (gone,) = replicas.known
            assert (await ask(replicas)).stream == "a"
            names[:] = ["127.0.0.2"]
            await until(lambda: [one.target for one in replicas.known] == [f"ipv4:127.0.0.2:{port}"])
            assert gone.retired
            await until(lambda: not gone.lines.open)


async def test_while_one_replica_lives_a_question_is_answered(tmp_path: Path) -> None:
    a, b = Control("a"), Control("b")
    async with Replicas(f"unix:{tmp_path}/a,unix:{tmp_path}/b") as replicas:
        for control in (a, b, a):
            async with control.at(f"unix:{tmp_path}/{control.name}"):
                for _ in range(5):
                    assert (await ask(replicas)).stream == control.name


async def test_a_replica_killed_over_a_question_leaves_it_to_another_under_the_same_name(tmp_path: Path) -> None:
    started, never = asyncio.Event(), asyncio.Event()

    async def think() -> None:
        started.set()
        await never.wait()

    dying, other = Control("dying", thinking=think), Control("other")
    async with other.at(f"unix:{tmp_path}/b") as at_b, Replicas(f"unix:{tmp_path}/a,{at_b}") as replicas:
        prefer(replicas, f"unix:{tmp_path}/a")
        async with asyncio.TaskGroup() as group:
            async with dying.at(f"unix:{tmp_path}/a"):
                asking = group.create_task(ask(replicas, "mine"))
                await started.wait()
            begun = time.monotonic()
            assert (await asking).stream == "other"
        assert time.monotonic() - begun < 2
    assert dying.asked == other.asked == ["mine"]


async def test_a_replica_that_is_stopped_costs_a_question_some_seconds_and_the_next_one_nothing(tmp_path: Path) -> None:
    stopped, other, freezer = Control("stopped"), Control("other"), Freezer()
    async with (
        stopped.at(f"unix:{tmp_path}/far"),
        freezer.between(tmp_path / "near", tmp_path / "far"),
        other.at(f"unix:{tmp_path}/other") as at_other,
        Replicas(f"unix:{tmp_path}/near,{at_other}") as replicas,
    ):
        prefer(replicas, f"unix:{tmp_path}/near")
        assert (await ask(replicas)).stream == "stopped"
        freezer.freeze()
        begun = time.monotonic()
        assert (await ask(replicas)).stream == "other"
        assert time.monotonic() - begun < FOUND_OUT_S
        begun = time.monotonic()
        assert (await ask(replicas)).stream == "other"
        assert time.monotonic() - begun < 0.5


async def test_a_replica_that_was_stopped_before_anybody_called_is_passed_by(tmp_path: Path) -> None:
    other, freezer = Control("other"), Freezer()
    freezer.freeze()
    async with (
        freezer.between(tmp_path / "near", tmp_path / "far"),
        other.at(f"unix:{tmp_path}/other") as at_other,
        Replicas(f"unix:{tmp_path}/near,{at_other}") as replicas,
    ):
        prefer(replicas, f"unix:{tmp_path}/near")
        begun = time.monotonic()
        assert (await ask(replicas)).stream == "other"
        assert time.monotonic() - begun < FOUND_OUT_S


async def test_a_replica_that_thinks_for_ever_leaves_time_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.wire.control.OPEN_DEADLINE_S", 2.0)
    never = asyncio.Event()
    lost, other = Control("lost", thinking=never.wait), Control("other")
    async with lost.at(f"unix:{tmp_path}/a") as a, other.at(f"unix:{tmp_path}/b") as b, Replicas(f"{a},{b}") as both:
        prefer(both, a)
        assert (await ask(both)).stream == "other"


async def test_a_refusal_is_an_answer_and_no_other_replica_is_asked(tmp_path: Path) -> None:
    refusal = Refused(Reason.BUSY, "somebody publishes")
    a, b = Control("a", refusal), Control("b", refusal)
    async with (
        a.at(f"unix:{tmp_path}/a") as at_a,
        b.at(f"unix:{tmp_path}/b") as at_b,
        Replicas(f"{at_a},{at_b}") as replicas,
    ):
        with pytest.raises(Refused, match="somebody publishes"):
            await ask(replicas)
    assert len(a.asked) + len(b.asked) == 1


async def test_a_replica_that_is_at_a_loss_leaves_the_question_to_another(tmp_path: Path) -> None:
    unavailable = Refused(Reason.UNAVAILABLE, "no database")
    a, b = Control("a", unavailable), Control("b")
    async with (
        a.at(f"unix:{tmp_path}/a") as at_a,
        b.at(f"unix:{tmp_path}/b") as at_b,
        Replicas(f"{at_a},{at_b}") as replicas,
    ):
        prefer(replicas, at_a)
        assert (await ask(replicas)).stream == "b"
        b.refusal = unavailable
        begun = time.monotonic()
        with pytest.raises(Refused, match="no database"):
            await ask(replicas)
        assert time.monotonic() - begun < 2  # each is asked once, for they are there and have spoken
        assert len(a.asked) == len(b.asked) == 2


@pytest.mark.parametrize("target", ["", "host", "host:", ":7070", "host:0", "host:x", "host:70000", "a:1,,b:1"])
def test_what_is_no_target_is_said_in_a_sentence(target: str) -> None:
    with pytest.raises(BadTarget, match="host:port or unix:/path"):
        Replicas(target)


@pytest.mark.parametrize(
    ("target", "known"),
    [
        ("127.0.0.1:7070", ["ipv4:127.0.0.1:7070"]),
        ("[::1]:7070", ["ipv6:[::1]:7070"]),
        ("unix:/run/c", ["unix:/run/c"]),
        ("control.example:7070", []),
    ],
)
def test_an_address_is_known_at_once_and_a_name_when_it_is_resolved(target: str, known: list[str]) -> None:
    assert [one.target for one in Replicas(target).known] == known


def prefer(replicas: Replicas, target: str) -> None:
    """Have `target` asked first."""
    for one in replicas.known:
        if one.target != target:
            replicas.avoid(one)
