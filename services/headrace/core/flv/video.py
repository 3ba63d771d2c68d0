"""Video tag bodies (RTMP message type 9) to events and back, for H.264.

Law: both the classic header and Enhanced RTMP's are read; the classic one, which every server knows, is written.
Source: FLV v10.1 §E.4.3; Enhanced RTMP v2, *Enhanced Video*. Neighbours: `audio`, `enhanced`, `events`.
"""

from headrace.core import fourcc
from headrace.core.flv import enhanced
from headrace.core.flv.errors import FlvError
from headrace.core.flv.events import Ignored, Unsupported, VideoConfig, VideoData, VideoEnd, VideoEvent

_KEY, _INTER, _GENERATED_KEY, _COMMAND = 1, 2, 4, 5
_EX_HEADER = 0x80
_AVC = 7
_AVC_CONFIG, _AVC_DATA, _AVC_END = 0, 1, 2
_CODED_FRAMES_X, _METADATA, _MULTITRACK = 3, 4, 6

_CODEC_NAMES = {
    1: "JPEG",
    2: "Sorenson H.263",
    3: "Screen Video",
    4: "VP6",
    5: "VP6 with alpha",
    6: "Screen Video 2",
    8: "H.263",
    9: "MPEG-4 Part 2",
    12: "HEVC",  # never in the specification; encoders used it before Enhanced RTMP
    13: "AV1",
}


def decode_video(body: bytes) -> VideoEvent:
    """What a video message says. Raises FlvError when it ends within its header."""
    if not body:
        return Ignored("empty video message")
    frame_type = body[0] >> 4 & 7
    if body[0] & _EX_HEADER:
        return _decode_enhanced(body, frame_type)
    codec = body[0] & 15
    if codec != _AVC:
        return Unsupported(_CODEC_NAMES.get(codec, f"FLV video codec {codec}"))
    if frame_type == _COMMAND:
        return Ignored("video command")
    if len(body) < 5:
        raise FlvError(f"H.264 video message of {len(body)} bytes")
    packet_type = body[1]
    if packet_type == _AVC_CONFIG:
        return _config(body[5:])
    if packet_type == _AVC_DATA:
        return _frame(frame_type, body[2:5], body[5:])
    return VideoEnd() if packet_type == _AVC_END else Ignored("reserved packet type")


def encode_video(event: VideoConfig | VideoData | VideoEnd) -> bytes:
    """The tag body that says `event`. Raises FlvError when the composition time needs more than 24 bits."""
    match event:
        case VideoConfig(config):
            return _header(_KEY, _AVC_CONFIG, 0) + config
        case VideoData(keyframe, cts_ms, data):
            return _header(_KEY if keyframe else _INTER, _AVC_DATA, cts_ms) + data
        case VideoEnd():
            return _header(_KEY, _AVC_END, 0)


def _decode_enhanced(body: bytes, frame_type: int) -> VideoEvent:
    packet_type = body[0] & 15
    if frame_type == _COMMAND and packet_type != _METADATA:
        return Ignored("video command")
    if unsupported := enhanced.read_codec(body, packet_type, _MULTITRACK, fourcc.AVC):
        return unsupported
    if packet_type == enhanced.SEQUENCE_START:
        return _config(body[5:])
    if packet_type == enhanced.CODED_FRAMES:
        if len(body) < 8:
            raise FlvError("coded frame without composition time")
        return _frame(frame_type, body[5:8], body[8:])
    if packet_type == _CODED_FRAMES_X:  # shown at its DTS
        return _frame(frame_type, b"\x00\x00\x00", body[5:])
    if packet_type == enhanced.SEQUENCE_END:
        return VideoEnd()
    # The bitstream carries the colour description too.
    return Ignored("colour metadata" if packet_type == _METADATA else "reserved packet type")


def _config(config: bytes) -> VideoEvent:
    return VideoConfig(config) if config else Ignored("empty video configuration")


def _frame(frame_type: int, cts: bytes, data: bytes) -> VideoEvent:
    # Cameras send frames of nothing, or of NAL units of length 0 only; a decoder must not see them.
    if not data or (data.startswith(b"\x00\x00\x00\x00") and not any(data)):
        return Ignored("video frame without NAL units")
    return VideoData(frame_type in (_KEY, _GENERATED_KEY), int.from_bytes(cts, "big", signed=True), data)


def _header(frame_type: int, packet_type: int, cts_ms: int) -> bytes:
    if not -(1 << 23) <= cts_ms < 1 << 23:
        raise FlvError(f"composition time of {cts_ms} ms")
    return bytes((frame_type << 4 | _AVC, packet_type)) + cts_ms.to_bytes(3, "big", signed=True)
