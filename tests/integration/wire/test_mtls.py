"""TLS between services over real sockets: each wrong certificate is refused, and new ones are taken under way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from headrace.core.broadcast import Profile, RunId, Source, StreamId, StreamKey
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire import calls, gate, media, metrics
from headrace.wire.channel import MEDIA, Channel, listen, make_server, open_channel
from headrace.wire.control import (
    Allocated,
    FleetClient,
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
from headrace.wire.errors import CallLost
from headrace.wire.gate import CALLERS
from headrace.wire.health import add_health
from headrace.wire.identity import Identity, Role
from headrace.wire.lines import SharedLines
from headrace.wire.reflection import GrpcSettings, add_reflection
from headrace.wire.replicas import Replicas
from headrace.wire.reporting import Reporting
from headrace.wire.trust import PLAINTEXT, Certified, Trust
from headrace.wire.v1 import control_pb2, media_pb2
from tests.integration.wire.test_media import FRAME, KIB, OPEN
from tests.support.identities import Authority, Files, Pair, identity

DEADLINE_S = 15.0
DAY = timedelta(days=1)
SERVICES = {
    "headrace.wire.v1.Sessions": control_pb2.DESCRIPTOR.services_by_name["Sessions"],
    "headrace.wire.v1.Fleet": control_pb2.DESCRIPTOR.services_by_name["Fleet"],
    "headrace.wire.v1.Ingest": media_pb2.DESCRIPTOR.services_by_name["Ingest"],
}
METHODS = [(name, method.name) for name, service in SERVICES.items() for method in service.methods]


class Everything:
    """Sessions, Fleet and Ingest, on one port; `seen` is what came through."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.reports: list[PodReport] = []
        self.peers: set[str] = set()

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        self.seen.append(session_id)
        return OpenedSession(StreamId("s"), RunId("r"), 1, session_id, Profile(source=True))

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        raise NotImplementedError

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        self.seen.append("renew")
        return ()

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        self.seen.append("release")

    async def fleet(self, reports: AsyncIterator[PodReport]) -> None:
        async for report in reports:
            self.reports.append(report)

    async def ingest(self, opened: media.Open, stream: media.IngestStream) -> None:
        self.seen.append("ingest")
        await stream.write(media.Accepted(0))
        if opened.run == "stalled":
            await asyncio.get_running_loop().create_future()
        frames = 0
        while (step := await stream.read()) is not None:
            if isinstance(step, media.Frames):
                frames += len(step.frames)
                await stream.write(media.Progress(frames, 0))

    @asynccontextmanager
    async def served(self, trust: Trust) -> AsyncIterator[str]:
        """Their port; the end of the block is a killed process."""
        server = make_server(trust=trust)
        add_sessions(server, self)
        add_fleet(server, self.fleet)
        media.add_ingest(server, self.ingest)
        target = listen(server, "127.0.0.1:0", trust=trust)
        await server.start()
        try:
            yield target
        finally:
            await server.stop(0)


class House:
    """An authority, and the files of pods."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority()

    def files(self, role: Role, pair: Pair | None = None, *authorities: Authority) -> Files:
        """A new pod's."""
        files = Files(self.folder / f"{role}-{len(list(self.folder.iterdir()))}")
        return files.write(pair or self.authority.sign(identity(role)), *(authorities or (self.authority,)))

    def trust(self, role: Role) -> Certified:
        """What a pod with good files has."""
        return Certified(role, self.files(role).files)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def dialled(target: str, pair: Pair | None, roots: bytes, name: str) -> Channel:
    """A channel as somebody has it who does not use our code. `pair`: None shows no certificate."""
    credentials = grpc.ssl_channel_credentials(roots, pair and pair.key, pair and pair.certificate)
    return grpc.aio.secure_channel(target, credentials, options=(("grpc.ssl_target_name_override", name),))


async def code(channel: Channel, full: str) -> str | None:
    """Why a call with an empty message was refused; None: it was let through to its handler."""

    async def empty() -> AsyncIterator[bytes]:
        yield b""

    # On the wire all kinds of calls are one.
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(full)
    try:
        async for _ in method(empty(), timeout=DEADLINE_S):
            pass
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
            return None  # its handler's answer to nothing
        said = calls.lost(error).code
        return (
            error.code().name
            if said in ("not_allowed", "no_identity") or error.code() is grpc.StatusCode.UNAVAILABLE
            else said
        )
    return None


