"""The transcoder's metrics, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.runtime.telemetry.metrics import Counter, Gauge, Histogram

RUNS = Gauge("headrace_transcoder_runs", "Runs that are being encoded")
CAPACITY = Gauge("headrace_transcoder_capacity_pixels_per_second", "What this node can encode")
USED = Gauge("headrace_transcoder_used_pixels_per_second", "What its runs cost")
CALLS = Counter("headrace_transcoder_calls_total", "Ingest calls by how they ended", ["outcome"])
WORKER_DEATHS = Counter("headrace_transcoder_worker_deaths_total", "Workers that ended before their work did")
WARM_WORKERS = Gauge("headrace_transcoder_warm_workers", "Workers that are ready and wait for a run")
WARM_DEATHS = Counter("headrace_transcoder_warm_worker_deaths_total", "Workers that ended before they were given a run")
TAKEN = Counter("headrace_transcoder_workers_taken_total", "Workers given to runs, by how ready they were", ["state"])
WORKER_START = Histogram(
    "headrace_transcoder_worker_start_seconds",
    "From the start of a worker's process until all is loaded",
    buckets=(0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10),
)
WORKER_BYTES = Gauge(
    "headrace_transcoder_worker_resident_bytes",
    "Resident memory of the workers, added up; pages that they share count for each",
    ["state"],
)
WORKER_CPU = Counter("headrace_transcoder_worker_cpu_seconds_total", "Processor time of the workers that have ended")
FRAMES = Counter("headrace_transcoder_frames_total", "Access units taken from edges", ["kind"])
PARTS = Counter("headrace_transcoder_parts_total", "Parts appended to the log", ["kind"])
PART_BYTES = Counter("headrace_transcoder_part_bytes_total", "Bytes of the parts appended to the log")
LATE_PARTS = Counter("headrace_transcoder_late_parts_total", "Parts more than one part target after the one before")
DROPPED = Counter("headrace_transcoder_dropped_total", "Media that a worker could not use", ["what"])
SPEED = Histogram(
    "headrace_transcoder_speed_ratio",
    "Seconds of media that a run published in a second, over its whole life",
    buckets=(0.5, 0.8, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.5, 2, 5),
)
PUBLISH_DELAY = Histogram(
    "headrace_transcoder_publish_delay_seconds",
    "From the end of a part on the wall clock to its publication",
    buckets=(0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 30),
)
HELD_BYTES = Gauge("headrace_transcoder_held_bytes", "Parts that wait for the log, all runs together")
RETAKES = Counter(
    "headrace_transcoder_log_retakes_total",
    "Runs' logs taken over again by their own writers, by what was wrong",
    ["reason"],
)
RESTAGED = Counter("headrace_transcoder_entries_restaged_total", "Entries staged again since the log had lost them")
PARTS_DROPPED = Counter(
    "headrace_transcoder_parts_dropped_total", "Parts without a place in a log that had lost everything"
)
TAIL_DROPPED = Counter(
    "headrace_transcoder_tail_dropped_total", "Entries not durable yet that were no longer kept, for want of room"
)
UNDURABLE = Counter(
    "headrace_transcoder_undurable_seconds_total", "Time that runs spent without all replicas of their logs"
)
