"""The edge's composition root: settings in, a running service out.

Law: makes the objects and owns the TaskGroup; no logic. Neighbours: `standalone` and `__main__` call `build`.
"""

import asyncio
import socket

from headrace.edge.budget import Budget
from headrace.edge.leases import Leases
from headrace.edge.listener import Listener
from headrace.edge.report import make_report
from headrace.edge.settings import EdgeSettings
from headrace.runtime.aio.tasks import beside
from headrace.runtime.lifecycle import listen_tcp
from headrace.runtime.memory import memory_limit_bytes
from headrace.runtime.probes import Probes
from headrace.runtime.telemetry.logs import logger
from headrace.wire.channel import MEDIA
from headrace.wire.control import PodReport, SessionsClient
from headrace.wire.identity import Role
from headrace.wire.lines import SharedLines
from headrace.wire.replicas import Replicas
from headrace.wire.reporting import Reporting
from headrace.wire.trust import trust_of

__all__ = ["EdgeSettings", "Service", "build"]

_log = logger(__name__)


class Service:
    """One edge. Its port is open once this exists."""

    def __init__(self, settings: EdgeSettings) -> None:
        """Raises BadSetting, and CannotStart when the port is not to be had."""
        self._settings = settings
        self._trust = trust_of(Role.EDGE, settings.control_target)
        self._replicas = Replicas(settings.control_target, trust=self._trust)
        self._transcoders = SharedLines(MEDIA, self._trust, Role.TRANSCODER)
        self._control = SessionsClient(self._replicas)
        self._leases = Leases(self._control, settings.pod_name)
        self._reporting = Reporting(self._replicas, self._report)
        self._sock: socket.socket = listen_tcp(settings.rtmp_host, settings.rtmp_port, "RTMP")
        self._budget = Budget(settings.buffers_bytes or memory_limit_bytes() // 2)
        self._up = False
        self._stopping = asyncio.Event()
        self.http_app = Probes(self._not_ready)

    @property
    def rtmp_port(self) -> int:
        """The port that was taken."""
        return int(self._sock.getsockname()[1])

    @property
    def held_bytes(self) -> int:
        """Media that this edge holds."""
        return self._budget.held_bytes

    async def run(self) -> None:
        """Serve until `stop` or cancellation; then finish every publish and return within 5 s."""
        replicas = self._replicas
        # What ends last is named first: a publish that is finished still has to be released.
        async with (
            replicas,
            beside(self._trust.run()),
            beside(replicas.run()),
            beside(self._reporting.run()),
            beside(self._leases.run()),
        ):
            listener = Listener(
                self._settings, self._budget, self._control, self._leases, self._transcoders, self._sock
            )
            async with beside(listener.run()):
                self._up = True
                _log.info("listening for publishers", extra={"rtmp_port": self.rtmp_port})
                await self._stopping.wait()

    def stop(self) -> None:
        """Let `run` finish every publish and return."""
        self._stopping.set()

    def _not_ready(self) -> str:
        if self._stopping.is_set():
            return "stopping"
        if not self._up:
            return "starting"
        # Later it is ready without control: streams go on, and new publishes are told why they cannot (docs/adr/0016).
        if not self._reporting.heard:
            return "control has not been heard yet"
        return "" if self._budget.admits else "memory for media is full"

    def _report(self) -> PodReport:
        return make_report(self._settings, self._leases, ready=not self._not_ready())


def build(settings: EdgeSettings, *, log: None = None) -> Service:
    """An edge; it takes no log. Raises CannotStart, BadSetting."""
    return Service(settings)
