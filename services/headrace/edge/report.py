"""The report: what every replica of control hears of this edge once a second.

Law: it names every session that is held, and how long each has had no media: that alone keeps sessions alive, and lets
a publisher come back while its old socket still looks open. Neighbours: `leases` knows them, `wire.reporting` says it.
"""

from importlib.metadata import version

from headrace.edge.leases import Leases
from headrace.edge.settings import EdgeSettings
from headrace.wire.control import PodKind, PodReport, SessionReport

IDLE_STEP_MS = 500  # so that a report is as the one before while media flows: whoever hears thousands reads it once

_VERSION = version("headrace")


def make_report(settings: EdgeSettings, leases: Leases, *, ready: bool) -> PodReport:
    """An edge's report of this moment."""
    return PodReport(
        pod=settings.pod_name,
        target="",
        version=_VERSION,
        ready=ready,
        capacity=0,
        used=0,
        runs=(),
        kind=PodKind.EDGE,
        zone=settings.zone,
        sessions=tuple(
            SessionReport(one.session_id, one.idle_ms() // IDLE_STEP_MS * IDLE_STEP_MS) for one in leases.borrowers
        ),
    )


def _in_steps(idle_ms: int) -> int:
    return idle_ms - idle_ms % IDLE_STEP_MS
