"""Everything that crosses the wire comes back equal; everything else is a WireError."""

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import (
    End,
    Entry,
    Epoch,
    Hold,
    Init,
    LeaseToken,
    Plan,
    Profile,
    RunId,
    RunStart,
    SignedLease,
    Source,
    StreamId,
)
from headrace.core.media import Frame, Kind
from headrace.wire import control_messages, log, media, steps, types
from headrace.wire.control_messages import (
    Allocated,
    HeldSession,
    OpenedSession,
    PodKind,
    PodReport,
    ReleaseReason,
    SessionReport,
    Verdict,
)
from headrace.wire.errors import WireError
from headrace.wire.v1 import control_pb2, log_pb2, media_pb2, types_pb2
from tests.support import broadcasts
from tests.support.broadcasts import PLAN, SOURCE

u64 = st.integers(0, 2**64 - 1)
ticks = st.integers(-(2**63), 2**63 - 1)
names = st.text(max_size=10)
numbers = st.integers(1, 2**64 - 1)
epochs = st.builds(Epoch, session=numbers, attempt=u64)
given_names = st.text(min_size=1, max_size=10)
tokens = given_names.map(LeaseToken)
leases = st.none() | st.builds(SignedLease, token=tokens, expires_ms=ticks)

ups: st.SearchStrategy[media.Up] = st.one_of(
    st.builds(
        media.Open,
        run=given_names.map(RunId),
        session=numbers,
        session_id=given_names,
        attempt=numbers,
        floor=ticks,
        plan=broadcasts.plans,
        source=broadcasts.sources,
        anchor_ms=ticks,
        starts_at=ticks,
        token=st.none() | tokens,
    ),
    st.builds(media.Frames, frames=st.lists(broadcasts.frames, max_size=5)),
    st.builds(Hold, at=ticks),
    st.just(media.End()),
)
downs: st.SearchStrategy[media.Down] = st.one_of(
    st.builds(media.Accepted, resume_from=ticks),
    st.builds(media.IngestRefused, code=names, description=names, fence=st.none() | epochs),
    st.builds(media.Progress, published_through=ticks, durable_through=ticks),
    st.just(media.Draining()),
)
opened = st.builds(
    OpenedSession,
    stream=given_names.map(StreamId),
    run=given_names.map(RunId),
    session=numbers,
    session_id=given_names,
    profile=broadcasts.profiles(),
    starts_at=ticks,
    anchor_ms=ticks,
    plan=st.none() | broadcasts.plans,
    lease_s=st.integers(1, 2**32 - 1).map(lambda ms: ms / 1000),
    lease=leases,
)
allocated = st.builds(Allocated, plan=broadcasts.plans, transcoders=st.lists(names, min_size=1, max_size=3).map(tuple))
held = st.builds(
    HeldSession,
    session_id=given_names,
    stream=given_names.map(StreamId),
    run=given_names.map(RunId),
    session=numbers,
    peer=names,
    anchor_ms=ticks,
    plan=st.none() | broadcasts.plans,
    source=st.none() | broadcasts.sources,
    transcoder=names,
    lease_expires_ms=ticks,
)
verdicts = st.builds(
    Verdict,
    session_id=given_names,
    held=st.booleans(),
    reason=names,
    description=names,
    suspect=st.booleans(),
    lease=leases,
)
reports = st.builds(
    PodReport,
    pod=given_names,
    target=given_names,
    version=names,
    ready=st.booleans(),
    capacity=u64,
    used=u64,
    runs=st.lists(names.map(RunId), max_size=3).map(tuple),
    kind=st.sampled_from(PodKind),
    zone=names,
    sessions=st.lists(
        st.builds(SessionReport, session_id=given_names, idle_ms=st.integers(0, 2**32 - 1)), max_size=3
    ).map(tuple),
)

few = settings(max_examples=40)


@few
@given(ups)
@example(media.Frames([]))
def test_what_an_edge_sends_arrives_as_it_was(step: media.Up) -> None:
    assert steps.up_from_bytes(steps.up_to_bytes(step)) == step


@few
@given(downs)
def test_what_a_transcoder_answers_arrives_as_it_was(step: media.Down) -> None:
    assert steps.down_from_bytes(steps.down_to_bytes(step)) == step


