"""One table of wire vectors: it serves decoding, encoding and fuzzing of tag bodies."""

from headrace.core.flv import (
    AudioConfig,
    AudioData,
    AudioEvent,
    Ignored,
    Silence,
    Unsupported,
    VideoConfig,
    VideoData,
    VideoEnd,
    VideoEvent,
)

# What we write, and read back.
VIDEO_WRITTEN: list[tuple[str, VideoConfig | VideoData | VideoEnd]] = [
    ("17 00 000000 0142c01e", VideoConfig(bytes.fromhex("0142c01e"))),
    ("17 01 000050 00000002 6588", VideoData(True, 80, bytes.fromhex("000000026588"))),
    ("27 01 000000 00000002 419a", VideoData(False, 0, bytes.fromhex("00000002419a"))),
    ("27 01 ffffd8 00000002 419a", VideoData(False, -40, bytes.fromhex("00000002419a"))),
    ("27 01 7fffff 00000002 419a", VideoData(False, 8_388_607, bytes.fromhex("00000002419a"))),
    ("27 01 800000 00000002 419a", VideoData(False, -8_388_608, bytes.fromhex("00000002419a"))),
    ("17 02 000000", VideoEnd()),
]

# What others write.
VIDEO_READ: list[tuple[str, VideoEvent]] = [
    ("", Ignored("empty video message")),
    ("17 00 000000", Ignored("empty video configuration")),
    ("17 01 000000", Ignored("video frame without NAL units")),
    ("27 01 000000 00000000", Ignored("video frame without NAL units")),
    ("27 01 000000 00000000 00000002 419a", VideoData(False, 0, bytes.fromhex("0000000000000002419a"))),
    ("37 01 000000 00000002 019a", VideoData(False, 0, bytes.fromhex("00000002019a"))),  # disposable inter frame
    ("47 01 000000 00000002 6588", VideoData(True, 0, bytes.fromhex("000000026588"))),  # generated keyframe
    ("57 00", Ignored("video command")),
    ("17 03 000000", Ignored("reserved packet type")),
    ("22 00", Unsupported("Sorenson H.263")),
    ("14 00", Unsupported("VP6")),
    ("1c 00 000000 01", Unsupported("HEVC")),
    ("1f 00", Unsupported("FLV video codec 15")),
    # Enhanced RTMP
    ("90 61766331 0142c01e", VideoConfig(bytes.fromhex("0142c01e"))),
    ("90 61766331", Ignored("empty video configuration")),
    ("91 61766331 ffffd8 00000002 6588", VideoData(True, -40, bytes.fromhex("000000026588"))),
    ("a3 61766331 00000002 419a", VideoData(False, 0, bytes.fromhex("00000002419a"))),
    ("a3 61766331", Ignored("video frame without NAL units")),
    ("92 61766331", VideoEnd()),
    ("94 61766331 02 0009", Ignored("colour metadata")),
    ("95 61766331 00", Ignored("reserved packet type")),
    ("d1 00", Ignored("video command")),
    ("90 68766331 01", Unsupported("HEVC")),
    ("90 61763031 81", Unsupported("AV1")),
    ("93 76703039 00", Unsupported("VP9")),
    ("90 3f00ff7a 00", Unsupported("???z")),
    ("96 01 61766331 00", Unsupported("Enhanced RTMP multitrack")),
    ("97 02 000000 01 61766331", Unsupported("Enhanced RTMP ModEx")),
]

VIDEO_BROKEN = ["17", "17 01", "17 01 0000", "90", "90 617663", "91 61766331", "91 61766331 0000"]

AUDIO_WRITTEN: list[tuple[str, AudioConfig | AudioData | Silence]] = [
    ("af 00 1190", AudioConfig(bytes.fromhex("1190"))),
    ("af 01 211004", AudioData(bytes.fromhex("211004"))),
    ("", Silence()),
]

AUDIO_READ: list[tuple[str, AudioEvent]] = [
    ("a0 01 21", AudioData(b"\x21")),  # rate and channels in the header mean nothing for AAC
    ("af 00", Ignored("empty audio configuration")),
    ("af 01", Ignored("empty audio frame")),
    ("af 02 00", Ignored("reserved packet type")),
    ("2f ff", Unsupported("MP3")),
    ("7e", Unsupported("G.711 A-law")),
    ("b2 00", Unsupported("Speex")),
    ("c0 00", Unsupported("FLV audio codec 12")),
    # Enhanced RTMP
    ("90 6d703461 1190", AudioConfig(bytes.fromhex("1190"))),
    ("90 6d703461", Ignored("empty audio configuration")),
    ("91 6d703461 211004", AudioData(bytes.fromhex("211004"))),
    ("91 6d703461", Ignored("empty audio frame")),
    ("92 6d703461", Ignored("audio sequence end")),
    ("94 6d703461 01 02 00000003", Ignored("channel metadata")),
    ("93 6d703461 00", Ignored("reserved packet type")),
    ("90 4f707573", Unsupported("Opus")),
    ("91 664c6143 00", Unsupported("FLAC")),
    ("91 61632d33 0b77", Unsupported("AC-3")),
    ("95 01 6d703461 00", Unsupported("Enhanced RTMP multitrack")),
    ("97 02 000000 01 6d703461", Unsupported("Enhanced RTMP ModEx")),
]

AUDIO_BROKEN = ["af", "90", "91 6d7034"]
