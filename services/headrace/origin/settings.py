"""What an origin can be told.

Law: read once, immutable, passed down.
"""

from pydantic import Field

from headrace.runtime.config import PodSettings


class OriginSettings(PodSettings):
    """`HEADRACE_*` variables of the origin service."""

    service = "origin"

    origin_cache_bytes: int = Field(default=128 * 1024 * 1024, ge=0)
    """Segments and parts kept in memory, bytes; one that is larger is served without being kept."""

    origin_idle_s: float = Field(default=60.0, gt=0)
    """How long a run is followed after its last request, seconds."""

    origin_max_waiting: int = Field(default=10_000, ge=1)
    """Requests that may wait at once for what is about to be published; more are answered 503."""

    control_target: str = ""
    """gRPC targets of control's replicas, separated by commas: a name counts for all its addresses. Each is told once a
    second that this origin is there; empty: nobody is."""
