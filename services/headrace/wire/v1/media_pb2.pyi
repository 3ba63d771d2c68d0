from headrace.wire.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_VIDEO: _ClassVar[Kind]
    KIND_AUDIO: _ClassVar[Kind]
KIND_UNSPECIFIED: Kind
KIND_VIDEO: Kind
KIND_AUDIO: Kind

class IngestUp(_message.Message):
    __slots__ = ("open", "frames", "hold", "end")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    open: Open
    frames: Frames
    hold: Hold
    end: End
    def __init__(self, open: _Optional[_Union[Open, _Mapping]] = ..., frames: _Optional[_Union[Frames, _Mapping]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., end: _Optional[_Union[End, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("run", "session", "session_id", "attempt", "floor", "plan", "source", "anchor_ms", "starts_at", "token")
    RUN_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_MS_FIELD_NUMBER: _ClassVar[int]
    STARTS_AT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    run: str
    session: int
    session_id: str
    attempt: int
    floor: int
    plan: _types_pb2.Plan
    source: _types_pb2.Source
    anchor_ms: int
    starts_at: int
    token: str
    def __init__(self, run: _Optional[str] = ..., session: _Optional[int] = ..., session_id: _Optional[str] = ..., attempt: _Optional[int] = ..., floor: _Optional[int] = ..., plan: _Optional[_Union[_types_pb2.Plan, _Mapping]] = ..., source: _Optional[_Union[_types_pb2.Source, _Mapping]] = ..., anchor_ms: _Optional[int] = ..., starts_at: _Optional[int] = ..., token: _Optional[str] = ...) -> None: ...

class Frames(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    def __init__(self, frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("kind", "keyframe", "dts", "pts", "data", "sample", "samples", "jump")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEYFRAME_FIELD_NUMBER: _ClassVar[int]
    DTS_FIELD_NUMBER: _ClassVar[int]
    PTS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    JUMP_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    keyframe: bool
    dts: int
    pts: int
    data: bytes
    sample: int
    samples: int
    jump: bool
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., keyframe: _Optional[bool] = ..., dts: _Optional[int] = ..., pts: _Optional[int] = ..., data: _Optional[bytes] = ..., sample: _Optional[int] = ..., samples: _Optional[int] = ..., jump: _Optional[bool] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("at",)
    AT_FIELD_NUMBER: _ClassVar[int]
    at: int
    def __init__(self, at: _Optional[int] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class IngestDown(_message.Message):
    __slots__ = ("accepted", "refused", "progress", "draining")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    refused: Refused
    progress: Progress
    draining: Draining
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("resume_from",)
    RESUME_FROM_FIELD_NUMBER: _ClassVar[int]
    resume_from: int
    def __init__(self, resume_from: _Optional[int] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("reason", "description", "fence_session", "fence_attempt")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FENCE_SESSION_FIELD_NUMBER: _ClassVar[int]
    FENCE_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    description: str
    fence_session: int
    fence_attempt: int
    def __init__(self, reason: _Optional[str] = ..., description: _Optional[str] = ..., fence_session: _Optional[int] = ..., fence_attempt: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("published_through", "durable_through")
    PUBLISHED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    DURABLE_THROUGH_FIELD_NUMBER: _ClassVar[int]
    published_through: int
    durable_through: int
    def __init__(self, published_through: _Optional[int] = ..., durable_through: _Optional[int] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
