"""What a gRPC server says of itself: its health follows `/readyz`, and it describes itself to those who may ask."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc.aio import AioRpcError, Channel
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # type: ignore[import-untyped]

from headrace.runtime.aio.tasks import beside
from headrace.wire import health
from headrace.wire.channel import listen, make_server, open_channel
from headrace.wire.health import CONTROL_SERVICES, MEDIA_SERVICES, add_health
from headrace.wire.identity import Role
from headrace.wire.reflection import GrpcSettings, add_reflection
from headrace.wire.trust import LOCAL, Certified, Trust
from tests.support.health import healthy
from tests.support.identities import Authority, Files, identity

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
INGEST = "headrace.wire.v1.Ingest"


class Service:
    """What `/readyz` says of a service is `why`."""

    def __init__(self) -> None:
        self.why = "starting"

    @asynccontextmanager
    async def served(self, target: str, trust: Trust = LOCAL, *, reflection: bool = False) -> AsyncIterator[str]:
        server = make_server(trust=trust)
        followed = add_health(server, MEDIA_SERVICES, lambda: self.why)
        add_reflection(server, MEDIA_SERVICES, GrpcSettings(grpc_reflection=reflection))
        target = listen(server, target, trust=trust)
        await server.start()
        try:
            async with beside(followed.run()):
                yield target
        finally:
            await server.stop(0)


async def listed(channel: Channel) -> list[str]:
    """The services, as `grpcurl list` asks for them."""

    async def asked() -> AsyncIterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    answers = [answer async for answer in stub.ServerReflectionInfo(asked(), timeout=5)]
    return [service.name for service in answers[0].list_services_response.service]


async def test_health_is_what_readyz_says_at_that_moment(tmp_path: Path) -> None:
    service = Service()
    async with service.served(f"unix:{tmp_path}/s") as target, open_channel(target) as channel:
        for why in ("starting", "", "draining", ""):
            service.why = why
            assert [await healthy(channel, name) for name in ("", INGEST)] == [not why] * 2


async def test_each_service_has_its_name_and_another_is_not_found(tmp_path: Path) -> None:
    assert MEDIA_SERVICES == (INGEST,)
    assert CONTROL_SERVICES == ("headrace.wire.v1.Sessions", "headrace.wire.v1.Fleet")
    service = Service()
    async with service.served(f"unix:{tmp_path}/s") as target, open_channel(target) as channel:
        for name in ("headrace.wire.v1.Sessions", "headrace", "Ingest"):
            with pytest.raises(AioRpcError) as refused:
                await healthy(channel, name)
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_who_watches_hears_of_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK_S", 0.05)
    service = Service()
    async with service.served(f"unix:{tmp_path}/s") as target, open_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watched = stub.Watch(health_pb2.HealthCheckRequest(service=INGEST))
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nobody's"))
        async with asyncio.timeout(10):
            assert (await watched.read()).status == NOT_SERVING
            assert (await unknown.read()).status == UNKNOWN
            service.why = ""
            assert (await watched.read()).status == SERVING
            service.why = "stopping"
            assert (await watched.read()).status == NOT_SERVING
        watched.cancel()
        unknown.cancel()


async def test_who_watches_and_does_not_read_hides_nothing_from_those_who_ask(tmp_path: Path) -> None:
    class Stuck:
        async def write(self, _: object) -> None:
            await asyncio.get_running_loop().create_future()

    stuck: Any = Stuck()
    service = Service()
    server = make_server()
    servicer = add_health(server, MEDIA_SERVICES, lambda: service.why)
    target = listen(server, f"unix:{tmp_path}/s")
    await server.start()
    try:
        async with (
            beside(servicer.Watch(health_pb2.HealthCheckRequest(service=INGEST), stuck)),
            beside(servicer.run()),
            open_channel(target) as channel,
        ):
            await asyncio.sleep(0)
            for why in ("", "draining", ""):
                service.why = why
                assert [await healthy(channel, name) for name in ("", INGEST)] == [not why] * 2
    finally:
        await server.stop(0)


async def test_behind_certificates_only_who_has_one_is_answered(tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority()

    def pod(role: Role, signer: Authority = authority) -> Certified:
        files = Files(tmp_path / secrets.token_hex(4))
        # A stranger believes our authority: it is the server that refuses.
        return Certified(role, files.write(signer.sign(identity(role)), authority).files)

    service = Service()
    service.why = ""
    async with service.served("127.0.0.1:0", pod(Role.TRANSCODER), reflection=True) as target:
        for role in Role:
            async with open_channel(target, trust=pod(role), server=Role.TRANSCODER) as channel:
                assert await healthy(channel, INGEST)
                assert INGEST in await listed(channel)
        async with open_channel(target, trust=pod(Role.EDGE, stranger), server=Role.TRANSCODER) as channel:
            with pytest.raises(AioRpcError) as refused:
                await healthy(channel)
            assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        async with grpc.aio.insecure_channel(target) as channel:
            with pytest.raises(AioRpcError) as refused:
                await healthy(channel)
            assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


async def test_a_server_describes_itself_only_where_it_was_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not GrpcSettings().grpc_reflection
    monkeypatch.setenv("HEADRACE_GRPC_REFLECTION", "true")
    assert GrpcSettings().grpc_reflection
    service = Service()
    async with service.served(f"unix:{tmp_path}/off") as target, open_channel(target) as channel:
        with pytest.raises(AioRpcError) as refused:
            await listed(channel)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    async with service.served(f"unix:{tmp_path}/on", reflection=True) as target, open_channel(target) as channel:
        assert sorted(await listed(channel)) == [
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
            INGEST,
        ]
