"""The origin's metrics, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.runtime.telemetry.metrics import OTHER, Counter, Gauge, Histogram

# What can be asked for (`paths`), and everything else.
KINDS = ("multivariant", "playlist", "init", "segment", "part", OTHER)
LOG_CODES = (
    *("log_empty", "log_unreachable", "log_unavailable", "log_disagreement"),
    *("log_fenced", "log_ended", "log_stale", "log_out_of_step", "log_full", "log", OTHER),
)

REQUESTS = Counter(
    "headrace_origin_requests_total",
    "HTTP requests answered, by what was asked for.",
    {"kind": KINDS, "status": ("2xx", "3xx", "4xx", "5xx")},
)
SENT_BYTES = Counter("headrace_origin_sent_bytes_total", "Bodies' bytes handed to the HTTP server.", {"kind": KINDS})
WAITING = Gauge("headrace_origin_waiting_requests", "Requests that wait for what is about to be published.")
WAITING_LIMIT = Gauge("headrace_origin_waiting_limit_requests", "How many may wait; one more is answered 503.")
REFUSED = Counter(
    "headrace_origin_refused_requests_total",
    "Requests answered 503, by what there was too much of: requests that wait, or runs that cannot be read.",
    {"reason": ("too_many_waiting", "too_many_unread")},
)
LOG_READINGS = Counter("headrace_origin_log_readings_total", "Readings of runs taken from the live log.")
LOG_ERRORS = Counter(
    "headrace_origin_log_errors_total", "Reads that the live log refused or did not answer.", {"code": LOG_CODES}
)
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
EDGE_AGE = Histogram(
    "headrace_origin_live_edge_age_seconds",
    "How old the newest part of a followed run is that has not ended: each run once a second.",
    buckets=(0.2, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60),
)
OLDEST_EDGE = Gauge("headrace_origin_oldest_live_edge_seconds", "The same now, of the run where it is the oldest.")
FIRST_PLAYLIST = Histogram(
    "headrace_origin_first_playlist_seconds",
    "From a run's first picture until it had a playlist here; of runs that somebody waited for.",
    buckets=(0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30),
)
STALE_ANSWERS = Counter(
    "headrace_origin_stale_answers_total",
    "Answers from what was known: playlists of live runs that should have grown, and newest runs not looked up.",
    {"kind": ("multivariant", "playlist", "current")},
)
RUNS_FOLLOWED = Gauge("headrace_origin_followed_runs", "Runs that are being followed.")
CACHE_LOOKUPS = Counter(
    "headrace_origin_media_lookups_total",
    "Segments and parts looked up in the cache; `shared` ones came with somebody else's fetch.",
    {"result": ("hit", "miss", "shared")},
)
CACHE_BYTES = Gauge("headrace_origin_media_cache_bytes", "Bytes of segments and parts in the cache.")
CACHE_LIMIT = Gauge("headrace_origin_media_cache_limit_bytes", "How much the cache may hold.")
