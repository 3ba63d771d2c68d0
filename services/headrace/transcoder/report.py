"""The report: once a second control hears what this pod is and what it does.

Law: nothing is reported before the capacity is known, so a pod that reports can be given work. Control that is not
there is no trouble: it hears when it is back. Neighbours: `capacity` and `supervisor` know what is said.
"""

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version

from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.transcoder.capacity import Capacity, measured
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.control import FleetClient, PodReport
from headrace.wire.errors import CallLost

REPORT_PERIOD_S = 1.0

_unheard = RateLimited(logger(__name__), "control does not hear this transcoder")


class Reporter:
    """Reports for as long as it runs. `target` is where Ingest is served."""

    def __init__(
        self, settings: TranscoderSettings, target: str, capacity: Capacity, supervisor: Supervisor, fleet: FleetClient
    ) -> None:
        self._settings = settings
        self._target = settings.transcoder_advertise or target
        self._capacity = capacity
        self._supervisor = supervisor
        self._fleet = fleet
        self._version = version("headrace")

    async def run(self) -> None:
        """Measure if need be, then report until cancelled."""
        if not self._capacity.total:
            self._capacity.know(await measured(self._settings.capacity_file) or 1)
        while True:
            try:
                await self._fleet.report(self._reports())
            except CallLost as lost:
                _unheard({"why": str(lost)})
                await asyncio.sleep(REPORT_PERIOD_S)

    async def _reports(self) -> AsyncIterator[PodReport]:
        while True:
            yield PodReport(
                pod=self._settings.pod,
                target=self._target,
                version=self._version,
                ready=not self._supervisor.draining,
                capacity=self._capacity.total,
                used=self._capacity.used,
                runs=self._supervisor.runs,
            )
            await asyncio.sleep(REPORT_PERIOD_S)
