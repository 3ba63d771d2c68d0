"""Init sections: `ftyp` and `moov` of one track, written before any sample is known.

Law: equal tracks give equal bytes; durations are zero, sample tables empty, and there is no edit list: time in the file
is time on the run's timeline. Parameter sets live in the sample entry only.
Source: ISO/IEC 14496-12 §8 (boxes), 14496-15 §5.4 (avc1), 14496-14 §5.6 (mp4a), 23000-19 §7 (CMAF), RFC 8216bis §3.1.2.
Neighbours: `fragment` writes what follows; `codec` makes the configuration records.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction

from headrace.core.cmaf.boxes import box, full_box
from headrace.core.cmaf.errors import CmafError
from headrace.core.codec.h264 import Colour

VIDEO_TIMESCALE = 90_000
"""Media time of every video track: the house's ticks. An audio track's is its sample rate."""

TRACK_ID = 1
"""Each rendition is a file of its own with one track."""

_FILE_TYPE = box(b"ftyp", b"iso6", bytes(4), b"iso6", b"cmfc")
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LANGUAGE_UND = 0x55C4
_FLAGS_ENABLED_IN_MOVIE = 3
_SELF_CONTAINED = 1


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """An H.264 track. `config` is its avcC record, sizes are coded luma pixels as shown, `sar` the shape of a pixel.

    `bitrate_bps` is the declared peak (0: unsaid).
    """

    config: bytes
    width: int
    height: int
    sar: Fraction = Fraction(1)
    colour: Colour | None = None
    bitrate_bps: int = 0


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """An AAC track. `config` is its AudioSpecificConfig; `sample_rate` in Hz and `channels` are those that are heard.

    `bitrate_bps` is the declared average (0: unsaid).
    """

    config: bytes
    sample_rate: int
    channels: int
    bitrate_bps: int = 0


def video_init(track: VideoTrack) -> bytes:
    """The init section of a video rendition. Raises CmafError when the track does not fit its boxes."""
    if not (0 < track.width < 1 << 16 and 0 < track.height < 1 << 16) or track.sar <= 0:
        raise CmafError(f"video of {track.width}x{track.height}, pixel shape {track.sar}")
    shown_width = round(track.width * track.sar * 65536)
    if shown_width >= 1 << 32:
        raise CmafError(f"pixel shape {track.sar} makes the picture too wide")
    entry = box(
        b"avc1",
        struct.pack(">6xH16xHHIIIH", 1, track.width, track.height, 72 << 16, 72 << 16, 0, 1),
        bytes(32),  # compressorname
        struct.pack(">Hh", 24, -1),
        box(b"avcC", track.config),
        _colour(track.colour),
        _pixel_shape(track.sar),
        box(b"btrt", struct.pack(">III", 0, track.bitrate_bps, track.bitrate_bps)) if track.bitrate_bps else b"",
    )
    header = full_box(b"vmhd", 0, 1, bytes(8))
    return _init(VIDEO_TIMESCALE, b"vide", header, entry, volume=0, size=(shown_width, track.height << 16))


def audio_init(track: AudioTrack) -> bytes:
    """The init section of an audio rendition. Raises CmafError when the track does not fit its boxes."""
    if not (0 < track.sample_rate < 1 << 32 and 0 < track.channels < 1 << 16):
        raise CmafError(f"audio of {track.channels} channels at {track.sample_rate} Hz")
    # The entry's 16.16 field cannot say 88.2 kHz and more; readers take those from the AudioSpecificConfig.
    rate = track.sample_rate if track.sample_rate < 1 << 16 else 0
    entry = box(
        b"mp4a",
        struct.pack(">6xH8xHH4xI", 1, track.channels, 16, rate << 16),
        full_box(b"esds", 0, 0, _elementary_stream(track)),
    )
    header = full_box(b"smhd", 0, 0, bytes(4))
    return _init(track.sample_rate, b"soun", header, entry, volume=0x0100, size=(0, 0))


def _init(timescale: int, handler: bytes, header: bytes, entry: bytes, *, volume: int, size: tuple[int, int]) -> bytes:
    """What both kinds of track share. `size` is the shown width and height in 16.16 pixels."""
    track_header = full_box(
        b"tkhd",
        0,
        _FLAGS_ENABLED_IN_MOVIE,
        struct.pack(">8xI20xH2x", TRACK_ID, volume),
        _MATRIX,
        struct.pack(">II", *size),
    )
    sample_table = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    references = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, _SELF_CONTAINED))
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">8xI4xH2x", timescale, _LANGUAGE_UND)),
        full_box(b"hdlr", 0, 0, struct.pack(">4x4s12xx", handler)),
        box(b"minf", header, box(b"dinf", references), sample_table),
    )
    movie = box(
        b"moov",
        full_box(
            b"mvhd", 0, 0, struct.pack(">8xI4xIH10x", timescale, 0x10000, 0x0100), _MATRIX, bytes(24),
            struct.pack(">I", TRACK_ID + 1),
        ),
        box(b"trak", track_header, media),
        box(b"mvex", full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK_ID, 1, 0, 0, 0))),
    )  # fmt: skip
    return _FILE_TYPE + movie


def _colour(colour: Colour | None) -> bytes:
    if colour is None:
        return b""
    codes = (colour.primaries, colour.transfer, colour.matrix)
    return box(b"colr", b"nclx", struct.pack(">HHHB", *codes, colour.full_range << 7))


def _pixel_shape(sar: Fraction) -> bytes:
    limited = sar.limit_denominator(0xFFFF)  # so that both halves fit 32 bits
    return box(b"pasp", struct.pack(">II", limited.numerator, limited.denominator))


def _elementary_stream(track: AudioTrack) -> bytes:
    """The ES_Descriptor (ISO/IEC 14496-1 §7.2.6): AAC by its AudioSpecificConfig, no stream id, MP4's sync layer."""
    aac, audio_stream = 0x40, 0x15
    rates = struct.pack(">II", track.bitrate_bps, track.bitrate_bps)
    decoder = bytes((aac, audio_stream)) + bytes(3) + rates + _descriptor(5, track.config)
    return _descriptor(3, bytes(3) + _descriptor(4, decoder) + _descriptor(6, b"\x02"))


def _descriptor(tag: int, content: bytes) -> bytes:
    """A tag, the length in groups of seven bits (§8.3.3), the content."""
    size = len(content)
    length = bytes((size & 0x7F,))
    while size := size >> 7:
        length = bytes((size & 0x7F | 0x80,)) + length
    return bytes((tag,)) + length + content
