"""Metrics of a process, in Prometheus' form.

Law: names are `headrace_<service>_<what>_<unit>`; no label holds a stream, a run or a key.
"""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

__all__ = ["Counter", "Gauge", "Histogram", "exposition"]

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, that nobody reads


def exposition() -> tuple[bytes, str]:
    """All metrics of the process, and the media type of their text."""
    return generate_latest(), CONTENT_TYPE_LATEST
