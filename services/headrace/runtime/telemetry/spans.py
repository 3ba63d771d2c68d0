"""The names of all spans, in the order in which a start that goes well ends them, and of what they carry.

Law: an attribute is a name, a number or a code of ours. No key, no address with one in it, no sentence of a peer's.
Neighbours: `traces` makes the spans, `docs/how-to/traces.md` says what each of them means.
"""

from enum import Enum, unique
from typing import NamedTuple


class Step(NamedTuple):
    """What a span is about. `kind`: of the two sides of a call the one, or neither (as OpenTelemetry names them)."""

    name: str
    kind: str = "INTERNAL"


@unique
class Span(Enum):
    """Every span there is."""

    CONNECT = Step("rtmp connect")
    """Edge: from the accepted socket to the question for a publish."""
    CONTROL_OPEN = Step("control open session", "SERVER")
    """Control: its answer to that question."""
    OPEN_SESSION = Step("open session", "CLIENT")
    """Edge: the same, as it waits for it."""
    DESCRIBE = Step("describe source")
    """Edge: from the accepted publish until the source can be told."""
    CONTROL_ALLOCATE = Step("control allocate", "SERVER")
    """Control: the plan and a transcoder."""
    ALLOCATE = Step("allocate", "CLIENT")
    """Edge: the same, as it waits for it."""
    TAKEOVER = Step("log takeover")
    """Transcoder: the log is its own now."""
    TAKE_WORKER = Step("take worker")
    """Transcoder: a process to encode in."""
    TAKE_RUN = Step("take run", "SERVER")
    """Transcoder: from the edge's first message to its acceptance."""
    INGEST = Step("ingest", "CLIENT")
    """Edge: from the dialled transcoder to the word that it takes the media."""
    FIRST_OUTPUT = Step("first output")
    """Transcoder: from the accepted run to the first part that the worker hands out."""
    FIRST_PART = Step("first part")
    """Transcoder: from the accepted run to the first part that the log shows."""
    PUBLISH = Step("publish", "SERVER")
    """Edge, the root: from the accepted socket to the first media that is published in every rendition."""
    FIRST_PLAYLIST = Step("first playlist")
    """Origin: from its first request for the run to the first playlist that lists something."""


@unique
class Attribute(Enum):
    """Everything that a span may carry."""

    STREAM = "headrace.stream"
    RUN = "headrace.run"
    SESSION = "headrace.session"
    ATTEMPT = "headrace.attempt"
    WORKER = "headrace.worker"
    """`ready`, `starting` or `new`: what was found when one was taken."""
    ERROR = "error.type"
    """A code of the error table, or the name of what happened."""
