"""A run's trace: its id, whether it is recorded, and how one span names itself to another process.

Law: a trace's id is made of its run's, and decides by itself, so that every pod with the same ratio decides alike.
Source: W3C Trace Context, §3.2. Neighbours: `recording` and `traces`.
"""

import hashlib
import re
from typing import NamedTuple

from headrace.core.broadcast import RunId

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_LOW = 2**64  # a trace's lower half is compared, as OpenTelemetry's own sampler does (TraceIdRatioBased)


class Remote(NamedTuple):
    """A span of another process."""

    trace_id: int
    span_id: int


def trace_id_of(run: RunId) -> int:
    """A run's trace: 128 bits that look random."""
    return int.from_bytes(hashlib.sha256(f"headrace run {run}".encode()).digest()[:16], "big") or 1


def chosen(trace_id: int, ratio: float) -> bool:
    """Whether a trace is recorded where `ratio` of all are."""
    return trace_id % _LOW < ratio * _LOW


def parsed(traceparent: str) -> Remote | None:
    """The span that W3C's `traceparent` names; None where it names none."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    trace_id, span_id = int(match[1], 16), int(match[2], 16)
    return Remote(trace_id, span_id) if trace_id and span_id else None


def traceparent_of(trace_id: int, span_id: int) -> str:
    """The opposite, of a span that is recorded."""
    return f"00-{trace_id:032x}-{span_id:016x}-01"
