"""Init sections, box by box."""

import struct
from fractions import Fraction

import pytest

from headrace.core.cmaf import AudioTrack, CmafError, VideoTrack, audio_init, video_init
from headrace.core.codec.h264 import Colour
from tests.support.boxes import Box, read_boxes

AVCC = bytes.fromhex("0142c01effe100096742c01eda02802dc801000468ce3c80")
ASC = bytes.fromhex("1190")
VIDEO = VideoTrack(AVCC, 640, 360)
AUDIO = AudioTrack(ASC, 48_000, 2, bitrate_bps=128_000)


def moov(data: bytes) -> Box:
    return read_boxes(data)[1]


def test_a_video_init_has_exactly_these_boxes() -> None:
    track = VideoTrack(AVCC, 640, 360, colour=Colour(1, 1, 1, False), bitrate_bps=1)
    assert [box.outline() for box in read_boxes(video_init(track))] == [
        "ftyp",
        "moov(mvhd trak(tkhd mdia(mdhd hdlr minf(vmhd dinf(dref(url )) "
        "stbl(stsd(avc1(avcC colr pasp btrt)) stts stsc stsz stco)))) mvex(trex))",
    ]


def test_an_audio_init_has_exactly_these_boxes() -> None:
    assert [box.outline() for box in read_boxes(audio_init(AUDIO))] == [
        "ftyp",
        "moov(mvhd trak(tkhd mdia(mdhd hdlr minf(smhd dinf(dref(url )) "
        "stbl(stsd(mp4a(esds)) stts stsc stsz stco)))) mvex(trex))",
    ]


@pytest.mark.parametrize("init", [video_init(VIDEO), audio_init(AUDIO)], ids=["video", "audio"])
def test_the_brands_tell_that_the_file_is_cmaf_and_relative_to_its_fragments(init: bytes) -> None:
    content = read_boxes(init)[0].content
    assert {content[:4], content[8:12], content[12:16]} == {b"iso6", b"cmfc"}


@pytest.mark.parametrize("init", [video_init(VIDEO), audio_init(AUDIO)], ids=["video", "audio"])
def test_durations_and_sample_tables_are_empty(init: bytes) -> None:
    movie = moov(init)
    assert movie.find(b"mvhd").content[16:20] == bytes(4)
    assert movie.find(b"trak", b"tkhd").content[20:24] == bytes(4)
    assert movie.find(b"trak", b"mdia", b"mdhd").content[16:20] == bytes(4)
    table = movie.find(b"trak", b"mdia", b"minf", b"stbl")
    assert [len(table.find(kind).content) for kind in (b"stts", b"stsc", b"stsz", b"stco")] == [8, 8, 12, 8]
    assert not any(table.find(b"stts").content + table.find(b"stsz").content)


@pytest.mark.parametrize(
    ("init", "handler", "timescale", "volume"),
    [(video_init(VIDEO), b"vide", 90_000, 0), (audio_init(AUDIO), b"soun", 48_000, 0x0100)],
    ids=["video", "audio"],
)
def test_a_track_has_its_kind_timescale_and_id(init: bytes, handler: bytes, timescale: int, volume: int) -> None:
    movie = moov(init)
    media = movie.find(b"trak", b"mdia")
    assert media.find(b"hdlr").content[8:12] == handler
    assert media.find(b"mdhd").content[12:16] == timescale.to_bytes(4, "big")
    header = movie.find(b"trak", b"tkhd").content
    assert header[12:16] == (1).to_bytes(4, "big")
    assert header[36:38] == volume.to_bytes(2, "big")
    assert movie.find(b"mvex", b"trex").content[4:8] == (1).to_bytes(4, "big")
    assert len(movie.find(b"mvhd").content) == 100
    assert len(header) == 84


IDENTITY = "00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000"


