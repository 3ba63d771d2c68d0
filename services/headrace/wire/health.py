"""`grpc.health.v1`: what a gRPC server says of its readiness, to `grpc_health_probe` and to Kubernetes.

Law: SERVING is what `/readyz` says when the question comes; who watches hears of a change within `LOOK_S`. Each service
has the name of its .proto, and '' is all of them. Behind certificates only who has one is answered, whatever his role.
Neighbours: `gate` looks at certificates, `runtime.probes` serves `/readyz`.
"""

import asyncio
from collections.abc import Callable, Iterable

from grpc.aio import Server, ServicerContext
from grpc_health.v1 import health, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse  # type: ignore[import-untyped]

from headrace.wire.v1 import control_pb2, media_pb2

LOOK_S = 1.0

CONTROL_SERVICES = tuple(service.full_name for service in control_pb2.DESCRIPTOR.services_by_name.values())
MEDIA_SERVICES = tuple(service.full_name for service in media_pb2.DESCRIPTOR.services_by_name.values())

Context = ServicerContext[HealthCheckRequest, HealthCheckResponse]


class Health(health.aio.HealthServicer):  # type: ignore[misc]  # whose package has no types
    """Answers for `services`; `ready` says "" or why not. `run` it for those who watch."""

    def __init__(self, services: Iterable[str], ready: Callable[[], str]) -> None:
        super().__init__()
        self._services = ("", *services)
        self._ready = ready
        self._told: bool | None = None

    async def run(self) -> None:
        """Tell those who watch, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """The state now; NOT_FOUND for a service that is none of ours."""
        if request.service not in self._services:
            return await super().Check(request, context)
        # Without a word to those who watch, and may not read.
        return HealthCheckResponse(status=_status(not self._ready()))

    async def Watch(self, request: HealthCheckRequest, context: Context) -> None:
        """The state now, and each other one that follows."""
        await self._look()
        await super().Watch(request, context)

    async def _look(self) -> None:
        ready = not self._ready()
        if ready is not self._told:
            self._told = ready
            for service in self._services:
                await self.set(service, _status(ready))


def _status(ready: bool) -> HealthCheckResponse.ServingStatus:
    return HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING


def add_health(server: Server, services: Iterable[str], ready: Callable[[], str]) -> Health:
    """Let `server` answer for its `services`: `ready` says "" or why there is no new work to be taken."""
    servicer = Health(services, ready)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return servicer