def control_name() -> str:
    return identity(Role.CONTROL).dns_name


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("service", "method"), METHODS, ids=[method for _, method in METHODS])
async def test_each_method_is_for_its_callers_alone(house: House, role: Role, service: str, method: str) -> None:
    async with (
        Everything().served(house.trust(Role.CONTROL)) as target,
        dialled(target, house.authority.sign(identity(role)), house.authority.pem, control_name()) as channel,
    ):
        wanted = None if role in CALLERS[service] else "PERMISSION_DENIED"
        assert await code(channel, f"/{service}/{method}") == wanted


def test_who_may_call_what_is_the_design() -> None:
    assert {
        service.rpartition(".")[2]: sorted(roles) for service, roles in CALLERS.items() if "headrace" in service
    } == {
        "Sessions": ["edge"],
        "Fleet": ["edge", "origin", "transcoder"],
        "Ingest": ["control", "edge"],
    }
    assert set(SERVICES) == {service for service in CALLERS if "headrace" in service}


async def test_what_is_not_listed_is_nobodys(house: House) -> None:
    async def handle(_: bytes) -> bytes:
        return b"secrets"

    trust = house.trust(Role.CONTROL)
    server = make_server(trust=trust)
    calls.add_service(server, {"/headrace.wire.v1.New/Method": calls.unary_handler(handle)})
    target = listen(server, "127.0.0.1:0", trust=trust)
    await server.start()
    async with open_channel(target, trust=house.trust(Role.EDGE)) as channel:
        assert await code(channel, "/headrace.wire.v1.New/Method") == "PERMISSION_DENIED"
    await server.stop(0)


@pytest.mark.parametrize(
    "method",
    [
        "grpc.health.v1.Health/Check",
        "grpc.health.v1.Health/Watch",
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)
async def test_health_and_reflection_are_for_all_of_ours_and_nobody_else(house: House, method: str) -> None:
    trust = house.trust(Role.CONTROL)
    server = make_server(trust=trust)
    add_health(server, ("s",), lambda: "")
    add_reflection(server, ("s",), GrpcSettings(grpc_reflection=True))
    target = listen(server, "127.0.0.1:0", trust=trust)
    await server.start()
    foreign = house.authority.sign(identity(Role.ORIGIN, namespace="test"))
    async with (
        open_channel(target, trust=house.trust(Role.ORIGIN)) as channel,
        dialled(target, foreign, house.authority.pem, control_name()) as other,
    ):
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(f"/{method}")(iter([b""]))  # type: ignore[arg-type]
        async with asyncio.timeout(DEADLINE_S):
            assert isinstance(await call.read(), bytes)  # an answer
        call.cancel()
        assert await code(other, f"/{method}") == "PERMISSION_DENIED"
    await server.stop(0)


def refused(reason: str) -> float:
    return float(metrics.REFUSED.labels(reason)._value.get())


@pytest.mark.parametrize(
    ("who", "reason", "wanted"),
    [
        (identity(Role.EDGE, namespace="test"), "foreign", "PERMISSION_DENIED"),
        (identity(Role.EDGE, trust_domain="example.org"), "foreign", "PERMISSION_DENIED"),
        (Identity("cluster.local", "live", "headrace"), "role", "PERMISSION_DENIED"),
        (None, "no_identity", "UNAUTHENTICATED"),
        ("spiffe://cluster.local/edge", "no_identity", "UNAUTHENTICATED"),
        ("https://cluster.local/ns/live/sa/headrace-edge", "no_identity", "UNAUTHENTICATED"),
    ],
)
async def test_a_certificate_of_our_authority_that_is_of_nobody_of_ours_is_refused(
    house: House, who: Identity | str | None, reason: str, wanted: str
) -> None:
    everything, before = Everything(), refused(reason)
    pair = house.authority.sign(who, names=["headrace-edge.live.svc.cluster.local"])
    async with (
        everything.served(house.trust(Role.CONTROL)) as target,
        dialled(target, pair, house.authority.pem, control_name()) as channel,
    ):
        assert await code(channel, "/headrace.wire.v1.Sessions/Renew") == wanted
    assert refused(reason) == before + 1
    assert everything.seen == []


def _self_signed(house: House) -> Pair:
    return Authority().sign(identity(Role.EDGE))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: None, id="none at all"),
        pytest.param(_self_signed, id="another authority's"),
        pytest.param(lambda house: house.authority.sign(identity(Role.EDGE), since=-2 * DAY, until=-DAY), id="expired"),
        pytest.param(lambda house: house.authority.sign(identity(Role.EDGE), since=DAY, until=2 * DAY), id="to come"),
        pytest.param(
            lambda house: house.authority.sign(identity(Role.EDGE))._replace(
                key=house.authority.sign(identity(Role.EDGE)).key
            ),
            id="another key's",
        ),
        pytest.param(lambda house: Authority.self_signed(identity(Role.EDGE)), id="self-signed"),
    ],
)
async def test_a_client_without_a_good_certificate_gets_no_connection(
    house: House, make: Callable[[House], Pair | None]
) -> None:
    everything = Everything()
    async with everything.served(house.trust(Role.CONTROL)) as target:
        async with dialled(target, make(house), house.authority.pem, control_name()) as channel:
            assert await code(channel, "/headrace.wire.v1.Sessions/Renew") == "UNAVAILABLE"
        async with open_channel(target, trust=PLAINTEXT) as channel:
            assert await code(channel, "/headrace.wire.v1.Sessions/Renew") == "UNAVAILABLE"
        async with open_channel(target, trust=house.trust(Role.EDGE)) as channel:
            assert await code(channel, "/headrace.wire.v1.Sessions/Renew") is None
    assert everything.seen == ["renew"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda house: house.authority.sign(identity(Role.TRANSCODER)), id="a transcoder's"),
        pytest.param(lambda house: house.authority.sign(identity(Role.EDGE)), id="an edge's"),
        pytest.param(lambda house: house.authority.sign(identity(Role.CONTROL, "test")), id="of another namespace"),
        pytest.param(
            lambda house: house.authority.sign(identity(Role.CONTROL, trust_domain="example.org")),
            id="of another trust domain",
        ),
        pytest.param(lambda house: house.authority.sign(identity(Role.CONTROL), names=[]), id="without a name"),
        pytest.param(lambda _: Authority().sign(identity(Role.CONTROL)), id="another authority's"),
        pytest.param(lambda _: Authority.self_signed(identity(Role.CONTROL)), id="self-signed"),
        pytest.param(
            lambda house: house.authority.sign(identity(Role.CONTROL), since=-2 * DAY, until=-DAY), id="expired"
        ),
        pytest.param(
            lambda house: house.authority.sign(identity(Role.CONTROL), since=DAY, until=2 * DAY), id="to come"
        ),
    ],
)
async def test_an_edge_tells_no_key_to_a_server_that_is_not_its_control(
    house: House, make: Callable[[House], Pair]
) -> None:
    pair = make(house)
    asked: list[bytes] = []

    async def handle(request: bytes) -> bytes:
        asked.append(request)
        return b""

    server = grpc.aio.server()
    calls.add_service(server, {"/headrace.wire.v1.Sessions/OpenSession": calls.unary_handler(handle)})
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pair.key, pair.certificate)]))
    await server.start()
    async with Replicas(f"127.0.0.1:{port}", trust=house.trust(Role.EDGE)) as replicas:
        with pytest.raises(CallLost):
            await replicas.ask("/headrace.wire.v1.Sessions/OpenSession", b"a key", 1.0)
    await server.stop(0)
    assert asked == []