def test_no_value_shows_a_lease_token() -> None:
    secret = LeaseToken("eyJ-secret")
    lease = SignedLease(secret, 1)
    values = (
        secret,
        lease,
        media.Open(RunId("r"), 1, "s", 1, 0, PLAN, SOURCE, 0, token=secret),
        OpenedSession(StreamId("s"), RunId("r"), 1, "i", Profile(source=True), lease=lease),
        Verdict("i", held=True, lease=lease),
    )
    for value in values:
        assert "LeaseToken(…)" in repr(value)
        assert "eyJ" not in f"{value} {value!r}"


def test_a_frames_kind_comes_back_as_a_kind() -> None:
    frame = Frame(Kind.AUDIO, True, -5, -5, b"x", -7, 1024, True)
    step = steps.up_from_bytes(steps.up_to_bytes(media.Frames([frame])))
    assert isinstance(step, media.Frames)
    assert step.frames[0].kind is Kind.AUDIO


@few
@given(opened)
def test_an_opened_session_arrives_as_it_was(answer: OpenedSession) -> None:
    assert control_messages.opened_from_bytes(control_messages.opened_to_bytes(answer)) == answer


@few
@given(allocated)
def test_an_allocation_arrives_as_it_was(answer: Allocated) -> None:
    assert control_messages.allocated_from_bytes(control_messages.allocated_to_bytes(answer)) == answer


@few
@given(reports)
def test_a_pods_report_arrives_as_it_was(report: PodReport) -> None:
    assert control_messages.report_from_bytes(control_messages.report_to_bytes(report)) == report


def test_a_pod_without_a_target_is_one_that_nobody_dials() -> None:
    report = PodReport("edge-0", "", "1", True, 0, 0, (), PodKind.EDGE)
    assert control_messages.report_from_bytes(control_messages.report_to_bytes(report)) == report


@few
@given(names, st.lists(held, max_size=3).map(tuple))
def test_held_sessions_arrive_as_they_were(edge: str, sessions: tuple[HeldSession, ...]) -> None:
    asked = control_messages.renew_to_bytes(edge, sessions)
    assert control_messages.renew_from_bytes(asked) == (edge, sessions)


@few
@given(st.lists(verdicts, max_size=3).map(tuple))
def test_verdicts_arrive_as_they_were(answer: tuple[Verdict, ...]) -> None:
    assert control_messages.verdicts_from_bytes(control_messages.verdicts_to_bytes(answer)) == answer


@pytest.mark.parametrize("reason", ReleaseReason)
def test_every_reason_to_release_has_its_number(reason: ReleaseReason) -> None:
    assert control_messages.reason_from_wire(control_messages.REASON_NUMBERS[reason]) is reason


@few
@given(broadcasts.entries)
def test_an_entry_comes_back_from_the_log_as_it_was(entry: Entry) -> None:
    assert log.entry_from_bytes(log.entry_to_bytes(entry)) == entry


@few
@given(broadcasts.plans)
def test_a_stored_plan_is_exact(plan: Plan) -> None:
    assert types.plan_from_bytes(types.plan_to_bytes(plan)) == plan


@few
@given(broadcasts.profiles())
def test_a_profile_arrives_as_it_was(profile: Profile) -> None:
    assert types.profile_from_wire(types.profile_to_wire(profile)) == profile


@few
@given(broadcasts.sources)
def test_a_source_arrives_as_it_was(source: Source) -> None:
    assert types.source_from_wire(types.source_to_wire(source)) == source


def test_equal_entries_have_equal_bytes() -> None:
    one = Init("720p", "avc1.640028", b"moov", 1280, 720, Fraction(48, 2))
    other = Init("720p", "avc1.640028", b"moov", 1280, 720, Fraction(24))
    assert log.entry_to_bytes(one) == log.entry_to_bytes(other)


def test_a_run_that_is_not_traced_begins_with_the_bytes_that_it_always_had() -> None:
    plan = types.plan_to_wire(PLAN)
    before = log_pb2.LogEntry(run=log_pb2.RunEntry(plan=plan, anchor_ms=7)).SerializeToString(deterministic=True)
    assert log.entry_to_bytes(RunStart(PLAN, 7)) == before
    traced = log.entry_to_bytes(RunStart(PLAN, 7, broadcasts.TRACEPARENT))
    assert traced != before
    known = log_pb2.LogEntry.FromString(traced)
    known.run.ClearField("traceparent")  # what a version knows of it that knows no traces
    assert log.entry_from_bytes(known.SerializeToString()) == RunStart(PLAN, 7)


