from headrace.wire.v1 import types_pb2 as _types_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogEntry(_message.Message):
    __slots__ = ("run", "init", "part", "gap", "hold", "end")
    RUN_FIELD_NUMBER: _ClassVar[int]
    INIT_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    run: RunEntry
    init: InitEntry
    part: PartEntry
    gap: GapEntry
    hold: HoldEntry
    end: EndEntry
    def __init__(self, run: _Optional[_Union[RunEntry, _Mapping]] = ..., init: _Optional[_Union[InitEntry, _Mapping]] = ..., part: _Optional[_Union[PartEntry, _Mapping]] = ..., gap: _Optional[_Union[GapEntry, _Mapping]] = ..., hold: _Optional[_Union[HoldEntry, _Mapping]] = ..., end: _Optional[_Union[EndEntry, _Mapping]] = ...) -> None: ...

class RunEntry(_message.Message):
    __slots__ = ("plan", "anchor_ms", "traceparent")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_MS_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    plan: _types_pb2.Plan
    anchor_ms: int
    traceparent: str
    def __init__(self, plan: _Optional[_Union[_types_pb2.Plan, _Mapping]] = ..., anchor_ms: _Optional[int] = ..., traceparent: _Optional[str] = ...) -> None: ...

class InitEntry(_message.Message):
    __slots__ = ("rung", "codecs", "data", "width", "height", "frame_rate", "channels")
    RUNG_FIELD_NUMBER: _ClassVar[int]
    CODECS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    rung: str
    codecs: str
    data: bytes
    width: int
    height: int
    frame_rate: _types_pb2.Rational
    channels: int
    def __init__(self, rung: _Optional[str] = ..., codecs: _Optional[str] = ..., data: _Optional[bytes] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., frame_rate: _Optional[_Union[_types_pb2.Rational, _Mapping]] = ..., channels: _Optional[int] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("rung", "msn", "part", "start", "end", "segment_start", "opened", "segment_end", "discontinuity")
    RUNG_FIELD_NUMBER: _ClassVar[int]
    MSN_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_START_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_END_FIELD_NUMBER: _ClassVar[int]
    DISCONTINUITY_FIELD_NUMBER: _ClassVar[int]
    rung: str
    msn: int
    part: int
    start: int
    end: int
    segment_start: int
    opened: bool
    segment_end: bool
    discontinuity: int
    def __init__(self, rung: _Optional[str] = ..., msn: _Optional[int] = ..., part: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., segment_start: _Optional[int] = ..., opened: _Optional[bool] = ..., segment_end: _Optional[bool] = ..., discontinuity: _Optional[int] = ...) -> None: ...

class PartEntry(_message.Message):
    __slots__ = ("place", "independent", "size", "digest", "encoder")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    INDEPENDENT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    place: Place
    independent: bool
    size: int
    digest: str
    encoder: str
    def __init__(self, place: _Optional[_Union[Place, _Mapping]] = ..., independent: _Optional[bool] = ..., size: _Optional[int] = ..., digest: _Optional[str] = ..., encoder: _Optional[str] = ...) -> None: ...

class GapEntry(_message.Message):
    __slots__ = ("place", "encoder")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    place: Place
    encoder: str
    def __init__(self, place: _Optional[_Union[Place, _Mapping]] = ..., encoder: _Optional[str] = ...) -> None: ...

class HoldEntry(_message.Message):
    __slots__ = ("at",)
    AT_FIELD_NUMBER: _ClassVar[int]
    at: int
    def __init__(self, at: _Optional[int] = ...) -> None: ...

class EndEntry(_message.Message):
    __slots__ = ("at",)
    AT_FIELD_NUMBER: _ClassVar[int]
    at: int
    def __init__(self, at: _Optional[int] = ...) -> None: ...
