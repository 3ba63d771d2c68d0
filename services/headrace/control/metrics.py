"""Control's metrics, declared once."""

from headrace.runtime.telemetry.metrics import Counter, Gauge

SESSIONS_OPENED = Counter("headrace_control_sessions_opened_total", "Publishes that were accepted.")
SESSIONS_REFUSED = Counter("headrace_control_sessions_refused_total", "Publishes that were refused.", ["reason"])
SESSIONS_VANISHED = Counter("headrace_control_sessions_vanished_total", "Sessions whose edge never said goodbye.")
RUNS_ENDED = Counter("headrace_control_runs_ended_total", "Runs that came to their end.")
END_FAILURES = Counter("headrace_control_end_failures_total", "Tries to end a run that the log did not take.")
STREAMS = Gauge("headrace_control_streams", "Streams that exist.")
RUNS_LIVE = Gauge("headrace_control_runs_live", "Runs without an end.")
TRANSCODERS = Gauge("headrace_control_transcoders", "Transcoders that report.")
