"""Audio tag bodies (RTMP message type 8) to events and back, for AAC.

Law: both the classic header and Enhanced RTMP's are read; the classic one, which every server knows, is written.
Source: FLV v10.1 §E.4.2; Enhanced RTMP v2, *Enhanced Audio*. Neighbours: `video`, `enhanced`, `events`.
"""

from headrace.core import fourcc
from headrace.core.flv import enhanced
from headrace.core.flv.errors import FlvError
from headrace.core.flv.events import AudioConfig, AudioData, AudioEvent, Ignored, Silence, Unsupported

_EX_HEADER = 9
_AAC = 10
_AAC_CONFIG, _AAC_DATA = 0, 1
_MULTICHANNEL_CONFIG, _MULTITRACK = 4, 5

_AAC_HEADER = 0xAF
"""AAC, then rate, size and channels as the specification fixes them for AAC whatever the sound is like."""

_CODEC_NAMES = {
    0: "PCM",
    1: "ADPCM",
    2: "MP3",
    3: "PCM",
    4: "Nellymoser",
    5: "Nellymoser",
    6: "Nellymoser",
    7: "G.711 A-law",
    8: "G.711 µ-law",
    11: "Speex",
    13: "Opus",  # never in the specification; servers used it before Enhanced RTMP
    14: "MP3",
}


def decode_audio(body: bytes) -> AudioEvent:
    """What an audio message says. Raises FlvError when it ends within its header."""
    if not body:
        return Silence()
    codec = body[0] >> 4
    if codec == _EX_HEADER:
        return _decode_enhanced(body)
    if codec != _AAC:
        return Unsupported(_CODEC_NAMES.get(codec, f"FLV audio codec {codec}"))
    if len(body) < 2:
        raise FlvError("AAC audio message of 1 byte")
    if body[1] == _AAC_CONFIG:
        return _config(body[2:])
    return _frame(body[2:]) if body[1] == _AAC_DATA else Ignored("reserved packet type")


def encode_audio(event: AudioConfig | AudioData | Silence) -> bytes:
    """The tag body that says `event`."""
    match event:
        case AudioConfig(config):
            return bytes((_AAC_HEADER, _AAC_CONFIG)) + config
        case AudioData(data):
            return bytes((_AAC_HEADER, _AAC_DATA)) + data
        case Silence():
            return b""


def _decode_enhanced(body: bytes) -> AudioEvent:
    packet_type = body[0] & 15
    if unsupported := enhanced.read_codec(body, packet_type, _MULTITRACK, fourcc.AAC):
        return unsupported
    if packet_type == enhanced.SEQUENCE_START:
        return _config(body[5:])
    if packet_type == enhanced.CODED_FRAMES:
        return _frame(body[5:])
    if packet_type == enhanced.SEQUENCE_END:
        return Ignored("audio sequence end")
    # The AudioSpecificConfig says the channels too.
    return Ignored("channel metadata" if packet_type == _MULTICHANNEL_CONFIG else "reserved packet type")


def _config(config: bytes) -> AudioEvent:
    return AudioConfig(config) if config else Ignored("empty audio configuration")


def _frame(data: bytes) -> AudioEvent:
    return AudioData(data) if data else Ignored("empty audio frame")
