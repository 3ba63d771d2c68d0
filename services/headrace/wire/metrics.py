"""Metrics of what goes between services, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.runtime.telemetry.metrics import Counter, Gauge

CERTIFICATE_ENDS = Gauge(
    "headrace_wire_certificate_not_after_seconds", "When the certificate in use ends, Unix time; 0: there is none."
)
HANDSHAKES = Counter(
    "headrace_wire_handshakes_total", "TLS handshakes that callers began; those that fail leave no other trace here."
)
UNRESOLVED = Counter(
    "headrace_wire_failed_lookups_total", "Look-ups of the name of control's replicas that brought no address."
)
RELOADS = Counter(
    "headrace_wire_certificate_reloads_total",
    "Times that the certificate's files had changed and were read, by what became of them.",
    {"outcome": ("taken", "refused")},
)
REFUSED = Counter(
    "headrace_wire_refused_calls_total",
    "Calls refused for who made them, by what their certificate was not.",
    {"reason": ("no_identity", "foreign", "role", "kind")},
)
