"""Asking a gRPC server how it is, as `grpc_health_probe` does."""

from grpc.aio import Channel
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

DEADLINE_S = 10


async def healthy(channel: Channel, service: str = "") -> bool:
    """Whether it says SERVING of `service`. Raises AioRpcError, such as NOT_FOUND."""
    request = health_pb2.HealthCheckRequest(service=service)
    answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=DEADLINE_S)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
