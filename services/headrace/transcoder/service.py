"""The transcoder's composition root: settings and a log in, a running service out.

Law: makes the objects and owns the TaskGroup; no logic. Neighbours: `standalone` calls `build`.
"""

import asyncio

from headrace.livelog.base import LiveLog
from headrace.runtime.probes import Probes
from headrace.transcoder.capacity import Capacity
from headrace.transcoder.grpc_server import Ingest
from headrace.transcoder.report import Reporter
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.channel import listen, make_server, open_channel, serve
from headrace.wire.control import FleetClient
from headrace.wire.media import add_ingest

__all__ = ["Service", "TranscoderSettings", "build"]


class Service:
    """One transcoder that writes `log`."""

    def __init__(self, settings: TranscoderSettings, log: LiveLog) -> None:
        self._settings = settings
        self._capacity = Capacity(settings.capacity_pixels_s)
        self._supervisor = Supervisor(log, self._capacity, settings)
        self.http_app = Probes(self._not_ready)

    async def run(self) -> None:
        """Serve until cancelled; then what the workers hold goes to the log, and this returns. Raises CannotListen."""
        server = make_server()
        add_ingest(server, Ingest(self._supervisor).serve)
        target = listen(server, self._settings.transcoder_target)
        async with open_channel(self._settings.control_target) as channel, asyncio.TaskGroup() as group:
            reporter = Reporter(self._settings, target, self._capacity, self._supervisor, FleetClient(channel))
            group.create_task(self._supervisor.run())
            group.create_task(reporter.run())
            group.create_task(serve(server, grace_s=self._settings.stop_timeout_s))

    def _not_ready(self) -> str:
        return "draining" if self._supervisor.draining else ""


def build(settings: TranscoderSettings, *, log: LiveLog) -> Service:
    """A transcoder for `log`."""
    return Service(settings, log)