@pytest.mark.parametrize(
    ("path", "video", "audio"),
    [
        (
            (b"mvhd",),
            f"00000000 00000000 00000000 00015f90 00000000 00010000 01000000 00000000 00000000 {IDENTITY}"
            " 00000000 00000000 00000000 00000000 00000000 00000000 00000002",
            f"00000000 00000000 00000000 0000bb80 00000000 00010000 01000000 00000000 00000000 {IDENTITY}"
            " 00000000 00000000 00000000 00000000 00000000 00000000 00000002",
        ),
        (
            (b"trak", b"tkhd"),
            "00000003 00000000 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000"
            f" {IDENTITY} 02800000 01680000",
            "00000003 00000000 00000000 00000001 00000000 00000000 00000000 00000000 00000000 01000000"
            f" {IDENTITY} 00000000 00000000",
        ),
        (
            (b"trak", b"mdia", b"mdhd"),
            "00000000 00000000 00000000 00015f90 00000000 55c40000",
            "00000000 00000000 00000000 0000bb80 00000000 55c40000",
        ),
        (
            (b"trak", b"mdia", b"hdlr"),
            "00000000 00000000 76696465 00000000 00000000 00000000 00",
            "00000000 00000000 736f756e 00000000 00000000 00000000 00",
        ),
        (
            (b"trak", b"mdia", b"minf", b"dinf"),
            "0000001c 64726566 00000000 00000001 0000000c 75726c20 00000001",
            "0000001c 64726566 00000000 00000001 0000000c 75726c20 00000001",
        ),
        (
            (b"mvex", b"trex"),
            "00000000 00000001 00000001 00000000 00000000 00000000",
            "00000000 00000001 00000001 00000000 00000000 00000000",
        ),
    ],
)
def test_boxes_have_these_bytes(path: tuple[bytes, ...], video: str, audio: str) -> None:
    assert moov(video_init(VIDEO)).find(*path).content == bytes.fromhex(video)
    assert moov(audio_init(AUDIO)).find(*path).content == bytes.fromhex(audio)


def test_the_video_entrys_fixed_fields_have_these_bytes() -> None:
    entry = moov(video_init(VIDEO)).find(b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1").content
    assert entry[:78] == bytes.fromhex(
        "000000000000 0001 0000 0000 000000000000000000000000 0280 0168 00480000 00480000 00000000 0001"
        + "00" * 32
        + "0018 ffff"
    )


def test_the_video_entry_carries_size_configuration_colour_and_pixel_shape() -> None:
    track = VideoTrack(AVCC, 720, 576, Fraction(16, 11), Colour(5, 6, 5, True), 4_000_000)
    movie = moov(video_init(track))
    entry = movie.find(b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
    assert struct.unpack_from(">HH", entry.content, 24) == (720, 576)
    assert entry.find(b"avcC").content == AVCC
    assert entry.find(b"colr").content == b"nclx" + struct.pack(">HHHB", 5, 6, 5, 0x80)
    assert entry.find(b"pasp").content == struct.pack(">II", 16, 11)
    assert entry.find(b"btrt").content == struct.pack(">III", 0, 4_000_000, 4_000_000)
    width, height = struct.unpack_from(">II", movie.find(b"trak", b"tkhd").content, 76)
    assert (round(width / 65536, 1), height / 65536) == (1047.3, 576)


def test_the_audio_entry_carries_rate_channels_and_configuration() -> None:
    entry = moov(audio_init(AUDIO)).find(b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a")
    assert struct.unpack_from(">HH4xI", entry.content, 16) == (2, 16, 48_000 << 16)
    assert entry.find(b"esds").content.hex(" ") == (
        "00 00 00 00 03 19 00 00 00 04 11 40 15 00 00 00 00 01 f4 00 00 01 f4 00 05 02 11 90 06 01 02"
    )


def test_a_rate_that_the_entry_cannot_say_is_left_to_the_configuration() -> None:
    movie = moov(audio_init(AudioTrack(ASC, 96_000, 2)))
    entry = movie.find(b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a")
    assert entry.content[24:28] == bytes(4)
    assert movie.find(b"trak", b"mdia", b"mdhd").content[12:16] == (96_000).to_bytes(4, "big")


def test_a_long_configuration_gets_a_length_of_two_bytes() -> None:
    config = bytes(range(200))
    esds = moov(audio_init(AudioTrack(config, 48_000, 2))).find(
        b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a", b"esds"
    )
    assert b"\x05\x81\x48" + config in esds.content


@pytest.mark.parametrize(
    "track",
    [
        VideoTrack(AVCC, 0, 360),
        VideoTrack(AVCC, 640, 65_536),
        VideoTrack(AVCC, 640, 360, Fraction(0)),
        VideoTrack(AVCC, 16_000, 9_000, Fraction(5)),
    ],
)
def test_a_picture_that_no_box_can_hold_is_refused(track: VideoTrack) -> None:
    with pytest.raises(CmafError):
        video_init(track)


@pytest.mark.parametrize("track", [AudioTrack(ASC, 0, 2), AudioTrack(ASC, 48_000, 0)])
def test_sound_that_no_box_can_hold_is_refused(track: AudioTrack) -> None:
    with pytest.raises(CmafError):
        audio_init(track)
