"""The origin's metrics, declared once."""

from headrace.runtime.telemetry.metrics import Counter, Gauge

REQUESTS = Counter("headrace_origin_requests_total", "HTTP requests answered.", ["kind", "status"])
SENT_BYTES = Counter("headrace_origin_sent_bytes_total", "Bodies' bytes handed to the HTTP server.", ["kind"])
WAITING = Gauge("headrace_origin_waiting_requests", "Requests that wait for what is about to be published.")
LOG_READINGS = Counter("headrace_origin_log_readings_total", "Readings of runs taken from the live log.")
LOG_ERRORS = Counter("headrace_origin_log_errors_total", "Reads that the live log refused or did not answer.", ["code"])
RUNS_FOLLOWED = Gauge("headrace_origin_runs_followed", "Runs that are being followed.")
CACHE_LOOKUPS = Counter("headrace_origin_media_lookups_total", "Segments and parts looked up in the cache.", ["result"])
CACHE_BYTES = Gauge("headrace_origin_media_cache_bytes", "Bytes of segments and parts in the cache.")
