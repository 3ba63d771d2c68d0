"""Metrics of live logs, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.runtime.telemetry.metrics import Counter, Gauge, Histogram

HELD_BYTES = Gauge("headrace_log_held_bytes", "Entries and parts in the memory log.")
HELD_LIMIT = Gauge("headrace_log_held_limit_bytes", "How much the memory log may hold before windows shrink.")
RUNS = Gauge("headrace_log_runs", "Runs in the memory log, ended ones that are still served included.")
SHRUNK_SEGMENTS = Counter(
    "headrace_log_shrunk_segments_total", "Segments forgotten before their window had passed, for want of memory."
)
REFUSED = Counter("headrace_log_refused_runs_total", "Runs that the memory log had no room for.")

# Of a log on servers.
UNDURABLE_RUNS = Gauge("headrace_log_undurable_runs", "Runs written here that too few replicas acknowledge now.")
SHORT_WAITS = Counter("headrace_log_short_waits_total", "Waits for replicas that fewer than all of them acknowledged.")
RECONNECTS = Counter(
    "headrace_log_reconnects_total",
    "Connections to the log that were lost and made again, by who had them.",
    {"by": ("writer", "follower", "reader")},
)
APPEND_S = Histogram(
    "headrace_log_append_seconds",
    "From staging entries to their being published, the wait for replicas included.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
DROPPED_PUSHES = Counter(
    "headrace_log_dropped_pushes_total", "Entries dropped before a slow follower took them: it read them from the log."
)
