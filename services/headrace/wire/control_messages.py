"""What control is asked and told, as values and as bytes.

Law: what is decoded equals what was encoded, or decoding raises WireError. Neighbours: `control` has the calls that
carry these.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from headrace.core.broadcast import LeaseToken, Plan, Profile, RunId, SignedLease, Source, StreamId
from headrace.wire.errors import WireError
from headrace.wire.types import (
    parse,
    plan_from_wire,
    plan_to_wire,
    profile_from_wire,
    profile_to_wire,
    require,
    source_from_wire,
    source_to_wire,
)
from headrace.wire.v1 import control_pb2 as pb


class ReleaseReason(Enum):
    """Why a publisher is gone: on purpose, by a lost socket (it may come back), or by our failure or refusal."""

    ENDED = "ended"
    LOST = "lost"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """An accepted publish: `session` is its number in the run, `session_id` its random name.

    A session that goes on with a run has the run's `plan` and `anchor_ms` (Unix time at timeline 0), and its media
    starts at `starts_at` (ticks); the first one makes them. It is held for `lease_s` after each renewal. Transcoders
    are shown `lease`, where control signs any.
    """

    stream: StreamId
    run: RunId
    session: int
    session_id: str
    profile: Profile
    starts_at: int = 0
    anchor_ms: int = 0
    plan: Plan | None = None
    lease_s: float = 15.0
    lease: SignedLease | None = None


@dataclass(frozen=True, slots=True)
class Allocated:
    """Where a run's media goes: gRPC targets, the first to be dialled, the others standbys."""

    plan: Plan
    transcoders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldSession:
    """A session as its edge knows it. `anchor_ms`, `plan`, `source` and `transcoder` (a target) once they are there.

    `lease_expires_ms`: when the edge's lease token does (Unix time); 0: it wants a new one.
    """

    session_id: str
    stream: StreamId
    run: RunId
    session: int
    peer: str
    anchor_ms: int = 0
    plan: Plan | None = None
    source: Source | None = None
    transcoder: str = ""
    lease_expires_ms: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What control says of a session. Where it is not `held` any more, `reason` and `description` say why.

    `suspect`: its transcoder has gone silent. `lease`: a new one, in place of one that has not long to live.
    """

    session_id: str
    held: bool
    reason: str = ""
    description: str = ""
    suspect: bool = False
    lease: SignedLease | None = None


class PodKind(Enum):
    """What a pod is."""

    EDGE = "edge"
    TRANSCODER = "transcoder"
    ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class SessionReport:
    """A session on an edge, and how long it has had no media."""

    session_id: str
    idle_ms: int


@dataclass(frozen=True, slots=True)
class PodReport:
    """What a pod says once a second. `zone` is '' where nobody told it.

    A transcoder's `target` is where it serves Ingest, `capacity` and `used` are pixels/s, `runs` what it works on;
    `sessions` are an edge's. `sent_ms` is the pod's clock, Unix time in milliseconds, 0 in most reports: one that says
    nothing new is read once.
    """

    pod: str
    target: str
    version: str
    ready: bool
    capacity: int
    used: int
    runs: tuple[RunId, ...]
    kind: PodKind = PodKind.TRANSCODER
    zone: str = ""
    sessions: tuple[SessionReport, ...] = ()
    sent_ms: int = 0


REASON_NUMBERS = {
    ReleaseReason.ENDED: pb.RELEASE_REASON_ENDED,
    ReleaseReason.LOST: pb.RELEASE_REASON_LOST,
    ReleaseReason.FAILED: pb.RELEASE_REASON_FAILED,
}


_KIND_NUMBERS = {
    PodKind.EDGE: pb.POD_KIND_EDGE,
    PodKind.TRANSCODER: pb.POD_KIND_TRANSCODER,
    PodKind.ORIGIN: pb.POD_KIND_ORIGIN,
}
MAX_NAME_CHARS = 200  # as control's database keeps a pod's

_KINDS = {number: kind for kind, number in _KIND_NUMBERS.items()}


def reason_from_wire(number: int) -> ReleaseReason:
    """Raises WireError where this version knows no such reason."""
    for reason, known in REASON_NUMBERS.items():
        if known == number:
            return reason
    raise WireError(f"ReleaseRequest.reason: {number} is not known")


def opened_to_bytes(opened: OpenedSession) -> bytes:
    """An OpenSessionResponse."""
    return pb.OpenSessionResponse(
        stream=opened.stream,
        run=opened.run,
        session=opened.session,
        session_id=opened.session_id,
        profile=profile_to_wire(opened.profile),
        starts_at=opened.starts_at,
        anchor_ms=opened.anchor_ms,
        plan=None if opened.plan is None else plan_to_wire(opened.plan),
        lease_ms=round(opened.lease_s * 1000),
        token=_lease_to_wire(opened.lease),
    ).SerializeToString()


def opened_from_bytes(data: bytes) -> OpenedSession:
    """The opposite. Raises WireError."""
    message = parse(pb.OpenSessionResponse, data)
    require(message, "profile")
    profile = profile_from_wire(message.profile)
    if not (message.stream and message.run and message.session and message.session_id and message.lease_ms):
        raise WireError("OpenSessionResponse: stream, run, session, session_id and lease_ms are needed")
    return OpenedSession(
        StreamId(message.stream),
        RunId(message.run),
        message.session,
        message.session_id,
        profile,
        message.starts_at,
        message.anchor_ms,
        plan_from_wire(message.plan) if message.HasField("plan") else None,
        message.lease_ms / 1000,
        _lease_from_wire(message.token) if message.HasField("token") else None,
    )


def _lease_to_wire(lease: SignedLease | None) -> pb.LeaseToken | None:
    return None if lease is None else pb.LeaseToken(jwt=lease.token.reveal(), expires_ms=lease.expires_ms)


def _lease_from_wire(message: pb.LeaseToken) -> SignedLease:
    if not message.jwt:
        raise WireError("LeaseToken.jwt: missing")
    return SignedLease(LeaseToken(message.jwt), message.expires_ms)


def allocated_to_bytes(allocated: Allocated) -> bytes:
    """An AllocateResponse."""
    return pb.AllocateResponse(plan=plan_to_wire(allocated.plan), transcoders=allocated.transcoders).SerializeToString()


def allocated_from_bytes(data: bytes) -> Allocated:
    """The opposite. Raises WireError."""
    message = parse(pb.AllocateResponse, data)
    require(message, "plan")
    if not message.transcoders:
        raise WireError("AllocateResponse.transcoders: at least one is needed")
    return Allocated(plan_from_wire(message.plan), tuple(message.transcoders))


def renew_to_bytes(edge: str, sessions: Iterable[HeldSession]) -> bytes:
    """A RenewRequest."""
    held = (
        pb.HeldSession(
            session_id=one.session_id,
            stream=one.stream,
            run=one.run,
            session=one.session,
            peer=one.peer,
            anchor_ms=one.anchor_ms,
            plan=None if one.plan is None else plan_to_wire(one.plan),
            source=None if one.source is None else source_to_wire(one.source),
            transcoder=one.transcoder,
            token_expires_ms=one.lease_expires_ms,
        )
        for one in sessions
    )
    return pb.RenewRequest(edge=edge, sessions=held).SerializeToString()


def renew_from_bytes(data: bytes) -> tuple[str, tuple[HeldSession, ...]]:
    """The opposite. Raises WireError."""
    message = parse(pb.RenewRequest, data)
    if not all(one.session_id and one.stream and one.run and one.session for one in message.sessions):
        raise WireError("HeldSession: session_id, stream, run and session are needed")
    return message.edge, tuple(
        HeldSession(
            one.session_id,
            StreamId(one.stream),
            RunId(one.run),
            one.session,
            one.peer,
            one.anchor_ms,
            plan_from_wire(one.plan) if one.HasField("plan") else None,
            source_from_wire(one.source) if one.HasField("source") else None,
            one.transcoder,
            one.token_expires_ms,
        )
        for one in message.sessions
    )


def verdicts_to_bytes(verdicts: Iterable[Verdict]) -> bytes:
    """A RenewResponse."""
    return pb.RenewResponse(
        verdicts=(
            pb.Verdict(
                session_id=one.session_id,
                held=one.held,
                reason=one.reason,
                description=one.description,
                suspect=one.suspect,
                token=_lease_to_wire(one.lease),
            )
            for one in verdicts
        )
    ).SerializeToString()


def verdicts_from_bytes(data: bytes) -> tuple[Verdict, ...]:
    """The opposite. Raises WireError."""
    message = parse(pb.RenewResponse, data)
    if not all(one.session_id for one in message.verdicts):
        raise WireError("Verdict.session_id: missing")
    return tuple(
        Verdict(
            one.session_id,
            one.held,
            one.reason,
            one.description,
            one.suspect,
            _lease_from_wire(one.token) if one.HasField("token") else None,
        )
        for one in message.verdicts
    )


def report_to_bytes(report: PodReport) -> bytes:
    """A PodReport."""
    return pb.PodReport(
        pod=report.pod,
        target=report.target,
        version=report.version,
        ready=report.ready,
        capacity=report.capacity,
        used=report.used,
        runs=report.runs,
        kind=_KIND_NUMBERS[report.kind],
        zone=report.zone,
        sessions=(pb.SessionReport(session_id=one.session_id, idle_ms=one.idle_ms) for one in report.sessions),
        sent_ms=report.sent_ms,
    ).SerializeToString()


def report_from_bytes(data: bytes) -> PodReport:
    """The opposite. Raises WireError."""
    message = parse(pb.PodReport, data)
    kind = _KINDS.get(message.kind)
    if kind is None:
        raise WireError(f"PodReport.kind: {message.kind} is not known")
    if not message.pod or (kind is PodKind.TRANSCODER and not message.target):
        raise WireError("PodReport: pod is needed, and a transcoder's target")
    if not all(one.session_id for one in message.sessions):
        raise WireError("SessionReport.session_id: missing")
    if max(map(len, (message.pod, message.target, message.version, message.zone))) > MAX_NAME_CHARS:
        raise WireError(f"PodReport: a name is longer than {MAX_NAME_CHARS} characters")
    return PodReport(
        message.pod,
        message.target,
        message.version,
        message.ready,
        message.capacity,
        message.used,
        tuple(RunId(run) for run in message.runs),
        kind,
        message.zone,
        tuple(SessionReport(one.session_id, one.idle_ms) for one in message.sessions),
        message.sent_ms,
    )
