"""The reports of one pod: once a second each replica of control hears what it is and what it does.

Law: the replicas do not share what they hear, so each is told, and none waits for another. Control that is not there is
no trouble: it hears when it is back. Now and then a report says what time it is here, so that clocks can be compared.
Neighbours: every service but control has a report of its own to give.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import FleetClient, PodReport
from headrace.wire.errors import CallLost
from headrace.wire.replicas import Replica, Replicas

PERIOD_S = 1.0  # also between tries
GRID_MS = 50
CLOCK_EVERY = 10  # reports: each one that says the time has to be read, others are those before them
STARTING = 3  # failures that are no news: control may start together with this process

_unheard = RateLimited(logger(__name__), "a replica of control does not hear this pod", period_s=10.0)


def until_next_s(began_ms: int, now_ms: int) -> float:
    """How long to wait for the next report, seconds, by Unix time of the first one and of now, milliseconds.

    On a grid that all pods share: who serves thousands of them wakes for many at once.
    """
    slot_ms = began_ms - began_ms % GRID_MS
    period_ms = round(1000 * PERIOD_S)
    wait_ms = period_ms - (now_ms - slot_ms) % period_ms
    return (wait_ms if wait_ms > GRID_MS else wait_ms + period_ms) / 1000  # a timer that was early makes no second one


class Reporting:
    """One stream of what `report` answers to each of the `replicas`, for as long as it runs."""

    def __init__(self, replicas: Replicas, report: Callable[[], PodReport]) -> None:
        self.heard = False
        """Whether any replica has taken a report yet."""
        self._replicas = replicas
        self._report = report
        self._told: set[Replica] = set()

    async def run(self) -> None:
        """Report until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for replica in self._replicas.known:
                    if replica not in self._told:
                        self._told.add(replica)
                        group.create_task(self._tell(replica))
                await asyncio.sleep(PERIOD_S)

    async def _tell(self, replica: Replica) -> None:
        failures = 0
        with replica:
            while not replica.retired:
                try:
                    async with replica.reports.channel() as channel:
                        await FleetClient(channel).report(self._reports())
                except CallLost as lost:
                    self._replicas.avoid(replica)
                    failures += 1
                    if failures > STARTING:
                        _unheard({"replica": replica.target, "why": str(lost)})
                    await asyncio.sleep(PERIOD_S)
        self._told.discard(replica)

    async def _reports(self) -> AsyncIterator[PodReport]:
        began_ms = unix_ms()
        for number in itertools.count():
            report = self._report()
            yield report if number % CLOCK_EVERY else replace(report, sent_ms=unix_ms())
            self.heard = True
            await asyncio.sleep(until_next_s(began_ms, unix_ms()))
