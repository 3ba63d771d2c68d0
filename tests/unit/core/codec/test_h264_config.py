"""avcC records and sequence parameter sets, with libx264 as the judge and hand-made sets for what it does not write."""

import contextlib
import re
from fractions import Fraction

import av
import pytest
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.codec import CodecError, h264
from headrace.core.codec.h264 import AvcConfig, Colour, Sps
from tests.support.bits import BitWriter

SPS = bytes.fromhex("6742c028da01e0089f970e100000030010002bf200f1832a")  # 1920x1080, 4:3 pixels, Constrained Baseline
PPS = bytes.fromhex("68ce0fc8")
AVCC = bytes.fromhex("0142c028ffe10018") + SPS + bytes.fromhex("010004") + PPS
ANNEX_B = b"\x00\x00\x00\x01" + SPS + b"\x00\x00\x00\x01" + PPS


def x264(width: int, height: int, *, pix_fmt: str = "yuv420p", sar: Fraction = Fraction(1), params: str = "") -> bytes:
    """libx264's global header for 30000/1001 frames/s."""
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, pix_fmt
    codec.time_base, codec.framerate = Fraction(1001, 30000), Fraction(30000, 1001)
    codec.sample_aspect_ratio = sar
    codec.flags |= Flags.global_header
    codec.options = {"preset": "veryfast", "x264-params": params}
    codec.open()
    assert codec.extradata is not None
    return codec.extradata


def hand_made(
    *, profile: int = 66, chroma: BitWriter | None = None, order: tuple[int, ...] = (2,), size: tuple[int, int] = (1, 1)
) -> BitWriter:
    """An SPS of `size` macroblocks up to and with its cropping flag; what follows is the caller's."""
    writer = BitWriter().u(8, 0x67).u(8, profile).u(8, 0).u(8, 30).ue(0)
    if chroma is not None:
        writer._bits += chroma._bits
    writer.ue(0, *order[:1])
    if order[0] == 0:
        writer.ue(order[1])
    if order[0] == 1:
        writer.u(1, 0).se(-3, 4).ue(len(order) - 1).se(*order[1:])
    return writer.ue(1).u(1, 0).ue(size[0] - 1, size[1] - 1).u(1, 1).u(1, 1)


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (640, 272), (854, 480), (16, 16), (426, 240)])
def test_the_size_is_the_one_shown_after_cropping(size: tuple[int, int]) -> None:
    picture = AvcConfig.from_annexb(x264(*size)).picture
    assert (picture.width, picture.height) == size
    assert picture.progressive


@pytest.mark.parametrize(
    ("pix_fmt", "chroma", "depth", "profile"),
    [
        ("yuv420p", 1, 8, 100),
        ("yuv422p", 2, 8, 122),
        ("yuv444p", 3, 8, 244),
        ("gray", 0, 8, 100),
        ("yuv420p10le", 1, 10, 110),
    ],
)
def test_chroma_and_depth_are_read_and_cropping_counts_in_their_units(
    pix_fmt: str, chroma: int, depth: int, profile: int
) -> None:
    config = AvcConfig.from_annexb(x264(178, 90, pix_fmt=pix_fmt))
    picture = config.picture
    assert (picture.width, picture.height) == (178, 90)
    assert (picture.chroma_format, picture.bit_depth_luma, picture.profile) == (chroma, depth, profile)
    assert config.build()[-4:] == bytes((0xFC | chroma, 0xF8 | (depth - 8), 0xF8 | (picture.bit_depth_chroma - 8), 0))


def test_an_interlaced_track_has_its_full_height() -> None:
    picture = AvcConfig.from_annexb(x264(1920, 1080, params="tff=1")).picture
    assert (picture.width, picture.height, picture.progressive) == (1920, 1080, False)


def test_separate_colour_planes_are_cropped_by_single_rows_and_columns() -> None:
    for chroma_format, planes in ((3, 1), (3, 0)):
        chroma = BitWriter().ue(chroma_format).u(1, planes).ue(0, 0).u(2, 0)
        sps = Sps.parse(hand_made(profile=244, chroma=chroma, size=(2, 2)).u(1, 1).ue(1, 2, 3, 4).u(2, 0).bytes())
        assert (sps.width, sps.height) == (29, 25)


