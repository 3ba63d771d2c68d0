"""Reflection: what services a gRPC server has, and what their messages are, for tools such as `grpcurl`.

Law: off unless it was asked for by name. Neighbours: `health` is the other service that is none of ours.
"""

from collections.abc import Iterable

from grpc.aio import Server
from grpc_health.v1 import health  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]

from headrace.runtime.config import Settings


class GrpcSettings(Settings):
    """`HEADRACE_*` variables of those services that serve gRPC."""

    grpc_reflection: bool = False
    """Whether tools such as `grpcurl` may ask which services and messages there are."""


def add_reflection(server: Server, services: Iterable[str], settings: GrpcSettings) -> None:
    """Let `server` describe its `services`, if `settings` say so."""
    if settings.grpc_reflection:
        reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
