"""The report: once a second every replica of control hears what this pod is and what it does.

Law: a pod that does not know its capacity yet says that it is small, and as an idle one it is given its first run all
the same. One whose log does not answer could write nothing, and asks for nothing new.
Neighbours: `capacity` and `supervisor` know what is said, `wire.reporting` says it.
"""

import asyncio
from collections.abc import Callable
from importlib.metadata import version

from headrace.transcoder.capacity import Capacity, measured
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.control import PodKind, PodReport
from headrace.wire.replicas import Replicas
from headrace.wire.reporting import Reporting


class Reporter:
    """Reports for as long as it runs. `target` is where Ingest is served, `log_answers` whether the log does now."""

    def __init__(
        self,
        settings: TranscoderSettings,
        target: str,
        capacity: Capacity,
        supervisor: Supervisor,
        replicas: Replicas,
        log_answers: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._target = settings.transcoder_advertise or target
        self._capacity = capacity
        self._supervisor = supervisor
        self._replicas = replicas
        self._log_answers = log_answers
        self._version = version("headrace")

    async def run(self) -> None:
        """Measure if need be, then report until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._replicas.run())
            group.create_task(Reporting(self._replicas, self._report).run())
            if not self._settings.capacity_pixels_s:
                self._capacity.know(await measured(self._settings.capacity_file))

    def _report(self) -> PodReport:
        return PodReport(
            pod=self._settings.pod_name,
            target=self._target,
            version=self._version,
            ready=not self._supervisor.draining and self._log_answers(),
            capacity=self._capacity.total,
            used=self._capacity.used,
            runs=self._supervisor.runs,
            kind=PodKind.TRANSCODER,
            zone=self._settings.zone,
        )