def test_pixel_shape_colour_and_rate_come_from_the_vui() -> None:
    params = "colorprim=smpte170m:transfer=bt709:colormatrix=smpte170m:fullrange=on:force-cfr=1"
    picture = AvcConfig.from_annexb(x264(720, 480, sar=Fraction(8, 9), params=params)).picture
    assert picture.sar == Fraction(8, 9)
    assert picture.colour == Colour(6, 1, 6, True)
    assert picture.frame_rate == Fraction(30000, 1001)


def test_a_custom_quantiser_matrix_is_read_over() -> None:
    picture = AvcConfig.from_annexb(x264(320, 180, params="cqm=jvt")).picture
    assert (picture.width, picture.height) == (320, 180)


@pytest.mark.parametrize(("chroma_format", "lists"), [(1, 8), (3, 12)])
def test_scaling_lists_in_the_set_are_read_over(chroma_format: int, lists: int) -> None:
    chroma = BitWriter().ue(chroma_format)
    if chroma_format == 3:
        chroma.u(1, 0)
    chroma.ue(0, 0).u(1, 0).u(1, 1)
    chroma.u(1, 1).se(*([1] * 16))
    chroma.u(1, 1).se(-8)  # 0: the default list, and nothing follows
    chroma.u(1, 1).se(120, 128)  # 256 is 0 again
    chroma.u(3, 0)
    for _ in range(lists - 6):
        chroma.u(1, 1).se(*([0] * 63), 5)
    sps = Sps.parse(hand_made(profile=244, chroma=chroma, size=(5, 4)).u(2, 0).bytes())
    assert (sps.width, sps.height, sps.chroma_format) == (80, 64, chroma_format)


@pytest.mark.parametrize("order", [(0, 4), (1, -2, 3), (1,), (2,)])
def test_every_kind_of_picture_order_count_is_read_over(order: tuple[int, ...]) -> None:
    sps = Sps.parse(hand_made(order=order, size=(3, 2)).u(2, 0).bytes())
    assert (sps.width, sps.height) == (48, 32)


def test_a_vui_that_is_cut_off_says_nothing_but_the_picture_counts() -> None:
    sps = Sps.parse(hand_made(size=(3, 2)).u(1, 0).u(1, 1).u(1, 1).u(8, 2).u(1, 0).u(1, 1).bytes())
    assert (sps.width, sps.sar, sps.colour, sps.frame_rate) == (48, Fraction(12, 11), None, None)


def hrd(writer: BitWriter, buffers: int) -> BitWriter:
    return writer.ue(buffers - 1).u(8, 0).ue(*[7, 9] * min(buffers, 40)).u(min(buffers, 40), 0).u(20, 0)


@pytest.mark.parametrize(("params", "reordered"), [("bframes=3:b-pyramid=normal", 2), ("bframes=2:b-pyramid=none", 1)])
def test_how_far_pictures_are_reordered_stands_at_the_end_of_the_vui(params: str, reordered: int) -> None:
    for buffering in ("", ":nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900"):
        assert AvcConfig.from_annexb(x264(320, 180, params=params + buffering)).picture.reordered == reordered


def test_reordering_is_unsaid_without_its_flag_and_none_where_the_order_count_allows_none() -> None:
    for order, reordered in ((0, 4), None), ((2,), 0):
        silent = hand_made(order=order).u(1, 0).u(1, 1).u(5, 0).u(3, 0).u(1, 0)
        assert Sps.parse(silent.bytes()).reordered == reordered
    buffered = hrd(hrd(hand_made(order=(0, 4)).u(1, 0).u(1, 1).u(5, 0).u(1, 1), 2).u(1, 1), 1).u(2, 0)
    assert Sps.parse(buffered.u(2, 3).ue(0, 0, 9, 9, 3, 4).bytes()).reordered == 3
    garbage = hrd(hand_made(order=(0, 4)).u(1, 0).u(1, 1).u(5, 0).u(1, 1), 1000)
    assert Sps.parse(garbage.bytes()).reordered is None


