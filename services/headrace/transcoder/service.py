"""The transcoder's composition root: settings in, a running service out.

Law: makes the objects and owns the TaskGroup; no logic. Neighbours: `standalone` and `__main__` call `build`.
"""

import asyncio
from pathlib import Path

from headrace.livelog.base import LiveLog
from headrace.livelog.opened import OpenedLog
from headrace.runtime.config import BadSetting
from headrace.runtime.probes import Probes
from headrace.runtime.telemetry.logs import logger
from headrace.transcoder.capacity import Capacity
from headrace.transcoder.grpc_server import Ingest
from headrace.transcoder.report import Reporter
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.channel import MEDIA, listen, make_server, serve
from headrace.wire.health import MEDIA_SERVICES, add_health
from headrace.wire.identity import Role
from headrace.wire.lease import LeaseVerifier
from headrace.wire.lease_keys import LeasePublicKeys
from headrace.wire.media import add_ingest
from headrace.wire.reflection import GrpcSettings, add_reflection
from headrace.wire.replicas import Replicas
from headrace.wire.trust import trust_of

__all__ = ["Service", "TranscoderSettings", "build"]

_log = logger(__name__)


class Service:
    """One transcoder."""

    def __init__(self, settings: TranscoderSettings, opened: OpenedLog, lease_keys: LeasePublicKeys | None) -> None:
        self._settings = settings
        self._trust = trust_of(Role.TRANSCODER, f"{settings.transcoder_target},{settings.control_target}")
        self._capacity = Capacity(settings.capacity_pixels_s)
        self._opened = opened
        self._supervisor = Supervisor(opened.log, self._capacity, settings)
        if lease_keys is None and self._trust.own is not None:
            raise BadSetting(
                "HEADRACE_LEASE_PUBLIC_KEYS: missing: where services have certificates, edges show lease tokens"
            )
        self._verifier = None if lease_keys is None else LeaseVerifier(lease_keys)
        self._stopping = asyncio.Event()
        self.http_app = Probes(self._not_ready)

    async def run(self) -> None:
        """Serve until `stop` or cancellation; then what the workers hold goes to the log, and this returns.

        Raises CannotListen.
        """
        server = make_server(MEDIA, trust=self._trust)
        add_ingest(server, Ingest(self._supervisor, self._verifier).serve)
        health = add_health(server, MEDIA_SERVICES, self._not_ready)
        add_reflection(server, MEDIA_SERVICES, GrpcSettings())
        target = listen(server, self._settings.transcoder_target, trust=self._trust)
        _log.info("listening for edges", extra={"target": target})
        async with (
            self._opened.running(),
            Replicas(self._settings.control_target, self._trust) as replicas,
            asyncio.TaskGroup() as group,
        ):
            opened = self._opened
            reporter = Reporter(
                self._settings, target, self._capacity, self._supervisor, replicas, lambda: opened.answers
            )
            tasks = [
                group.create_task(self._trust.run()),
                group.create_task(health.run()),
                group.create_task(self._supervisor.run()),
                group.create_task(reporter.run()),
                group.create_task(serve(server, grace_s=self._settings.stop_timeout_s)),
            ]
            await self._stopping.wait()
            for task in tasks:
                task.cancel()

    def stop(self) -> None:
        """Let `run` end in order."""
        self._stopping.set()

    def _not_ready(self) -> str:
        if self._stopping.is_set() or self._supervisor.draining:
            return "draining"
        if not self._capacity.known:
            return "the capacity is being measured"
        return "" if self._opened.answers else "the live log does not answer"


def build(
    settings: TranscoderSettings, *, log: LiveLog | None = None, lease_keys: LeasePublicKeys | None = None
) -> Service:
    """A transcoder for `log`, or for the one that the environment names. Raises BadSetting.

    Lease tokens are checked with `lease_keys`, or those in the files that `settings` name, or not at all.
    """
    if lease_keys is None and settings.lease_public_keys:
        lease_keys = LeasePublicKeys.in_files([Path(one.strip()) for one in settings.lease_public_keys.split(",")])
    return Service(settings, OpenedLog(log), lease_keys)
