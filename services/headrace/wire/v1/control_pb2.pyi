from headrace.wire.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReleaseReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELEASE_REASON_UNSPECIFIED: _ClassVar[ReleaseReason]
    RELEASE_REASON_ENDED: _ClassVar[ReleaseReason]
    RELEASE_REASON_LOST: _ClassVar[ReleaseReason]
    RELEASE_REASON_FAILED: _ClassVar[ReleaseReason]
RELEASE_REASON_UNSPECIFIED: ReleaseReason
RELEASE_REASON_ENDED: ReleaseReason
RELEASE_REASON_LOST: ReleaseReason
RELEASE_REASON_FAILED: ReleaseReason

class OpenSessionRequest(_message.Message):
    __slots__ = ("app", "key", "edge", "peer")
    APP_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    EDGE_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    app: str
    key: str
    edge: str
    peer: str
    def __init__(self, app: _Optional[str] = ..., key: _Optional[str] = ..., edge: _Optional[str] = ..., peer: _Optional[str] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("stream", "run", "session", "session_id", "profile")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    stream: str
    run: str
    session: int
    session_id: str
    profile: _types_pb2.Profile
    def __init__(self, stream: _Optional[str] = ..., run: _Optional[str] = ..., session: _Optional[int] = ..., session_id: _Optional[str] = ..., profile: _Optional[_Union[_types_pb2.Profile, _Mapping]] = ...) -> None: ...

class AllocateRequest(_message.Message):
    __slots__ = ("session_id", "source")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    source: _types_pb2.Source
    def __init__(self, session_id: _Optional[str] = ..., source: _Optional[_Union[_types_pb2.Source, _Mapping]] = ...) -> None: ...

class AllocateResponse(_message.Message):
    __slots__ = ("plan", "transcoders")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TRANSCODERS_FIELD_NUMBER: _ClassVar[int]
    plan: _types_pb2.Plan
    transcoders: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, plan: _Optional[_Union[_types_pb2.Plan, _Mapping]] = ..., transcoders: _Optional[_Iterable[str]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("session_id", "reason", "flushed")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FLUSHED_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    reason: ReleaseReason
    flushed: bool
    def __init__(self, session_id: _Optional[str] = ..., reason: _Optional[_Union[ReleaseReason, str]] = ..., flushed: _Optional[bool] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PodReport(_message.Message):
    __slots__ = ("pod", "target", "version", "ready", "capacity", "used", "runs")
    POD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    pod: str
    target: str
    version: str
    ready: bool
    capacity: int
    used: int
    runs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, pod: _Optional[str] = ..., target: _Optional[str] = ..., version: _Optional[str] = ..., ready: _Optional[bool] = ..., capacity: _Optional[int] = ..., used: _Optional[int] = ..., runs: _Optional[_Iterable[str]] = ...) -> None: ...

class ReportResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
