"""The origin's metrics, declared once."""

from headrace.runtime.telemetry.metrics import Counter, Gauge, Histogram

REQUESTS = Counter("headrace_origin_requests_total", "HTTP requests answered.", ["kind", "status"])
SENT_BYTES = Counter("headrace_origin_sent_bytes_total", "Bodies' bytes handed to the HTTP server.", ["kind"])
WAITING = Gauge("headrace_origin_waiting_requests", "Requests that wait for what is about to be published.")
LOG_READINGS = Counter("headrace_origin_log_readings_total", "Readings of runs taken from the live log.")
LOG_ERRORS = Counter("headrace_origin_log_errors_total", "Reads that the live log refused or did not answer.", ["code"])
LOG_LOOKS = Counter(
    "headrace_origin_log_looks_total", "Readings for requests that asked for what was not known here yet."
)
UNKNOWN_ENTRIES = Counter(
    "headrace_origin_unknown_entries_total", "Log entries of kinds that this version does not know, which were skipped."
)
PART_AGE = Histogram(
    "headrace_origin_part_age_seconds",
    "From the end of a part's media on its run's clock to the part's place in playlists here.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
)
STALE_ANSWERS = Counter(
    "headrace_origin_stale_answers_total",
    "Answers from what was known: playlists of live runs that should have grown, and newest runs not looked up.",
    ["kind"],
)
RUNS_FOLLOWED = Gauge("headrace_origin_runs_followed", "Runs that are being followed.")
CACHE_LOOKUPS = Counter("headrace_origin_media_lookups_total", "Segments and parts looked up in the cache.", ["result"])
CACHE_BYTES = Gauge("headrace_origin_media_cache_bytes", "Bytes of segments and parts in the cache.")
