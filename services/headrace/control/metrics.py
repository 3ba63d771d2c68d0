"""Control's metrics, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.core.broadcast.refusals import Reason
from headrace.runtime.telemetry.metrics import Counter, Gauge

SESSIONS_OPENED = Counter("headrace_control_opened_sessions_total", "Publishes that were accepted.")
SESSIONS_REFUSED = Counter(
    "headrace_control_refused_sessions_total",
    "Publishes that were refused, by why: when they asked, or when they had described their source.",
    {"reason": [reason.value for reason in Reason]},
)
SESSIONS_VANISHED = Counter("headrace_control_vanished_sessions_total", "Sessions whose edge never said goodbye.")
RUNS_ENDED = Counter("headrace_control_ended_runs_total", "Runs that came to their end.")
END_FAILURES = Counter("headrace_control_end_failures_total", "Tries to end a run that the log did not take.")
STREAMS = Gauge("headrace_control_streams", "Streams that exist.")
RUNS_LIVE = Gauge("headrace_control_live_runs", "Runs without an end.")
TRANSCODERS = Gauge("headrace_control_transcoders", "Transcoders that report.")
