"""A process's vital signs: how late its event loop is, and how soon it could take work.

Law: looks a few times a second, whatever the process does; `probes` say what "ready" means. Memory, processor time and
open files are the Prometheus client's own metrics. Neighbours: `process` and standalone run it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

from headrace.runtime.aio.clock import monotonic_s, process_age_s
from headrace.runtime.aio.tasks import beside
from headrace.runtime.probes import PROBES, Probes
from headrace.runtime.telemetry.metrics import Gauge, Histogram
from headrace.runtime.telemetry.settings import TelemetrySettings

LOOK_S = 0.1

LOOP_LAG = Histogram(
    "headrace_process_loop_lag_seconds",
    "How much later than it should the event loop came to what was due: ten looks a second.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
START = Gauge(
    "headrace_process_start_seconds", "From the start of the process until it was ready for the first time; 0 before."
)


@asynccontextmanager
async def told(settings: TelemetrySettings, service: str, instance: str) -> AsyncIterator[None]:
    """Inside the block the process is watched, and its metrics are sent where `settings` say, if anywhere.

    `instance`: the pod of `service` that this process is.
    """
    async with beside(watch()):
        if not settings.otlp_endpoint:
            yield
            return
        from headrace.runtime.telemetry.otlp_metrics import otlp, sending

        exporter = otlp(settings.otlp_endpoint, service)
        async with sending(exporter, settings.otlp_period_s, service, instance):
            yield


async def watch(
    probes: Collection[Probes] = PROBES,
    clock: Callable[[], float] = monotonic_s,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Look until cancelled. The process is ready when all of its `probes` are."""
    started = False
    while True:
        due_s = clock() + LOOK_S
        await sleep(LOOK_S)
        LOOP_LAG.observe(max(0.0, clock() - due_s))
        if not started and probes and all(each.ready for each in probes):
            started = True
            START.set(process_age_s())
