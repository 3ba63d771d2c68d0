"""The transcoder's metrics, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.core.broadcast import LeaseFault
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.telemetry.metrics import OTHER, Counter, Gauge, Histogram
from headrace.transcoder.pipe import COUNTED

# How calls end: in order, without the edge, or by an error's code.
LOG_CODES = ("log_empty", "log_fenced", "log_ended", "log_stale", "log_out_of_step", "log_unreachable", "log_full")
OUTCOMES = (
    *("done", "lost", "ingest_lost", "bad_message", "log_diverged", OTHER),
    *(*LOG_CODES, *(reason.value for reason in Reason), *(fault.value for fault in LeaseFault)),
)

RUNS = Gauge("headrace_transcoder_runs", "Runs that are being encoded.")
CAPACITY = Gauge("headrace_transcoder_capacity_pixels_per_second", "What this node can encode.")
USED = Gauge("headrace_transcoder_used_pixels_per_second", "What its runs cost.")
CALLS = Counter("headrace_transcoder_calls_total", "Ingest calls by how they ended.", {"outcome": OUTCOMES})
WORKER_DEATHS = Counter("headrace_transcoder_worker_deaths_total", "Workers that ended before their work did.")
WARM_WORKERS = Gauge("headrace_transcoder_warm_workers", "Workers that are ready and wait for a run.")
WARM_DEATHS = Counter(
    "headrace_transcoder_warm_worker_deaths_total", "Workers that ended before they were given a run."
)
TAKEN = Counter(
    "headrace_transcoder_taken_workers_total",
    "Workers given to runs, by how ready they were.",
    {"state": ("ready", "starting", "new")},
)
WORKER_START = Histogram(
    "headrace_transcoder_worker_start_seconds",
    "From the start of a worker's process until all is loaded.",
    buckets=(0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10),
)
WORKER_BYTES = Gauge(
    "headrace_transcoder_worker_resident_bytes",
    "Resident memory of the workers, added up; pages that they share count for each.",
    {"state": ("unused", "working")},
)
WORKER_CPU = Counter("headrace_transcoder_worker_cpu_seconds_total", "Processor time of the workers that have ended.")
FRAMES = Counter(
    "headrace_transcoder_received_frames_total", "Access units given to workers.", {"kind": ("video", "audio")}
)
RECEIVED = Counter("headrace_transcoder_received_bytes_total", "Bytes of the access units given to workers.")
INPUT_BYTES = Gauge("headrace_transcoder_worker_input_bytes", "Media that waits for workers to read it, of all runs.")
BACKLOG_S = Gauge(
    "headrace_transcoder_backlog_seconds",
    "How much media was taken from the edge and is not published yet, of the run that has most of it.",
)
PARTS = Counter(
    "headrace_transcoder_published_parts_total",
    "Parts appended to the log; a gap is a part without media.",
    {"kind": ("media", "gap")},
)
PART_BYTES = Counter("headrace_transcoder_published_bytes_total", "Bytes of the parts appended to the log.")
LATE_PARTS = Counter(
    "headrace_transcoder_late_parts_total", "Parts published more than one part target after the one before."
)
DROPPED = Counter(
    "headrace_transcoder_dropped_frames_total",
    "Access units and pictures that a worker could not use, by why.",
    {"reason": ("before_the_session", *sorted(COUNTED))},
)
SPEED = Histogram(
    "headrace_transcoder_speed_ratio",
    "Seconds of media that a live run published in a second, over ten seconds: each run six times a minute.",
    buckets=(0.5, 0.8, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.5, 2, 5),
)
PUBLISH_DELAY = Histogram(
    "headrace_transcoder_publish_delay_seconds",
    "From the end of a part on its run's clock to its publication.",
    buckets=(0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 30),
)
DURABLE_DELAY = Histogram(
    "headrace_transcoder_durable_delay_seconds",
    "From staging entries in the log until all of its replicas were known to have them.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 30, 300),
)
UNDURABLE_S = Gauge(
    "headrace_transcoder_undurable_seconds",
    "For how long the oldest entry has been staged that is not durable yet, of the run where it is longest.",
)
APPENDS = Gauge("headrace_transcoder_log_appends", "Runs whose parts are on their way to the log.")
HELD_BYTES = Gauge("headrace_transcoder_held_bytes", "Parts that wait for the log, all runs together.")
RETAKES = Counter(
    "headrace_transcoder_log_retakes_total",
    "Runs' logs taken over again by their own writers, by what was wrong.",
    {
        "reason": (
            *("rolled_back", "empty", "unreachable", "stale", "full"),
            *("conflict", "behind", "position", "splice"),
        )
    },
)
RESTAGED = Counter("headrace_transcoder_restaged_entries_total", "Entries staged again since the log had lost them.")
PARTS_DROPPED = Counter(
    "headrace_transcoder_dropped_parts_total", "Parts without a place in a log that had lost everything."
)
TAIL_DROPPED = Counter(
    "headrace_transcoder_dropped_tail_entries_total",
    "Entries not durable yet that were no longer kept, for want of room.",
)
UNDURABLE = Counter(
    "headrace_transcoder_run_undurable_seconds_total",
    "Time that runs spent without all replicas of their logs, added up.",
)
