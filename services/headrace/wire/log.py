"""The live log's entries as bytes.

Law: equal entries give equal bytes on every pod, since a log compares and chains them; a kind that this version does
not know is None, never an error. What is read can be printed: names hold nothing that could end a line or a URL.
Neighbours: `livelog` stores these bytes, `core.broadcast.entries` gives them meaning.
"""

from fractions import Fraction

from headrace.core.broadcast import End, Entry, Gap, Hold, Init, Part, RunStart
from headrace.core.broadcast.names import is_codec_string, is_name
from headrace.wire.errors import WireError
from headrace.wire.types import parse, plan_from_wire, plan_to_wire, rational_from_wire, rational_to_wire, require
from headrace.wire.v1 import log_pb2 as pb


def entry_to_bytes(entry: Entry) -> bytes:
    """An entry as the log keeps it."""
    return _to_wire(entry).SerializeToString(deterministic=True)


def entry_from_bytes(data: bytes) -> Entry | None:
    """The opposite; None for an unknown kind. Raises WireError."""
    message = parse(pb.LogEntry, data)
    kind = message.WhichOneof("kind")
    if kind == "part":
        part = message.part
        place = _place(part)
        if not is_name(part.encoder):
            raise WireError("PartEntry.encoder: no name")
        return Part(
            place.rung,
            place.msn,
            place.part,
            place.start,
            place.end,
            place.segment_start,
            place.opened,
            part.independent,
            part.size,
            part.digest,
            part.encoder,
            place.segment_end,
            place.discontinuity,
        )
    if kind == "gap":
        place = _place(message.gap)
        if message.gap.encoder and not is_name(message.gap.encoder):
            raise WireError("GapEntry.encoder: no name")
        return Gap(
            place.rung,
            place.msn,
            place.part,
            place.start,
            place.end,
            place.segment_start,
            place.opened,
            place.segment_end,
            place.discontinuity,
            message.gap.encoder,
        )
    if kind == "run":
        require(message.run, "plan")
        return RunStart(plan_from_wire(message.run.plan), message.run.anchor_ms, message.run.traceparent)
    if kind == "init":
        init = message.init
        if not is_name(init.rung):
            raise WireError("InitEntry.rung: no name")
        if not is_codec_string(init.codecs):
            raise WireError("InitEntry.codecs: no codec string")
        return Init(
            init.rung,
            init.codecs,
            init.data,
            init.width,
            init.height,
            rational_from_wire(init.frame_rate) if init.HasField("frame_rate") else Fraction(0),
            init.channels,
        )
    if kind == "hold":
        return Hold(message.hold.at)
    if kind == "end":
        return End(message.end.at)
    return None


def _to_wire(entry: Entry) -> pb.LogEntry:
    if isinstance(entry, Part):
        return pb.LogEntry(
            part=pb.PartEntry(
                place=_place_to_wire(entry),
                independent=entry.independent,
                size=entry.size,
                digest=entry.digest,
                encoder=entry.encoder,
            )
        )
    if isinstance(entry, Gap):
        return pb.LogEntry(gap=pb.GapEntry(place=_place_to_wire(entry), encoder=entry.encoder))
    if isinstance(entry, RunStart):
        start = pb.RunEntry(plan=plan_to_wire(entry.plan), anchor_ms=entry.anchor_ms, traceparent=entry.traceparent)
        return pb.LogEntry(run=start)
    if isinstance(entry, Init):
        return pb.LogEntry(
            init=pb.InitEntry(
                rung=entry.rung,
                codecs=entry.codecs,
                data=entry.data,
                width=entry.width,
                height=entry.height,
                frame_rate=rational_to_wire(entry.frame_rate) if entry.frame_rate else None,
                channels=entry.channels,
            )
        )
    if isinstance(entry, Hold):
        return pb.LogEntry(hold=pb.HoldEntry(at=entry.at))
    return pb.LogEntry(end=pb.EndEntry(at=entry.at))


def _place_to_wire(entry: Part | Gap) -> pb.Place:
    return pb.Place(
        rung=entry.rung,
        msn=entry.msn,
        part=entry.part,
        start=entry.start,
        end=entry.end,
        segment_start=entry.segment_start,
        opened=entry.opened,
        segment_end=entry.segment_end,
        discontinuity=entry.discontinuity,
    )


def _place(message: pb.PartEntry | pb.GapEntry) -> pb.Place:
    require(message, "place")
    place = message.place
    if not is_name(place.rung):
        raise WireError("Place.rung: no name")
    return place
