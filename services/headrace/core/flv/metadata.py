"""`onMetaData`: what an encoder announces of its media.

Law: metadata lies. Every field is optional, nonsense is None, no value makes reading fail, and the bitstream decides;
what only metadata knows (bitrates, a frame rate that the SPS keeps quiet) is all that should be taken from here.
Source: FLV v10.1 §E.5; Enhanced RTMP v2, *Enhancing onMetaData*. Neighbours: `amf` decodes and encodes the values.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.core import fourcc
from headrace.core.amf import EcmaArray

_AVC_ID, _AAC_ID = 7.0, 10.0
_LEGACY_CODECS = {_AVC_ID: fourcc.AVC, 12.0: "hvc1", _AAC_ID: fourcc.AAC, 2.0: ".mp3"}

_MAX_SIDE = 16_384
_MAX_FRAME_RATE = 300
_MAX_KBPS = 1_000_000
_MAX_SAMPLE_RATE = 192_000
_MAX_CHANNELS = 24


@dataclass(frozen=True, slots=True)
class Metadata:
    """The announced media; None is what was not said, or not believably.

    Sizes in pixels, `frame_rate` in frames/s, bitrates in kbit/s, `sample_rate` in Hz. Codecs are FourCC text where the
    announcement can be understood ("avc1", "mp4a"), `encoder` the software's own name.
    """

    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    video_kbps: float | None = None
    audio_kbps: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    encoder: str | None = None


def read_metadata(*values: object) -> Metadata:
    """Metadata from a data message's decoded AMF values: the first object among them counts, in arrays too.

    Numbers may come as text; whatever is not a believable number is None. Never raises.
    """
    announced = _first_mapping(values)
    if announced is None:
        return Metadata()
    get = announced.get
    channels = _number(get("audiochannels"), 1, _MAX_CHANNELS)
    if channels is None and isinstance(stereo := get("stereo"), bool):
        channels = 2 if stereo else 1
    encoder = get("encoder")
    return Metadata(
        width=_whole(_number(get("width"), 1, _MAX_SIDE)),
        height=_whole(_number(get("height"), 1, _MAX_SIDE)),
        frame_rate=_number(get("framerate"), 1, _MAX_FRAME_RATE),
        video_kbps=_number(get("videodatarate"), 1, _MAX_KBPS),
        audio_kbps=_number(get("audiodatarate"), 1, _MAX_KBPS),
        sample_rate=_whole(_number(get("audiosamplerate"), 1000, _MAX_SAMPLE_RATE)),
        channels=_whole(channels),
        video_codec=_codec(get("videocodecid")),
        audio_codec=_codec(get("audiocodecid")),
        encoder=encoder[:200] if isinstance(encoder, str) and encoder else None,
    )


def metadata_values(metadata: Metadata) -> EcmaArray:
    """The `onMetaData` array that announces `metadata`, with the classic numbers for H.264 and AAC."""
    ids: dict[str | None, float] = {fourcc.AVC: _AVC_ID, fourcc.AAC: _AAC_ID}
    fields: dict[str, float | str | None] = {
        "width": metadata.width,
        "height": metadata.height,
        "framerate": metadata.frame_rate,
        "videodatarate": metadata.video_kbps,
        "videocodecid": ids.get(metadata.video_codec),
        "audiodatarate": metadata.audio_kbps,
        "audiosamplerate": metadata.sample_rate,
        "audiochannels": metadata.channels,
        "audiocodecid": ids.get(metadata.audio_codec),
        "encoder": metadata.encoder,
    }
    values = {key: float(field) if isinstance(field, int) else field for key, field in fields.items()}
    return EcmaArray({key: value for key, value in values.items() if value is not None})


def _first_mapping(values: object) -> Mapping[object, object] | None:
    """The first object among `values`, at most one array deep."""
    for value in values if isinstance(values, (list, tuple)) else ():
        candidates = value if isinstance(value, (list, tuple)) else (value,)
        for candidate in candidates:
            if isinstance(candidate, Mapping):
                return candidate
    return None


def _number(value: object, low: float, high: float) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value[:32])  # no number needs more, and a peer may send megabytes
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if low <= value <= high else None  # NaN is not between anything


def _whole(number: float | None) -> int | None:
    return None if number is None else math.floor(number)


def _codec(value: object) -> str | None:
    """A codec from its classic number, its FourCC as a number, or its FourCC as text."""
    if isinstance(value, str):
        code = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        legacy = _LEGACY_CODECS.get(float(value)) if abs(value) < 16 else None
        if legacy is not None:
            return legacy
        code = fourcc.from_number(int(value)) if 0 <= value <= 0xFFFFFFFF else ""
    else:
        return None
    return code if code in fourcc.NAMES else None