async def test_authorities_below_ours_are_believed_where_their_certificates_are_shown(house: House) -> None:
    below = Authority("below", house.authority)

    def trust(role: Role) -> Certified:
        pair = below.sign(identity(role))
        return Certified(role, house.files(role, pair._replace(certificate=pair.certificate + below.pem)).files)

    async with (
        Everything().served(trust(Role.CONTROL)) as target,
        open_channel(target, trust=trust(Role.EDGE)) as channel,
    ):
        assert await code(channel, "/headrace.wire.v1.Sessions/Renew") is None


async def test_a_transcoder_is_dialled_as_one(house: House) -> None:
    async with Everything().served(house.trust(Role.TRANSCODER)) as target:
        async with open_channel(target, trust=house.trust(Role.EDGE), server=Role.TRANSCODER) as channel:
            assert await code(channel, "/headrace.wire.v1.Ingest/Ingest") is None
        async with open_channel(target, trust=house.trust(Role.EDGE), server=Role.CONTROL) as channel:
            assert await code(channel, "/headrace.wire.v1.Ingest/Ingest") == "UNAVAILABLE"


@pytest.mark.parametrize("role", [Role.EDGE, Role.TRANSCODER, Role.ORIGIN])
@pytest.mark.parametrize("kind", list(PodKind))
async def test_a_pod_reports_as_what_it_is(house: House, role: Role, kind: PodKind) -> None:
    everything, before = Everything(), refused("kind")

    async def one() -> AsyncIterator[PodReport]:
        yield PodReport("pod-0", "unix:/t", "1", True, 10**9, 0, (), kind)

    async with (
        everything.served(house.trust(Role.CONTROL)) as target,
        open_channel(target, trust=house.trust(role)) as channel,
    ):
        if kind.value == role.value:
            await FleetClient(channel).report(one())
            assert [report.kind for report in everything.reports] == [kind]
        else:
            with pytest.raises(CallLost, match=f"that of the {role}, and the report that of the") as lost:
                await FleetClient(channel).report(one())
            assert lost.value.code == "not_allowed"
            assert everything.reports == []
            assert refused("kind") == before + 1


