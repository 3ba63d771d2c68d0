"""Streams, runs and sessions as control keeps them.

Law: plain values, made by `db` and read by everybody else in the service. `*_ms` are Unix milliseconds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from headrace.core.broadcast import Profile, RunId, StreamId


class RunState(StrEnum):
    """A run in the database. `ABANDONED`: it is over, and its log, which does not answer, has no end yet."""

    LIVE = "live"
    ABANDONED = "abandoned"
    ENDED = "ended"


class SessionState(StrEnum):
    """A session in the database: `CLOSING` until all that it sent is in the log; the last three are final."""

    ACTIVE = "active"
    CLOSING = "closing"
    LOST = "lost"
    ENDED = "ended"
    FAILED = "failed"


class Gone(StrEnum):
    """Why a session is held no more: by its edge's word (the first three), or by control's decision."""

    ENDED = "ended"
    LOST = "lost"
    FAILED = "failed"
    SILENT = "silent"  # nobody heard of it for the length of its lease
    TAKEN = "taken"  # another publisher took its place


class PodState(StrEnum):
    """A transcoder in the database."""

    READY = "ready"
    DRAINING = "draining"


class HoldState(StrEnum):
    """An allocation: `RESERVED` until somebody is told which transcoder it is, `HELD` until that has let go of it."""

    RESERVED = "reserved"
    HELD = "held"


class StreamState(StrEnum):
    """A stream as the API shows it: `ENDING` where a run is live without a publisher."""

    IDLE = "idle"
    LIVE = "live"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class Session:
    """One publish inside a run. `peer` is the encoder's host:port, `closed_ms` when its publisher was gone.

    `starts_at`: where its media starts, ticks. `silent`: some replica of control has not heard of it for a while.
    """

    id: str
    run: RunId
    number: int
    state: SessionState
    edge: str
    peer: str
    opened_ms: int
    closed_ms: int | None
    starts_at: int = 0
    gone: Gone | None = None
    silent: bool = False

    @property
    def returned(self) -> bool:
        """Whether the run had another session before: then its plan is made, and what is sent must go on with it."""
        return self.number > 1


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run without an end, one of its sessions (the newest, unless asked by session), whether its plan is made.

    `last_session` is the highest number given out: whoever changes the run on the strength of what he saw expects it
    to be the same. `anchor_ms` is 0 before the plan is made.
    """

    id: RunId
    stream: StreamId
    created_ms: int
    planned: bool
    session: Session
    stream_deleted: bool
    last_session: int = 1
    anchor_ms: int = 0


class Active(NamedTuple):
    """An active session, its run, and whether it is marked silent: all that is looked at each second, of each."""

    session_id: str
    run: RunId
    silent: bool


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
class Pod:
    """A transcoder's row: it changes when the transcoder does, never by its reports. Pixels/s."""

    id: str
    target: str
    zone: str
    version: str
    state: PodState
    capacity: int
    held: int = 0
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a run holds on a transcoder, pixels/s. `held_ms`: when it was made, or last confirmed."""

    id: str
    run: RunId
    session_id: str
    pod: str
    cost: int
    state: HoldState
    held_ms: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What is stored once a run's source is described: `plan` and `source` as on the wire, pixels/s that it costs."""

    plan: bytes
    source: bytes
    anchor_ms: int
    cost: int


@dataclass(frozen=True, slots=True)
class Asked:
    """All that Allocate needs of a session: the run's plan and source (as on the wire) where they are known."""

    run: LiveRun
    profile: Profile
    plan: bytes | None
    source: bytes | None
    allocation: Allocation | None


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
