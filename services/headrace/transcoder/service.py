"""The transcoder's composition root: settings in, a running service out.

Law: makes the objects and owns the TaskGroup; no logic. Neighbours: `standalone` and `__main__` call `build`.
"""

import asyncio

from headrace.livelog.base import LiveLog
from headrace.livelog.opened import OpenedLog
from headrace.runtime.probes import Probes
from headrace.runtime.telemetry.logs import logger
from headrace.transcoder.capacity import Capacity
from headrace.transcoder.grpc_server import Ingest
from headrace.transcoder.report import Reporter
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.channel import REPORTS_KEEPALIVE_S, listen, make_server, serve
from headrace.wire.media import add_ingest
from headrace.wire.replicas import Replicas

__all__ = ["Service", "TranscoderSettings", "build"]

_log = logger(__name__)


class Service:
    """One transcoder."""

    def __init__(self, settings: TranscoderSettings, opened: OpenedLog) -> None:
        self._settings = settings
        self._capacity = Capacity(settings.capacity_pixels_s)
        self._opened = opened
        self._supervisor = Supervisor(opened.log, self._capacity, settings)
        self._stopping = asyncio.Event()
        self.http_app = Probes(self._not_ready)

    async def run(self) -> None:
        """Serve until `stop` or cancellation; then what the workers hold goes to the log, and this returns.

        Raises CannotListen.
        """
        server = make_server()
        add_ingest(server, Ingest(self._supervisor).serve)
        target = listen(server, self._settings.transcoder_target)
        _log.info("listening for edges", extra={"target": target})
        async with (
            self._opened.running(),
            Replicas(self._settings.control_target, REPORTS_KEEPALIVE_S) as replicas,
            asyncio.TaskGroup() as group,
        ):
            opened = self._opened
            reporter = Reporter(
                self._settings, target, self._capacity, self._supervisor, replicas, lambda: opened.answers
            )
            tasks = [
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


def build(settings: TranscoderSettings, *, log: LiveLog | None = None) -> Service:
    """A transcoder for `log`, or for the one that the environment names. Raises BadSetting."""
    return Service(settings, OpenedLog(log))