async def test_a_refused_caller_cannot_fill_the_log(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_refused", RateLimited(logger("test"), "refused", 3600))
    async with (
        Everything().served(house.trust(Role.CONTROL)) as target,
        open_channel(target, trust=house.trust(Role.ORIGIN)) as channel,
    ):
        for _ in range(5):
            assert await code(channel, "/headrace.wire.v1.Sessions/Renew") == "PERMISSION_DENIED"
    assert [record.message for record in caplog.records].count("refused") == 1


async def test_a_writer_is_stopped_within_512_kib_behind_tls_as_well(house: House) -> None:
    async with (
        Everything().served(house.trust(Role.TRANSCODER)) as target,
        open_channel(target, trust=house.trust(Role.EDGE), server=Role.TRANSCODER) as channel,
    ):
        stalled = media.IngestClient(channel).ingest()
        await stalled.write(media.Open(RunId("stalled"), 1, "s", 1, 0, OPEN.plan, OPEN.source, 0))
        assert await stalled.read() == media.Accepted(0)
        taken_bytes = 0

        async def fill() -> None:
            nonlocal taken_bytes
            while taken_bytes <= 512 * KIB:
                async with asyncio.timeout(1.0):
                    await stalled.write(media.Frames([FRAME]))
                taken_bytes += len(FRAME.data)

        with pytest.raises(TimeoutError):
            await fill()


class Publishing:
    """An Ingest call that goes on: each step is a frame that has arrived."""

    def __init__(self, channel: Channel) -> None:
        self.call = media.IngestClient(channel).ingest()
        self.frames = 0

    async def start(self) -> None:
        await self.call.write(OPEN)
        assert await self.call.read() == media.Accepted(0)

    async def step(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            self.frames += 1
            await self.call.write(media.Frames([FRAME]))
            assert await self.call.read() == media.Progress(self.frames, 0)

    async def end(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.call.write(media.End())
            await self.call.done_writing()
            assert await self.call.read() is None


async def ask(replicas: Replicas, session_id: str) -> OpenedSession:
    return await SessionsClient(replicas).open_session("live", StreamKey("k"), "edge-0", "192.0.2.1:5", session_id)


async def test_new_certificates_are_taken_while_calls_go_on(house: House) -> None:
    everything, slow = Everything(), asyncio.Event()
    open_session = everything.open_session

    async def slowly(app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        if session_id == "slow":
            await slow.wait()
        return await open_session(app, key, edge, peer, session_id)

    everything.open_session = slowly  # type: ignore[method-assign]
    serving, dialling = house.files(Role.CONTROL), house.files(Role.EDGE)
    control, edge = Certified(Role.CONTROL, serving.files), Certified(Role.EDGE, dialling.files)
    async with (
        everything.served(control) as target,
        Replicas(target, trust=edge) as replicas,
        asyncio.TaskGroup() as group,
    ):
        ingest = open_channel(target, trust=edge)
        publishing = Publishing(ingest)
        await publishing.start()
        await publishing.step()
        waiting = group.create_task(ask(replicas, "slow"))
        await ask(replicas, "before")
        (replica,) = replicas.known
        async with replica.lines.channel() as old:
            pass
        for files, trust, role in ((serving, control, Role.CONTROL), (dialling, edge, Role.EDGE)):
            files.write(house.authority.sign(identity(role)), house.authority)
            trust.look()
        await publishing.step()
        assert (await ask(replicas, "after")).session_id == "after"
        async with replica.lines.channel() as new:
            assert new is not old
        slow.set()
        assert (await waiting).session_id == "slow"
        await publishing.step()
        await publishing.end()
        await ingest.close()
    assert everything.seen == ["ingest", "before", "after", "slow"]


def handshakes() -> float:
    return float(metrics.HANDSHAKES._value.get())


async def test_calls_to_one_transcoder_share_a_connection_while_there_are_any(house: House) -> None:
    dialling = house.files(Role.EDGE)
    edge = Certified(Role.EDGE, dialling.files)
    lines = SharedLines(MEDIA, edge, Role.TRANSCODER)
    async with Everything().served(house.trust(Role.TRANSCODER)) as target, AsyncExitStack() as first:
        before = handshakes()
        publishing = Publishing(await first.enter_async_context(lines.channel(target)))
        await publishing.start()
        async with lines.channel(target) as channel:
            also = Publishing(channel)
            await also.start()
            await also.step()
            await also.end()
        assert handshakes() == before + 1
        await publishing.step()
        dialling.write(house.authority.sign(identity(Role.EDGE)), house.authority)
        edge.look()
        async with lines.channel(target) as channel:
            later = Publishing(channel)
            await later.start()
            assert handshakes() == before + 2
            await later.end()
        await publishing.step()
        await publishing.end()
        await first.aclose()
        async with lines.channel(target) as channel:
            again = Publishing(channel)
            await again.start()
            assert handshakes() == before + 3
            await again.end()


async def test_the_end_of_one_call_cancels_no_other_on_its_line(house: House) -> None:
    lines = SharedLines(MEDIA, house.trust(Role.EDGE), Role.TRANSCODER)
    async with Everything().served(house.trust(Role.TRANSCODER)) as target, lines.channel(target) as channel:
        publishing = Publishing(channel)
        await publishing.start()
        async with lines.channel(target) as other:
            broken = Publishing(other)
            await broken.start()
            broken.call.cancel()
        await publishing.step()
        await publishing.end()


async def test_authorities_are_changed_without_a_moment_in_which_nobody_is_believed(house: House) -> None:
    old, new = house.authority, Authority("next")
    everything = Everything()
    serving, dialling = house.files(Role.CONTROL), house.files(Role.EDGE)
    control, edge = Certified(Role.CONTROL, serving.files), Certified(Role.EDGE, dialling.files)
    pods = ((serving, control, Role.CONTROL), (dialling, edge, Role.EDGE))
    steps: list[tuple[Authority, Sequence[Authority]]] = [(old, (old, new)), (new, (old, new)), (new, (new,))]
    async with everything.served(control) as target, Replicas(target, trust=edge) as replicas:
        publishing = Publishing(open_channel(target, trust=edge))
        await publishing.start()
        for signer, believed in steps:
            for files, trust, role in pods:
                files.write(signer.sign(identity(role)), *believed)
                trust.look()
                async with open_channel(target, trust=edge) as channel:
                    assert await code(channel, "/headrace.wire.v1.Sessions/Renew") is None
                await ask(replicas, "on")
                await publishing.step()
        await publishing.end()
        async with dialled(target, old.sign(identity(Role.EDGE)), new.pem, control_name()) as channel:
            assert await code(channel, "/headrace.wire.v1.Sessions/Renew") == "UNAVAILABLE"


async def test_the_files_are_looked_at_by_themselves(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.wire.trust.LOOK_EVERY_S", 0.05)
    new = Authority("next")
    serving = house.files(Role.CONTROL)
    control = Certified(Role.CONTROL, serving.files)
    theirs = house.files(Role.EDGE, new.sign(identity(Role.EDGE)), new)
    async with Everything().served(control) as target, asyncio.TaskGroup() as group:
        following = group.create_task(control.run())
        async with open_channel(target, trust=Certified(Role.EDGE, theirs.files)) as channel:
            assert await code(channel, "/headrace.wire.v1.Sessions/Renew") == "UNAVAILABLE"
        serving.write(new.sign(identity(Role.CONTROL)), new)
        async with asyncio.timeout(DEADLINE_S):
            while not control.generation:  # noqa: ASYNC110  # files set no event
                await asyncio.sleep(0.01)
        async with open_channel(target, trust=Certified(Role.EDGE, theirs.files)) as channel:
            assert await code(channel, "/headrace.wire.v1.Sessions/Renew") is None
        following.cancel()


async def test_a_pod_goes_on_reporting_through_a_new_certificate(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.wire.reporting.PERIOD_S", 0.02)
    everything = Everything()
    dialling = house.files(Role.EDGE)
    edge = Certified(Role.EDGE, dialling.files)

    def report() -> PodReport:
        return PodReport("edge-0", "", "1", True, 0, len(everything.reports), (), PodKind.EDGE)

    async def heard(number: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(everything.reports) < number:  # noqa: ASYNC110  # what is waited for happens in another task
                await asyncio.sleep(0.01)

    control = house.trust(Role.CONTROL)
    async with Replicas("127.0.0.1:9", trust=edge) as nobody:
        assert not nobody.known[0].lines.open
    async with (
        everything.served(control) as target,
        Replicas(target, trust=edge) as replicas,
        asyncio.TaskGroup() as group,
    ):
        telling = group.create_task(Reporting(replicas, report).run())
        await heard(3)
        dialling.write(house.authority.sign(identity(Role.EDGE)), house.authority)
        edge.look()
        await ask(replicas, "meanwhile")
        await heard(len(everything.reports) + 3)
        telling.cancel()