def test_an_entry_of_a_later_version_is_none() -> None:
    later = bytes([15 << 3 | 2, 3]) + b"abc"  # field 15, length-delimited
    assert log.entry_from_bytes(later) is None
    assert log.entry_from_bytes(b"") is None


def test_a_field_of_a_later_version_is_skipped() -> None:
    assert log.entry_from_bytes(log.entry_to_bytes(End(90)) + bytes([15 << 3 | 0, 1])) == End(90)


DECODERS: list[Callable[[bytes], object]] = [
    steps.up_from_bytes,
    steps.down_from_bytes,
    control_messages.opened_from_bytes,
    control_messages.allocated_from_bytes,
    control_messages.report_from_bytes,
    control_messages.renew_from_bytes,
    control_messages.verdicts_from_bytes,
    log.entry_from_bytes,
    types.plan_from_bytes,
]

plan = types.plan_to_wire(PLAN)
source = types.source_to_wire(SOURCE)
no_rate = types_pb2.Plan(cut=types_pb2.CUT_GRID)
twins = types_pb2.Plan()
twins.CopyFrom(plan)
twins.video.add().CopyFrom(plan.video[0])
misnamed = types_pb2.Plan()
misnamed.CopyFrom(plan)
misnamed.video[0].name = "a/b"
zeroes = []
for field in ("segment", "part", "gap", "target_duration_s", "part_target_ms"):
    zeroed = types_pb2.Plan()
    zeroed.CopyFrom(plan)
    setattr(zeroed, field, 0)
    zeroes.append((field, zeroed))
many = [media_pb2.Frame(kind=media_pb2.KIND_AUDIO)] * (steps.MAX_FRAMES + 1)
no_video = types_pb2.Source()
profile = types.profile_to_wire(Profile(source=True))
whole: dict[str, Any] = {"stream": "s", "run": "r", "session": 1, "session_id": "i"}


opening: dict[str, Any] = {"run": "r", "session": 1, "session_id": "i", "attempt": 1}


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name != field}


