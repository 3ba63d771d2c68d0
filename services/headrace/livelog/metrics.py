"""The memory log's metrics, declared once."""

from headrace.runtime.telemetry.metrics import Counter, Gauge

HELD_BYTES = Gauge("headrace_log_held_bytes", "Entries and parts in the memory log")
RUNS = Gauge("headrace_log_runs", "Runs in the memory log, ended ones that are still served included")
SHRUNK_SEGMENTS = Counter(
    "headrace_log_shrunk_segments_total", "Segments forgotten before their window had passed, for want of memory"
)
REFUSED = Counter("headrace_log_refused_runs_total", "Runs that the memory log had no room for")
