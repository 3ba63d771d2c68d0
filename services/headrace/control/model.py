"""Streams, runs and sessions as control keeps them.

Law: plain values, made by `db` and read by everybody else in the service. `*_ms` are Unix milliseconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from headrace.core.broadcast import Profile, RunId, StreamId


class RunState(StrEnum):
    """A run in the database."""

    LIVE = "live"
    ENDED = "ended"


class SessionState(StrEnum):
    """A session in the database: `CLOSING` until all that it sent is in the log; the last three are final."""

    ACTIVE = "active"
    CLOSING = "closing"
    LOST = "lost"
    ENDED = "ended"
    FAILED = "failed"


class StreamState(StrEnum):
    """A stream as the API shows it: `ENDING` where a run is live without a publisher."""

    IDLE = "idle"
    LIVE = "live"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class Session:
    """One publish inside a run. `peer` is the encoder's host:port, `closed_ms` when its publisher was gone."""

    id: str
    run: RunId
    number: int
    state: SessionState
    edge: str
    peer: str
    opened_ms: int
    closed_ms: int | None


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run without an end, one of its sessions (the newest, unless asked by session), whether its plan is made."""

    id: RunId
    stream: StreamId
    created_ms: int
    planned: bool
    session: Session
    stream_deleted: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """What the API creates. `profile_given` is the profile in the words of the request; `key_hint` the key's tail."""

    id: StreamId
    name: str
    profile: Profile
    profile_given: object
    key_hint: str
    created_ms: int
    live: LiveRun | None = None

    @property
    def state(self) -> StreamState:
        """Derived from the live run and its newest session."""
        if self.live is None:
            return StreamState.IDLE
        return StreamState.LIVE if self.live.session.state is SessionState.ACTIVE else StreamState.ENDING


@dataclass(frozen=True, slots=True)
class Replay:
    """What is kept of a request that carried an Idempotency-Key: enough to give its answer again, no secret.

    `salt` derives the stream key again together with secrets that are not in the database; `stream_key_digest` checks
    that it did.
    """

    request_digest: str
    stream: StreamId
    salt: bytes
    stream_key_digest: str
