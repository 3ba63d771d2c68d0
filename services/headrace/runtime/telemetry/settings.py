"""How a process logs, where its telemetry goes, and how much of it.

Law: the same variables for every service and for `headrace up`, and these are all that count: OpenTelemetry's own
`OTEL_*` variables change nothing. Neighbours: `logs`, `traces` and the metrics' exporter are told.
"""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from headrace.runtime.config import Settings


class LogFormatSettings(Settings):
    """`HEADRACE_LOG_*` variables of every process; `livelog.settings.LogSettings` is about the live log."""

    log_format: Literal["text", "json"] = "text"
    """`text`: lines for people; `json`: one object for each line, for programs."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this and what is worse."""


class TelemetrySettings(Settings):
    """`HEADRACE_*` variables of traces and metrics that are sent elsewhere; every service has them."""

    otlp_endpoint: str = ""
    """Where traces and metrics are sent by OTLP over gRPC: `https://host:4317`, or `http://host:4317` in plain text.

    Empty: nowhere.
    """

    trace_ratio: float = Field(default=1.0, ge=0, le=1)
    """Which part of all runs is traced, 0 to 1, the same on every pod. 0: none, and no refused publish either."""

    otlp_period_s: float = Field(default=15.0, ge=1)
    """How often metrics are sent there, seconds. Traces are sent each second."""

    @field_validator("otlp_endpoint")
    @classmethod
    def _check(cls, value: str) -> str:
        if value:
            check_endpoint(value)
        return value


def check_endpoint(url: str) -> None:
    """Raises ValueError where OTLP over gRPC could not be sent to it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.path.strip("/"):
        raise ValueError("an OTLP endpoint is http://host:port or https://host:port")
    if parts.query or parts.fragment or parts.port is None:  # whose own check raises ValueError, too
        raise ValueError("an OTLP endpoint is http://host:port or https://host:port")
