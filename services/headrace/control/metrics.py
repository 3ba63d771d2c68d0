"""Control's metrics, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.core.broadcast.refusals import Reason
from headrace.runtime.telemetry.metrics import OTHER, Counter, Gauge, Histogram

# What the API and the console have; files of the console are all `/console`.
ROUTES = (
    *("/v1/streams", "/v1/streams/{stream_id}", "/v1/streams/{stream_id}/key", "/v1/pods"),
    *("/", "/docs", "/errors", "/console/login", "/console/logout", "/console", "/openapi.json"),
    *("/livez", "/readyz", "/metrics", OTHER),
)
METHODS = ("GET", "HEAD", "POST", "DELETE", OTHER)
STATUSES = (
    *("200", "201", "204", "206", "303", "304", "307"),
    *("400", "401", "403", "404", "405", "409", "413", "416", "422", "429", "500", "503", OTHER),
)

SESSIONS_OPENED = Counter("headrace_control_opened_sessions_total", "Publishes that were accepted.")
SESSIONS_REFUSED = Counter(
    "headrace_control_refused_sessions_total",
    "Publishes that were refused, by why: when they asked, or when they had described their source. An edge asks other "
    "replicas where one is `unavailable`, so that may be counted at each.",
    {"reason": [reason.value for reason in Reason]},
)
SESSIONS_VANISHED = Counter("headrace_control_vanished_sessions_total", "Sessions whose edge never said goodbye.")
RUNS_ENDED = Counter("headrace_control_ended_runs_total", "Runs that came to their end.")
END_FAILURES = Counter("headrace_control_end_failures_total", "Tries to end a run that the log did not take.")
STREAMS = Gauge("headrace_control_streams", "Streams that exist.")
RUNS_LIVE = Gauge("headrace_control_live_runs", "Runs without an end.")
TRANSCODERS = Gauge("headrace_control_transcoders", "Transcoders that report.")
WAITING = Gauge(
    "headrace_control_waiting_publishes",
    "Publishes that wait here: to be looked at, for a transcoder's name, for a turn at the database, for room.",
    {"queue": ("open", "allocate", "database", "room")},
)
WAITING_LIMIT = Gauge(
    "headrace_control_waiting_limit_publishes", "How many may wait in each queue; one more is refused."
)
DATABASE_FAILURES = Counter(
    "headrace_control_database_failures_total",
    "Rounds of upkeep that the database did not answer: of the books of who holds what, or of runs that are over.",
    {"by": ("accounts", "endings")},
)
REQUESTS = Counter(
    "headrace_control_requests_total",
    "HTTP requests answered, by the route's template.",
    {"route": ROUTES, "method": METHODS, "status": STATUSES},
)
REQUEST_S = Histogram(
    "headrace_control_request_seconds",
    "How long HTTP requests took, to the last byte of their answers.",
    {"route": ROUTES},
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
