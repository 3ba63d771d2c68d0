"""What an Ingest stream consists of, as values and as bytes.

Law: every frame passes here, so a batch is one message and a frame costs one call into protobuf each way.
Neighbours: `media` has the calls that carry these.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.core.broadcast import Epoch, Hold, LeaseToken, Plan, RunId, Source
from headrace.core.media import Frame, Kind
from headrace.wire.errors import WireError
from headrace.wire.types import parse, plan_from_wire, plan_to_wire, require, source_from_wire, source_to_wire
from headrace.wire.v1 import media_pb2 as pb

MAX_FRAMES = (
    8192  # in a message; batches of edges hold 2048 at the most, and empty ones would cost fifty times their size
)
_KINDS = {int(kind): kind for kind in Kind}  # faster than the enum's own look-up, and every frame needs it


@dataclass(frozen=True, slots=True)
class Open:
    """The first message of a call: one attempt at one session of a run.

    `floor`: durable_through as the edge knows it, ticks. `anchor_ms`: Unix time in milliseconds at timeline 0.
    `starts_at`: where the session's media starts, ticks. `token`: the session's lease token, where control signs any.
    """

    run: RunId
    session: int
    session_id: str
    attempt: int
    floor: int
    plan: Plan
    source: Source
    anchor_ms: int
    starts_at: int = 0
    token: LeaseToken | None = None

    @property
    def epoch(self) -> Epoch:
        """(session, attempt)."""
        return Epoch(self.session, self.attempt)


@dataclass(frozen=True, slots=True)
class Frames:
    """A batch, in the order in which the encoder sent it."""

    frames: Sequence[Frame]


@dataclass(frozen=True, slots=True)
class End:
    """The source ended on purpose."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The transcoder took the run: send media from the source keyframe before `resume_from` (ticks)."""

    resume_from: int


@dataclass(frozen=True, slots=True)
class IngestRefused:
    """It did not. `code` is one of the error table, `fence` the log's epoch where that is why."""

    code: str
    description: str
    fence: Epoch | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything before these times (ticks) is published in every rendition, and safe in the log: forget the latter."""

    published_through: int
    durable_through: int


@dataclass(frozen=True, slots=True)
class Draining:
    """The transcoder is going away: dial another."""


Up = Open | Frames | Hold | End
Down = Accepted | IngestRefused | Progress | Draining


def up_to_bytes(step: Up) -> bytes:
    """A message from edge to transcoder."""
    message = pb.IngestUp()
    if isinstance(step, Frames):
        add = message.frames.frames.add
        for kind, keyframe, dts, pts, data, sample, samples, jump in step.frames:
            add(
                kind=kind,
                keyframe=keyframe,
                dts=dts,
                pts=pts,
                data=data,
                sample=sample,
                samples=samples,
                jump=jump,
            )
        message.frames.SetInParent()
    elif isinstance(step, Open):
        message.open.CopyFrom(
            pb.Open(
                run=step.run,
                session=step.session,
                session_id=step.session_id,
                attempt=step.attempt,
                floor=step.floor,
                plan=plan_to_wire(step.plan),
                source=source_to_wire(step.source),
                anchor_ms=step.anchor_ms,
                starts_at=step.starts_at,
                token=step.token.reveal() if step.token is not None else "",
            )
        )
    elif isinstance(step, Hold):
        message.hold.CopyFrom(pb.Hold(at=step.at))
    else:
        message.end.SetInParent()
    return message.SerializeToString()


def up_from_bytes(data: bytes) -> Up:
    """The opposite. Raises WireError."""
    message = parse(pb.IngestUp, data)
    step = message.WhichOneof("step")
    if step == "frames":
        if len(message.frames.frames) > MAX_FRAMES:
            raise WireError(f"Frames: {len(message.frames.frames)} at once, {MAX_FRAMES} are allowed")
        try:
            return Frames(
                [
                    Frame(_KINDS[f.kind], f.keyframe, f.dts, f.pts, f.data, f.sample, f.samples, f.jump)
                    for f in message.frames.frames
                ]
            )
        except KeyError as error:
            raise WireError(f"Frame.kind: {error} is not known") from error
    if step == "open":
        opened = message.open
        require(opened, "plan")
        require(opened, "source")
        # Sessions and attempts count from 1.
        if not (opened.run and opened.session and opened.session_id and opened.attempt):
            raise WireError("Open: run, session, session_id and attempt are needed")
        return Open(
            RunId(opened.run),
            opened.session,
            opened.session_id,
            opened.attempt,
            opened.floor,
            plan_from_wire(opened.plan),
            source_from_wire(opened.source),
            opened.anchor_ms,
            opened.starts_at,
            LeaseToken(opened.token) if opened.token else None,
        )
    if step == "hold":
        return Hold(message.hold.at)
    if step == "end":
        return End()
    raise WireError("IngestUp: no step that this version knows")


def down_to_bytes(step: Down) -> bytes:
    """A message from transcoder to edge."""
    if isinstance(step, Progress):
        progress = pb.Progress(published_through=step.published_through, durable_through=step.durable_through)
        message = pb.IngestDown(progress=progress)
    elif isinstance(step, Accepted):
        message = pb.IngestDown(accepted=pb.Accepted(resume_from=step.resume_from))
    elif isinstance(step, IngestRefused):
        fence = step.fence or Epoch(0, 0)
        refused = pb.Refused(
            reason=step.code, description=step.description, fence_session=fence.session, fence_attempt=fence.attempt
        )
        message = pb.IngestDown(refused=refused)
    else:
        message = pb.IngestDown(draining=pb.Draining())
    return message.SerializeToString()


def down_from_bytes(data: bytes) -> Down:
    """The opposite. Raises WireError."""
    message = parse(pb.IngestDown, data)
    step = message.WhichOneof("step")
    if step == "progress":
        return Progress(message.progress.published_through, message.progress.durable_through)
    if step == "accepted":
        return Accepted(message.accepted.resume_from)
    if step == "refused":
        refused = message.refused
        fence = Epoch(refused.fence_session, refused.fence_attempt)
        # Sessions count from 1, so an epoch of zeros is none.
        return IngestRefused(refused.reason, refused.description, fence if fence.session else None)
    if step == "draining":
        return Draining()
    raise WireError("IngestDown: no step that this version knows")
