"""Sequence parameter set: what one H.264 track's pictures look like.

Law: sizes are those that are shown (after cropping); whatever the set does not say is None.
Source: ITU-T H.264 §7.3.2.1.1 (syntax), §7.4.2.1.1 (semantics), Annex E (VUI). Neighbours: `config` keeps the bytes.
"""

from dataclasses import dataclass
from fractions import Fraction

from headrace.core.bits import BitReader, OutOfBits
from headrace.core.codec.errors import CodecError
from headrace.core.codec.h264 import nal

PROFILES_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""The profiles whose sets carry chroma format and bit depths."""

MAX_SIDE = 16_384
"""Pixels. Level 6.2 allows 139,264 macroblocks, at most 16,880 pixels on a side; larger numbers are garbage."""

MAX_FRAME_RATE = 300
"""Frames/s. Above it the VUI tells the encoder's time base (x264 does, at 1/90000 s), and no frame rate."""

# 4:4:4 is cropped by single pixels, and so is monochrome, which separate planes count as.
_CROP_UNIT = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}
_EXTENDED_SAR = 255
_SAR = (
    (0, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Colour:
    """Colour description by the code points of ISO/IEC 23091-2 (2 = unspecified)."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool


@dataclass(frozen=True, slots=True)
class Sps:
    """The readable part of a sequence parameter set.

    `compatibility` is the byte of constraint flags, `level` ten times the level's number. `width` and `height` are in
    luma pixels as shown, `sar` the shape of a pixel (1 where unspecified). `frame_rate` is frames/s by VUI timing, None
    where it is absent or no rate. `progressive` is frame_mbs_only_flag: without it the track may hold fields.
    `reordered`: at most so many pictures are decoded before one that is shown before them; None where it is unsaid.
    """

    profile: int
    compatibility: int
    level: int
    chroma_format: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width: int
    height: int
    progressive: bool
    sar: Fraction = Fraction(1)
    colour: Colour | None = None
    frame_rate: Fraction | None = None
    reordered: int | None = None

    @classmethod
    def parse(cls, unit: bytes) -> "Sps":
        """Read a NAL unit of type 7. Raises CodecError when it is none, is cut short, or describes no picture.

        A VUI that ends too early says nothing, but the picture still counts: some cameras cut theirs.
        """
        if not unit or unit[0] & 0x1F != nal.SPS:
            raise CodecError("not a sequence parameter set")
        try:
            return cls._read(BitReader(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00")))
        except OutOfBits as error:
            raise CodecError(f"sequence parameter set of {len(unit)} bytes is cut short") from error

    @classmethod
    def _read(cls, reader: BitReader) -> "Sps":
        profile, compatibility, level = reader.read(8), reader.read(8), reader.read(8)
        reader.ue()  # seq_parameter_set_id
        chroma_format, depth_luma, depth_chroma = _chroma(reader, profile)
        in_order = _picture_order(reader)
        reader.ue()  # max_num_ref_frames
        reader.flag()  # gaps_in_frame_num_value_allowed_flag
        width, height = 16 * (reader.ue() + 1), 16 * (reader.ue() + 1)
        progressive = reader.flag()
        if not progressive:
            height *= 2
            reader.flag()  # mb_adaptive_frame_field_flag
        reader.flag()  # direct_8x8_inference_flag
        if reader.flag():
            unit_x, unit_y = _CROP_UNIT[chroma_format]
            width -= unit_x * (reader.ue() + reader.ue())
            height -= unit_y * (1 if progressive else 2) * (reader.ue() + reader.ue())
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
            raise CodecError(f"sequence parameter set describes a picture of {width}x{height}")
        sar, colour, frame_rate, reordered = _vui(reader)
        return cls(
            profile, compatibility, level, chroma_format, depth_luma, depth_chroma,
            width, height, progressive, sar, colour, frame_rate, 0 if in_order else reordered,
        )  # fmt: skip


def _chroma(reader: BitReader, profile: int) -> tuple[int, int, int]:
    """chroma_format_idc and bit depths; scaling lists are read over."""
    if profile not in PROFILES_WITH_CHROMA:
        return 1, 8, 8
    chroma_format = reader.ue()
    if chroma_format > 3:
        raise CodecError(f"chroma_format_idc {chroma_format}")
    if chroma_format == 3:
        reader.flag()  # separate_colour_plane_flag
    depth_luma, depth_chroma = 8 + reader.ue(), 8 + reader.ue()
    if depth_luma > 14 or depth_chroma > 14:
        raise CodecError(f"bit depths {depth_luma} and {depth_chroma}")
    reader.flag()  # qpprime_y_zero_transform_bypass_flag
    if reader.flag():  # seq_scaling_matrix_present_flag
        for index in range(12 if chroma_format == 3 else 8):
            if reader.flag():
                _skip_scaling_list(reader, 16 if index < 6 else 64)
    return chroma_format, depth_luma, depth_chroma


def _skip_scaling_list(reader: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + reader.se()) % 256
        last = following or last


def _picture_order(reader: BitReader) -> bool:
    """Read over frame numbers and picture order count; whether its kind allows no reordering."""
    reader.ue()  # log2_max_frame_num_minus4
    kind = reader.ue()
    if kind == 0:
        reader.ue()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        reader.flag()  # delta_pic_order_always_zero_flag
        reader.se()  # offset_for_non_ref_pic
        reader.se()  # offset_for_top_to_bottom_field
        cycle = reader.ue()
        if cycle > 255:
            raise CodecError(f"num_ref_frames_in_pic_order_cnt_cycle {cycle}")
        for _ in range(cycle):
            reader.se()
    return kind == 2


def _vui(reader: BitReader) -> tuple[Fraction, Colour | None, Fraction | None, int | None]:
    """Shape of a pixel, colour, frame rate and reordering; what stands behind the end of a cut-off VUI is unsaid."""
    sar: Fraction = Fraction(1)
    colour: Colour | None = None
    frame_rate: Fraction | None = None
    reordered: int | None = None
    try:
        if not reader.flag():  # vui_parameters_present_flag
            return sar, colour, frame_rate, reordered
        sar = _sample_aspect_ratio(reader)
        if reader.flag():  # overscan_info_present_flag
            reader.flag()
        if reader.flag():  # video_signal_type_present_flag
            reader.skip(3)  # video_format
            full_range = reader.flag()
            codes = (reader.read(8), reader.read(8), reader.read(8)) if reader.flag() else (2, 2, 2)
            colour = Colour(*codes, full_range)
        if reader.flag():  # chroma_loc_info_present_flag
            reader.ue()
            reader.ue()
        if reader.flag():  # timing_info_present_flag
            units_in_tick, time_scale = reader.read(32), reader.read(32)
            if units_in_tick and 0 < time_scale <= 2 * MAX_FRAME_RATE * units_in_tick:
                frame_rate = Fraction(time_scale, 2 * units_in_tick)
            reader.flag()  # fixed_frame_rate_flag
        reordered = _reordered(reader)
    except OutOfBits:
        pass
    return sar, colour, frame_rate, reordered


def _reordered(reader: BitReader) -> int | None:
    """max_num_reorder_frames, behind the buffering parameters."""
    buffered = False
    for _ in ("NAL", "VCL"):
        if reader.flag():
            _skip_hrd(reader)
            buffered = True
    if buffered:
        reader.flag()  # low_delay_hrd_flag
    reader.flag()  # pic_struct_present_flag
    if not reader.flag():  # bitstream_restriction_flag
        return None
    reader.flag()  # motion_vectors_over_pic_boundaries_flag
    for _ in range(4):  # max_bytes_per_pic_denom, max_bits_per_mb_denom, log2_max_mv_length_horizontal and _vertical
        reader.ue()
    return reader.ue()


def _skip_hrd(reader: BitReader) -> None:
    """Read over hrd_parameters (§E.1.2). Raises OutOfBits, also for more buffers than there can be."""
    count = reader.ue() + 1
    if count > 32:
        raise OutOfBits(f"cpb_cnt_minus1 {count - 1}")
    reader.skip(8)  # bit_rate_scale, cpb_size_scale
    for _ in range(count):
        reader.ue()  # bit_rate_value_minus1
        reader.ue()  # cpb_size_value_minus1
        reader.flag()  # cbr_flag
    reader.skip(20)  # lengths of delays and of time offsets


def _sample_aspect_ratio(reader: BitReader) -> Fraction:
    if not reader.flag():
        return Fraction(1)
    index = reader.read(8)
    if index == _EXTENDED_SAR:
        width, height = reader.read(16), reader.read(16)
    else:
        width, height = _SAR[index] if index < len(_SAR) else (0, 1)
    return Fraction(width, height) if width and height else Fraction(1)
