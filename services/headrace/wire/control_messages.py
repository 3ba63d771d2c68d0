"""What control is asked and told, as values and as bytes.

Law: what is decoded equals what was encoded, or decoding raises WireError. Neighbours: `control` has the calls that
carry these.
"""

from dataclasses import dataclass
from enum import Enum

from headrace.core.broadcast import Plan, Profile, RunId, StreamId
from headrace.wire.errors import WireError
from headrace.wire.types import parse, plan_from_wire, plan_to_wire, profile_from_wire, profile_to_wire, require
from headrace.wire.v1 import control_pb2 as pb


class ReleaseReason(Enum):
    """Why a publisher is gone: on purpose, by a lost socket (it may come back), or by our failure or refusal."""

    ENDED = "ended"
    LOST = "lost"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """An accepted publish: `session` is its number in the run, `session_id` its random name."""

    stream: StreamId
    run: RunId
    session: int
    session_id: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Allocated:
    """Where a run's media goes: gRPC targets, the first to be dialled, the others standbys."""

    plan: Plan
    transcoders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PodReport:
    """What a pod says once a second. `target`: its gRPC target for Ingest. `capacity` and `used`: pixels/s."""

    pod: str
    target: str
    version: str
    ready: bool
    capacity: int
    used: int
    runs: tuple[RunId, ...]


REASON_NUMBERS = {
    ReleaseReason.ENDED: pb.RELEASE_REASON_ENDED,
    ReleaseReason.LOST: pb.RELEASE_REASON_LOST,
    ReleaseReason.FAILED: pb.RELEASE_REASON_FAILED,
}


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
    ).SerializeToString()


def opened_from_bytes(data: bytes) -> OpenedSession:
    """The opposite. Raises WireError."""
    message = parse(pb.OpenSessionResponse, data)
    require(message, "profile")
    return OpenedSession(
        StreamId(message.stream),
        RunId(message.run),
        message.session,
        message.session_id,
        profile_from_wire(message.profile),
    )


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
    ).SerializeToString()


def report_from_bytes(data: bytes) -> PodReport:
    """The opposite. Raises WireError."""
    message = parse(pb.PodReport, data)
    if not message.pod or not message.target:
        raise WireError("PodReport: pod and target are needed")
    runs = tuple(RunId(run) for run in message.runs)
    return PodReport(message.pod, message.target, message.version, message.ready, message.capacity, message.used, runs)