BAD: list[tuple[str, Callable[[bytes], object], Any]] = [
    ("no step", steps.up_from_bytes, media_pb2.IngestUp()),
    ("no step", steps.down_from_bytes, media_pb2.IngestDown()),
    ("kind", steps.up_from_bytes, media_pb2.IngestUp(frames=media_pb2.Frames(frames=[media_pb2.Frame()]))),
    ("kind", steps.up_from_bytes, media_pb2.IngestUp(frames=media_pb2.Frames(frames=[{"kind": 9}]))),
    *(
        (
            field,
            steps.up_from_bytes,
            media_pb2.IngestUp(
                open=media_pb2.Open(
                    plan=plan, source=source, **{name: opening[name] for name in opening if name != field}
                )
            ),
        )
        for field in opening
    ),
    ("plan", steps.up_from_bytes, media_pb2.IngestUp(open=media_pb2.Open(run="r", source=source))),
    ("source", steps.up_from_bytes, media_pb2.IngestUp(open=media_pb2.Open(run="r", plan=plan))),
    ("video", steps.up_from_bytes, media_pb2.IngestUp(open=media_pb2.Open(plan=plan, source=no_video, **opening))),
    ("denominator", types.plan_from_bytes, no_rate),
    ("cut", types.plan_from_bytes, types_pb2.Plan(cut=7)),  # type: ignore[arg-type]
    ("cut", types.plan_from_bytes, types_pb2.Plan()),
    ("same name", types.plan_from_bytes, twins),
    ("rung", types.plan_from_bytes, misnamed),
    *((field, types.plan_from_bytes, zeroed) for field, zeroed in zeroes),
    ("profile", control_messages.opened_from_bytes, control_pb2.OpenSessionResponse()),
    ("rung", control_messages.opened_from_bytes, control_pb2.OpenSessionResponse(profile=types_pb2.Profile())),
    *(
        (
            field,
            control_messages.opened_from_bytes,
            control_pb2.OpenSessionResponse(profile=profile, lease_ms=1, **rest),
        )
        for field, rest in ((field, without(field)) for field in whole)
    ),
    ("lease_ms", control_messages.opened_from_bytes, control_pb2.OpenSessionResponse(profile=profile, **whole)),
    *(
        (field, control_messages.renew_from_bytes, control_pb2.RenewRequest(sessions=[without(field)]))
        for field in whole
    ),
    (
        "video",
        control_messages.renew_from_bytes,
        control_pb2.RenewRequest(sessions=[control_pb2.HeldSession(source=no_video, **whole)]),
    ),
    (
        "jwt",
        control_messages.opened_from_bytes,
        control_pb2.OpenSessionResponse(profile=profile, lease_ms=1, token=control_pb2.LeaseToken(), **whole),
    ),
    (
        "jwt",
        control_messages.verdicts_from_bytes,
        control_pb2.RenewResponse(verdicts=[control_pb2.Verdict(session_id="i", token=control_pb2.LeaseToken())]),
    ),
    ("session_id", control_messages.verdicts_from_bytes, control_pb2.RenewResponse(verdicts=[control_pb2.Verdict()])),
    ("kind", control_messages.report_from_bytes, control_pb2.PodReport(pod="p", target="t")),
    (
        "longer than 200",
        control_messages.report_from_bytes,
        control_pb2.PodReport(pod="p", target="t", kind=control_pb2.POD_KIND_EDGE, version="1" * 201),
    ),
    (
        "target",
        control_messages.report_from_bytes,
        control_pb2.PodReport(pod="p", kind=control_pb2.POD_KIND_TRANSCODER),
    ),
    (
        "session_id",
        control_messages.report_from_bytes,
        control_pb2.PodReport(pod="p", kind=control_pb2.POD_KIND_EDGE, sessions=[control_pb2.SessionReport(idle_ms=1)]),
    ),
    ("plan", control_messages.allocated_from_bytes, control_pb2.AllocateResponse(transcoders=["t"])),
    ("transcoders", control_messages.allocated_from_bytes, control_pb2.AllocateResponse(plan=plan)),
    (
        "pod",
        control_messages.report_from_bytes,
        control_pb2.PodReport(target="t", kind=control_pb2.POD_KIND_TRANSCODER),
    ),
    ("place", log.entry_from_bytes, log_pb2.LogEntry(part=log_pb2.PartEntry())),
    ("place", log.entry_from_bytes, log_pb2.LogEntry(gap=log_pb2.GapEntry())),
    ("rung", log.entry_from_bytes, log_pb2.LogEntry(gap=log_pb2.GapEntry(place=log_pb2.Place()))),
    ("rung", log.entry_from_bytes, log_pb2.LogEntry(init=log_pb2.InitEntry())),
    ("codecs", log.entry_from_bytes, log_pb2.LogEntry(init=log_pb2.InitEntry(rung="a", codecs='avc1"\n'))),
    ("encoder", log.entry_from_bytes, log_pb2.LogEntry(part=log_pb2.PartEntry(place=log_pb2.Place(rung="a")))),
    (
        "encoder",
        log.entry_from_bytes,
        log_pb2.LogEntry(gap=log_pb2.GapEntry(place=log_pb2.Place(rung="a"), encoder="a b")),
    ),
    ("plan", log.entry_from_bytes, log_pb2.LogEntry(run=log_pb2.RunEntry())),
]


@pytest.mark.parametrize(("word", "decode", "message"), BAD)
def test_a_message_without_what_it_needs_is_refused_by_the_fields_name(
    word: str, decode: Callable[[bytes], object], message: Any
) -> None:
    with pytest.raises(WireError, match=word):
        decode(message.SerializeToString())


def test_an_unknown_reason_to_release_is_refused() -> None:
    with pytest.raises(WireError, match="reason"):
        control_messages.reason_from_wire(0)


@settings(max_examples=150)
@given(st.sampled_from(DECODERS), st.binary(max_size=80))
def test_any_bytes_are_a_value_or_a_wire_error(decode: Callable[[bytes], object], data: bytes) -> None:
    with suppress(WireError):
        decode(data)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_message_is_a_value_or_a_wire_error(data: st.DataObject) -> None:
    decode, whole = data.draw(
        st.sampled_from(
            [
                (steps.up_from_bytes, steps.up_to_bytes(media.Open(RunId("r"), 1, "s", 1, 0, PLAN, SOURCE, 0))),
                (log.entry_from_bytes, log.entry_to_bytes(Init("720p", "avc1", b"moov", 1280, 720, Fraction(24)))),
                (types.plan_from_bytes, types.plan_to_bytes(PLAN)),
            ]
        )
    )
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        decode(bytes(damaged))
