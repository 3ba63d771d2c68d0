from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Cut(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CUT_UNSPECIFIED: _ClassVar[Cut]
    CUT_GRID: _ClassVar[Cut]
    CUT_KEYFRAMES: _ClassVar[Cut]
CUT_UNSPECIFIED: Cut
CUT_GRID: Cut
CUT_KEYFRAMES: Cut

class Rational(_message.Message):
    __slots__ = ("numerator", "denominator")
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    numerator: int
    denominator: int
    def __init__(self, numerator: _Optional[int] = ..., denominator: _Optional[int] = ...) -> None: ...

class VideoSource(_message.Message):
    __slots__ = ("codec", "config", "width", "height", "sar", "frame_rate", "kbps", "delta", "first_segment", "closed", "intervals")
    CODEC_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SAR_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    KBPS_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEGMENT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_FIELD_NUMBER: _ClassVar[int]
    codec: str
    config: bytes
    width: int
    height: int
    sar: Rational
    frame_rate: Rational
    kbps: int
    delta: int
    first_segment: int
    closed: bool
    intervals: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, codec: _Optional[str] = ..., config: _Optional[bytes] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., sar: _Optional[_Union[Rational, _Mapping]] = ..., frame_rate: _Optional[_Union[Rational, _Mapping]] = ..., kbps: _Optional[int] = ..., delta: _Optional[int] = ..., first_segment: _Optional[int] = ..., closed: _Optional[bool] = ..., intervals: _Optional[_Iterable[int]] = ...) -> None: ...

class AudioSource(_message.Message):
    __slots__ = ("codec", "config", "sample_rate", "channels", "frame_samples", "kbps", "grid")
    CODEC_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FRAME_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    KBPS_FIELD_NUMBER: _ClassVar[int]
    GRID_FIELD_NUMBER: _ClassVar[int]
    codec: str
    config: bytes
    sample_rate: int
    channels: int
    frame_samples: int
    kbps: int
    grid: int
    def __init__(self, codec: _Optional[str] = ..., config: _Optional[bytes] = ..., sample_rate: _Optional[int] = ..., channels: _Optional[int] = ..., frame_samples: _Optional[int] = ..., kbps: _Optional[int] = ..., grid: _Optional[int] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("video", "audio")
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    video: VideoSource
    audio: AudioSource
    def __init__(self, video: _Optional[_Union[VideoSource, _Mapping]] = ..., audio: _Optional[_Union[AudioSource, _Mapping]] = ...) -> None: ...

class RungSpec(_message.Message):
    __slots__ = ("height", "fps", "crf", "maxrate_kbps")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    CRF_FIELD_NUMBER: _ClassVar[int]
    MAXRATE_KBPS_FIELD_NUMBER: _ClassVar[int]
    height: int
    fps: int
    crf: int
    maxrate_kbps: int
    def __init__(self, height: _Optional[int] = ..., fps: _Optional[int] = ..., crf: _Optional[int] = ..., maxrate_kbps: _Optional[int] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("source", "auto", "rungs", "audio_kbps", "part_ms", "segment_s", "max_gop_s", "window_s")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    AUTO_FIELD_NUMBER: _ClassVar[int]
    RUNGS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_KBPS_FIELD_NUMBER: _ClassVar[int]
    PART_MS_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_S_FIELD_NUMBER: _ClassVar[int]
    MAX_GOP_S_FIELD_NUMBER: _ClassVar[int]
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    source: bool
    auto: bool
    rungs: _containers.RepeatedCompositeFieldContainer[RungSpec]
    audio_kbps: int
    part_ms: int
    segment_s: int
    max_gop_s: int
    window_s: int
    def __init__(self, source: _Optional[bool] = ..., auto: _Optional[bool] = ..., rungs: _Optional[_Iterable[_Union[RungSpec, _Mapping]]] = ..., audio_kbps: _Optional[int] = ..., part_ms: _Optional[int] = ..., segment_s: _Optional[int] = ..., max_gop_s: _Optional[int] = ..., window_s: _Optional[int] = ...) -> None: ...

class Encoding(_message.Message):
    __slots__ = ("crf", "maxrate_kbps", "bufsize_kbps", "preset")
    CRF_FIELD_NUMBER: _ClassVar[int]
    MAXRATE_KBPS_FIELD_NUMBER: _ClassVar[int]
    BUFSIZE_KBPS_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    crf: int
    maxrate_kbps: int
    bufsize_kbps: int
    preset: str
    def __init__(self, crf: _Optional[int] = ..., maxrate_kbps: _Optional[int] = ..., bufsize_kbps: _Optional[int] = ..., preset: _Optional[str] = ...) -> None: ...

class VideoRung(_message.Message):
    __slots__ = ("name", "width", "height", "frame_rate", "stride", "delta", "encoding")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    name: str
    width: int
    height: int
    frame_rate: Rational
    stride: int
    delta: int
    encoding: Encoding
    def __init__(self, name: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., frame_rate: _Optional[_Union[Rational, _Mapping]] = ..., stride: _Optional[int] = ..., delta: _Optional[int] = ..., encoding: _Optional[_Union[Encoding, _Mapping]] = ...) -> None: ...

class AudioRung(_message.Message):
    __slots__ = ("name", "sample_rate", "channels", "frame_samples", "grid", "kbps")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FRAME_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    GRID_FIELD_NUMBER: _ClassVar[int]
    KBPS_FIELD_NUMBER: _ClassVar[int]
    name: str
    sample_rate: int
    channels: int
    frame_samples: int
    grid: int
    kbps: int
    def __init__(self, name: _Optional[str] = ..., sample_rate: _Optional[int] = ..., channels: _Optional[int] = ..., frame_samples: _Optional[int] = ..., grid: _Optional[int] = ..., kbps: _Optional[int] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("cut", "video", "audio", "segment", "part", "gap", "target_duration_s", "part_target_ms", "source_rate", "window_s", "fold_version")
    CUT_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    TARGET_DURATION_S_FIELD_NUMBER: _ClassVar[int]
    PART_TARGET_MS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_RATE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    FOLD_VERSION_FIELD_NUMBER: _ClassVar[int]
    cut: Cut
    video: _containers.RepeatedCompositeFieldContainer[VideoRung]
    audio: AudioRung
    segment: int
    part: int
    gap: int
    target_duration_s: int
    part_target_ms: int
    source_rate: Rational
    window_s: int
    fold_version: int
    def __init__(self, cut: _Optional[_Union[Cut, str]] = ..., video: _Optional[_Iterable[_Union[VideoRung, _Mapping]]] = ..., audio: _Optional[_Union[AudioRung, _Mapping]] = ..., segment: _Optional[int] = ..., part: _Optional[int] = ..., gap: _Optional[int] = ..., target_duration_s: _Optional[int] = ..., part_target_ms: _Optional[int] = ..., source_rate: _Optional[_Union[Rational, _Mapping]] = ..., window_s: _Optional[int] = ..., fold_version: _Optional[int] = ...) -> None: ...
