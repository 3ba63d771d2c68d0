"""Plans, sources and profiles on the wire.

Law: what is decoded equals what was encoded, or decoding raises WireError. Messages go in and out as protobuf objects
here, since they are fields of others; `plan_to_bytes` is the plan alone, for whoever stores it.
Neighbours: `media`, `control` and `log` put these into their messages.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from headrace.core.broadcast import (
    AudioRung,
    AudioSource,
    Cut,
    Encoding,
    Plan,
    Profile,
    ProfileError,
    RungSpec,
    Source,
    VideoRung,
    VideoSource,
)
from headrace.core.broadcast.names import is_name
from headrace.wire.errors import WireError
from headrace.wire.v1 import types_pb2 as pb

M = TypeVar("M", bound=Message)

_CUTS = {Cut.GRID: pb.CUT_GRID, Cut.KEYFRAMES: pb.CUT_KEYFRAMES}
_POSITIVE = ("segment", "part", "gap", "target_duration_s", "part_target_ms", "source_rate")
"""Of a plan: all that somebody divides by, or waits for."""
_CUTS_BACK = {number: cut for cut, number in _CUTS.items()}


def parse(message: Callable[[], M], data: bytes) -> M:
    """`data` as a protobuf message of that class. Raises WireError."""
    parsed = message()
    try:
        parsed.ParseFromString(data)
    except DecodeError as error:
        raise WireError(f"{type(parsed).__name__}: these bytes are no such message") from error
    return parsed


def require(message: Message, field: str) -> None:
    """Raises WireError unless the sub-message `field` was sent."""
    if not message.HasField(field):
        raise WireError(f"{type(message).__name__}.{field}: missing")


def rational_to_wire(value: Fraction) -> pb.Rational:
    """A fraction in its lowest terms."""
    return pb.Rational(numerator=value.numerator, denominator=value.denominator)


def rational_from_wire(value: pb.Rational) -> Fraction:
    """An exact fraction. Raises WireError where the denominator is not at least 1."""
    if value.denominator < 1:
        raise WireError(f"Rational.denominator: {value.denominator} is below 1")
    return Fraction(value.numerator, value.denominator)


def source_to_wire(source: Source) -> pb.Source:
    """What an encoder sends."""
    video, audio = source.video, source.audio
    message = pb.Source(
        video=pb.VideoSource(
            codec=video.codec,
            config=video.config,
            width=video.width,
            height=video.height,
            sar=rational_to_wire(video.sar),
            frame_rate=rational_to_wire(video.frame_rate),
            kbps=video.kbps,
            delta=video.delta,
            first_segment=video.first_segment,
            closed=video.closed,
            intervals=video.intervals,
        )
    )
    if audio is not None:
        message.audio.CopyFrom(
            pb.AudioSource(
                codec=audio.codec,
                config=audio.config,
                sample_rate=audio.sample_rate,
                channels=audio.channels,
                frame_samples=audio.frame_samples,
                kbps=audio.kbps,
                grid=audio.grid,
            )
        )
    return message


def source_from_wire(message: pb.Source) -> Source:
    """The opposite. Raises WireError."""
    require(message, "video")
    video, audio = message.video, message.audio
    return Source(
        VideoSource(
            video.codec,
            video.config,
            video.width,
            video.height,
            rational_from_wire(video.sar),
            rational_from_wire(video.frame_rate),
            video.kbps,
            video.delta,
            video.first_segment,
            video.closed,
            tuple(video.intervals),
        ),
        AudioSource(
            audio.codec,
            audio.config,
            audio.sample_rate,
            audio.channels,
            audio.frame_samples,
            audio.kbps,
            audio.grid,
        )
        if message.HasField("audio")
        else None,
    )


def source_to_bytes(source: Source) -> bytes:
    """A source alone."""
    return source_to_wire(source).SerializeToString(deterministic=True)


def source_from_bytes(data: bytes) -> Source:
    """The opposite. Raises WireError."""
    return source_from_wire(parse(pb.Source, data))


def profile_to_wire(profile: Profile) -> pb.Profile:
    """What a user asked for."""
    return pb.Profile(
        source=profile.source,
        auto=profile.auto,
        rungs=[pb.RungSpec(height=r.height, fps=r.fps, crf=r.crf, maxrate_kbps=r.maxrate_kbps) for r in profile.rungs],
        audio_kbps=profile.audio_kbps,
        part_ms=profile.part_ms,
        segment_s=profile.segment_s,
        max_gop_s=profile.max_gop_s,
        window_s=profile.window_s,
    )


def profile_from_wire(message: pb.Profile) -> Profile:
    """The opposite. Raises WireError where the profile could not be obeyed."""
    try:
        return Profile(
            source=message.source,
            auto=message.auto,
            rungs=tuple(RungSpec(r.height, r.fps, r.crf, r.maxrate_kbps) for r in message.rungs),
            audio_kbps=message.audio_kbps,
            part_ms=message.part_ms,
            segment_s=message.segment_s,
            max_gop_s=message.max_gop_s,
            window_s=message.window_s,
        )
    except ProfileError as error:
        raise WireError(str(error)) from error


def plan_to_wire(plan: Plan) -> pb.Plan:
    """Every decision about a run."""
    message = pb.Plan(
        cut=_CUTS[plan.cut],
        video=[_video_rung_to_wire(rung) for rung in plan.video],
        segment=plan.segment,
        part=plan.part,
        gap=plan.gap,
        target_duration_s=plan.target_duration_s,
        part_target_ms=plan.part_target_ms,
        source_rate=rational_to_wire(plan.source_rate),
        window_s=plan.window_s,
        fold_version=plan.fold_version,
    )
    audio = plan.audio
    if audio is not None:
        message.audio.CopyFrom(
            pb.AudioRung(
                name=audio.name,
                sample_rate=audio.sample_rate,
                channels=audio.channels,
                frame_samples=audio.frame_samples,
                grid=audio.grid,
                kbps=audio.kbps,
            )
        )
    return message


def plan_from_wire(message: pb.Plan) -> Plan:
    """The opposite. Raises WireError."""
    cut = _CUTS_BACK.get(message.cut)
    if cut is None:
        raise WireError(f"Plan.cut: {message.cut} is not known")
    audio = message.audio
    plan = Plan(
        cut=cut,
        video=tuple(_video_rung_from_wire(rung) for rung in message.video),
        audio=AudioRung(audio.name, audio.sample_rate, audio.channels, audio.frame_samples, audio.grid, audio.kbps)
        if message.HasField("audio")
        else None,
        segment=message.segment,
        part=message.part,
        gap=message.gap,
        target_duration_s=message.target_duration_s,
        part_target_ms=message.part_target_ms,
        source_rate=rational_from_wire(message.source_rate),
        window_s=message.window_s,
        fold_version=message.fold_version,
    )
    if len(set(plan.rung_names)) != len(plan.rung_names):
        raise WireError("Plan: two rungs have the same name")
    if not all(map(is_name, plan.rung_names)):
        raise WireError("Plan: a rung's name is none")
    for field in _POSITIVE:
        if getattr(plan, field) <= 0:
            raise WireError(f"Plan.{field}: {getattr(plan, field)} is not above 0")
    return plan


def plan_to_bytes(plan: Plan) -> bytes:
    """A plan alone; equal plans give equal bytes."""
    return plan_to_wire(plan).SerializeToString(deterministic=True)


def plan_from_bytes(data: bytes) -> Plan:
    """The opposite. Raises WireError."""
    return plan_from_wire(parse(pb.Plan, data))


def _video_rung_to_wire(rung: VideoRung) -> pb.VideoRung:
    message = pb.VideoRung(
        name=rung.name,
        width=rung.width,
        height=rung.height,
        frame_rate=rational_to_wire(rung.frame_rate),
        stride=rung.stride,
        delta=rung.delta,
    )
    encoding = rung.encoding
    if encoding is not None:
        message.encoding.CopyFrom(
            pb.Encoding(
                crf=encoding.crf,
                maxrate_kbps=encoding.maxrate_kbps,
                bufsize_kbps=encoding.bufsize_kbps,
                preset=encoding.preset,
            )
        )
    return message


def _video_rung_from_wire(message: pb.VideoRung) -> VideoRung:
    encoding = message.encoding
    return VideoRung(
        message.name,
        message.width,
        message.height,
        rational_from_wire(message.frame_rate),
        message.stride,
        message.delta,
        Encoding(encoding.crf, encoding.maxrate_kbps, encoding.bufsize_kbps, encoding.preset)
        if message.HasField("encoding")
        else None,
    )
