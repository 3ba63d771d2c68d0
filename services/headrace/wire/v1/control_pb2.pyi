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

class PodKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POD_KIND_UNSPECIFIED: _ClassVar[PodKind]
    POD_KIND_EDGE: _ClassVar[PodKind]
    POD_KIND_TRANSCODER: _ClassVar[PodKind]
    POD_KIND_ORIGIN: _ClassVar[PodKind]
RELEASE_REASON_UNSPECIFIED: ReleaseReason
RELEASE_REASON_ENDED: ReleaseReason
RELEASE_REASON_LOST: ReleaseReason
RELEASE_REASON_FAILED: ReleaseReason
POD_KIND_UNSPECIFIED: PodKind
POD_KIND_EDGE: PodKind
POD_KIND_TRANSCODER: PodKind
POD_KIND_ORIGIN: PodKind

class OpenSessionRequest(_message.Message):
    __slots__ = ("app", "key", "edge", "peer", "session_id")
    APP_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    EDGE_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    app: str
    key: str
    edge: str
    peer: str
    session_id: str
    def __init__(self, app: _Optional[str] = ..., key: _Optional[str] = ..., edge: _Optional[str] = ..., peer: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class LeaseToken(_message.Message):
    __slots__ = ("jwt", "expires_ms")
    JWT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    jwt: str
    expires_ms: int
    def __init__(self, jwt: _Optional[str] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("stream", "run", "session", "session_id", "profile", "starts_at", "anchor_ms", "plan", "lease_ms", "token")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    STARTS_AT_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_MS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    stream: str
    run: str
    session: int
    session_id: str
    profile: _types_pb2.Profile
    starts_at: int
    anchor_ms: int
    plan: _types_pb2.Plan
    lease_ms: int
    token: LeaseToken
    def __init__(self, stream: _Optional[str] = ..., run: _Optional[str] = ..., session: _Optional[int] = ..., session_id: _Optional[str] = ..., profile: _Optional[_Union[_types_pb2.Profile, _Mapping]] = ..., starts_at: _Optional[int] = ..., anchor_ms: _Optional[int] = ..., plan: _Optional[_Union[_types_pb2.Plan, _Mapping]] = ..., lease_ms: _Optional[int] = ..., token: _Optional[_Union[LeaseToken, _Mapping]] = ...) -> None: ...

class AllocateRequest(_message.Message):
    __slots__ = ("session_id", "source", "anchor_ms")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_MS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    source: _types_pb2.Source
    anchor_ms: int
    def __init__(self, session_id: _Optional[str] = ..., source: _Optional[_Union[_types_pb2.Source, _Mapping]] = ..., anchor_ms: _Optional[int] = ...) -> None: ...

class AllocateResponse(_message.Message):
    __slots__ = ("plan", "transcoders")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    TRANSCODERS_FIELD_NUMBER: _ClassVar[int]
    plan: _types_pb2.Plan
    transcoders: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, plan: _Optional[_Union[_types_pb2.Plan, _Mapping]] = ..., transcoders: _Optional[_Iterable[str]] = ...) -> None: ...

class HeldSession(_message.Message):
    __slots__ = ("session_id", "stream", "run", "session", "peer", "anchor_ms", "plan", "source", "transcoder", "token_expires_ms")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_MS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    TOKEN_EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    stream: str
    run: str
    session: int
    peer: str
    anchor_ms: int
    plan: _types_pb2.Plan
    source: _types_pb2.Source
    transcoder: str
    token_expires_ms: int
    def __init__(self, session_id: _Optional[str] = ..., stream: _Optional[str] = ..., run: _Optional[str] = ..., session: _Optional[int] = ..., peer: _Optional[str] = ..., anchor_ms: _Optional[int] = ..., plan: _Optional[_Union[_types_pb2.Plan, _Mapping]] = ..., source: _Optional[_Union[_types_pb2.Source, _Mapping]] = ..., transcoder: _Optional[str] = ..., token_expires_ms: _Optional[int] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("edge", "sessions")
    EDGE_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    edge: str
    sessions: _containers.RepeatedCompositeFieldContainer[HeldSession]
    def __init__(self, edge: _Optional[str] = ..., sessions: _Optional[_Iterable[_Union[HeldSession, _Mapping]]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("session_id", "held", "reason", "description", "suspect", "token")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SUSPECT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    held: bool
    reason: str
    description: str
    suspect: bool
    token: LeaseToken
    def __init__(self, session_id: _Optional[str] = ..., held: _Optional[bool] = ..., reason: _Optional[str] = ..., description: _Optional[str] = ..., suspect: _Optional[bool] = ..., token: _Optional[_Union[LeaseToken, _Mapping]] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("verdicts",)
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    def __init__(self, verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ...) -> None: ...

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

class SessionReport(_message.Message):
    __slots__ = ("session_id", "idle_ms")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IDLE_MS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    idle_ms: int
    def __init__(self, session_id: _Optional[str] = ..., idle_ms: _Optional[int] = ...) -> None: ...

class PodReport(_message.Message):
    __slots__ = ("pod", "target", "version", "ready", "capacity", "used", "runs", "kind", "zone", "sessions", "sent_ms")
    POD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SENT_MS_FIELD_NUMBER: _ClassVar[int]
    pod: str
    target: str
    version: str
    ready: bool
    capacity: int
    used: int
    runs: _containers.RepeatedScalarFieldContainer[str]
    kind: PodKind
    zone: str
    sessions: _containers.RepeatedCompositeFieldContainer[SessionReport]
    sent_ms: int
    def __init__(self, pod: _Optional[str] = ..., target: _Optional[str] = ..., version: _Optional[str] = ..., ready: _Optional[bool] = ..., capacity: _Optional[int] = ..., used: _Optional[int] = ..., runs: _Optional[_Iterable[str]] = ..., kind: _Optional[_Union[PodKind, str]] = ..., zone: _Optional[str] = ..., sessions: _Optional[_Iterable[_Union[SessionReport, _Mapping]]] = ..., sent_ms: _Optional[int] = ...) -> None: ...

class ReportResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