@pytest.mark.parametrize(
    ("units", "scale", "rate"), [(1, 50, 25), (1001, 48000, Fraction(24000, 1001)), (1, 180_000, None), (0, 50, None)]
)
def test_timing_is_a_rate_only_where_it_can_be_one(units: int, scale: int, rate: Fraction | None) -> None:
    vui = hand_made().u(1, 0).u(1, 1).u(4, 0).u(1, 1).u(32, units).u(32, scale).u(1, 1)
    escaped = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", vui.bytes())
    assert Sps.parse(escaped).frame_rate == rate


@pytest.mark.parametrize(
    "sps",
    [
        hand_made(size=(1025, 4)).u(2, 0),  # 16,400 pixels wide
        hand_made(size=(1, 1)).u(1, 1).ue(4, 4, 0, 0).u(1, 0),  # everything is cropped away
        hand_made(profile=100, chroma=BitWriter().ue(4)),  # no such chroma format
        hand_made(profile=100, chroma=BitWriter().ue(1, 7, 0)),  # 15 bits deep
        BitWriter().u(8, 0x67).u(24, 0x42001E).u(32, 0).u(32, 0),  # endless exp-Golomb number
        BitWriter().u(8, 0x68).u(32, 0xCE0FC800),  # a PPS
        BitWriter(),
    ],
)
def test_a_set_that_describes_no_picture_is_refused(sps: BitWriter) -> None:
    with pytest.raises(CodecError):
        Sps.parse(sps.bytes())


def test_a_record_is_read_and_built_again() -> None:
    config = AvcConfig.parse(AVCC)
    assert config == AvcConfig((SPS,), (PPS,)) == AvcConfig.from_annexb(ANNEX_B)
    assert config.build() == AVCC
    assert config.codec_string == "avc1.42C028"


def test_several_parameter_sets_and_extensions_are_kept() -> None:
    high = AvcConfig.from_annexb(x264(320, 180))
    config = AvcConfig(high.sps * 2, high.pps * 3, (b"\x6d\x01",), length_size=2)
    assert AvcConfig.parse(config.build()) == config


def test_a_high_profile_record_without_its_tail_is_read() -> None:
    config = AvcConfig.from_annexb(x264(320, 180))
    assert AvcConfig.parse(config.build()[:-4]) == config


def test_what_is_no_parameter_set_is_left_out_of_the_record() -> None:
    access_unit_delimiter, sei = b"\x00\x00\x01\x09\xf0", b"\x00\x00\x01\x06\x05\x01\x80"
    assert AvcConfig.from_annexb(access_unit_delimiter + ANNEX_B + sei).build() == AVCC


@pytest.mark.parametrize(
    "record",
    [
        b"",
        AVCC[:5],
        AVCC[:-1],
        AVCC[:20],
        b"\x00" + AVCC[1:],
        AVCC[:4] + b"\xfe" + AVCC[5:],  # length fields of 3 bytes
        bytes.fromhex("0142c028ffe000"),  # no parameter sets
        AVCC[:-7] + b"\x00",  # no PPS
    ],
)
def test_a_record_that_does_not_hold_together_is_refused(record: bytes) -> None:
    with pytest.raises(CodecError):
        AvcConfig.parse(record)


def test_more_sets_than_a_record_counts_are_refused() -> None:
    with pytest.raises(CodecError):
        AvcConfig((SPS,) * 32, (PPS,)).build()
    with pytest.raises(CodecError):
        AvcConfig((SPS,), (PPS + bytes(65_536),)).build()


@settings(max_examples=150)
@given(st.sampled_from([AVCC, ANNEX_B, SPS]), st.integers(0, 60), st.binary(max_size=12), st.booleans())
def test_whatever_arrives_is_read_or_is_a_codec_error(base: bytes, at: int, noise: bytes, cut: bool) -> None:
    data = base[:at] + noise + (b"" if cut else base[at + len(noise) :])
    for parse in (AvcConfig.parse, AvcConfig.from_annexb):
        try:
            config = parse(data)
            assert config.codec_string.startswith("avc1.")
            assert AvcConfig.parse(config.build()).sps == config.sps
        except CodecError:
            pass
    for read in (Sps.parse, h264.split_annexb, h264.is_idr):
        with contextlib.suppress(CodecError):
            read(data)
