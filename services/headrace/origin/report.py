"""The report: once a second every replica of control hears that this origin is there.

Law: it says what this pod is and nothing of who watches. Neighbours: `wire.reporting` says it.
"""

import asyncio
from collections.abc import Callable
from importlib.metadata import version

from headrace.origin.settings import OriginSettings
from headrace.wire.control import PodKind, PodReport
from headrace.wire.identity import Role
from headrace.wire.replicas import Replicas
from headrace.wire.reporting import Reporting
from headrace.wire.trust import trust_of


class Reporter:
    """Reports for as long as it runs; `ready` answers "" or why this origin should get no players."""

    def __init__(self, settings: OriginSettings, ready: Callable[[], str]) -> None:
        """Raises BadSetting."""
        self._settings = settings
        self._ready = ready
        self._version = version("headrace")
        self._trust = trust_of(Role.ORIGIN, settings.control_target)
        self._replicas: Replicas | None = None
        if settings.control_target:
            self._replicas = Replicas(settings.control_target, self._trust)

    async def run(self) -> None:
        """Report until cancelled, where there is anybody to be told."""
        if self._replicas is None:
            return
        async with self._replicas, asyncio.TaskGroup() as group:
            group.create_task(self._trust.run())
            group.create_task(self._replicas.run())
            group.create_task(Reporting(self._replicas, self._report).run())

    def _report(self) -> PodReport:
        return PodReport(
            pod=self._settings.pod_name,
            target="",
            version=self._version,
            ready=not self._ready(),
            capacity=0,
            used=0,
            runs=(),
            kind=PodKind.ORIGIN,
            zone=self._settings.zone,
        )
