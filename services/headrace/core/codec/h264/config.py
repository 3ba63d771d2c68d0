"""AvcConfig: the AVCDecoderConfigurationRecord that RTMP sends first and CMAF keeps in its sample entry.

Law: what was parsed is built again byte for byte the same, save for reserved bits and trailing garbage.
Source: ISO/IEC 14496-15 §5.3.3.1. Neighbours: `nal` splits, `sps` reads.
"""

from dataclasses import dataclass

from headrace.core.codec.errors import CodecError
from headrace.core.codec.h264 import nal
from headrace.core.codec.h264.sps import PROFILES_WITH_CHROMA, Sps


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """Parameter sets of an H.264 track, and the size in bytes (1, 2 or 4) of its samples' length fields."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    sps_extensions: tuple[bytes, ...] = ()
    length_size: int = 4

    @classmethod
    def parse(cls, data: bytes) -> "AvcConfig":
        """Read an avcC record with any number of parameter sets.

        Raises CodecError when it is cut short, of another version, or lacks a parameter set of either kind.
        """
        if len(data) < 6:
            raise CodecError(f"avcC record of {len(data)} bytes")
        if data[0] != 1:
            raise CodecError(f"avcC version {data[0]}")
        length_size = (data[4] & 3) + 1
        if length_size == 3:
            raise CodecError("avcC with length fields of 3 bytes")
        sps, position = _units(data, 6, data[5] & 31, nal.SPS)
        count = data[position] if position < len(data) else 0
        pps, position = _units(data, position + 1, count, nal.PPS)
        if not sps or not pps:
            raise CodecError("avcC without parameter sets")
        extensions: tuple[bytes, ...] = ()
        # Old writers leave the tail of the High profiles out, so its absence is no error.
        if data[1] in PROFILES_WITH_CHROMA and len(data) >= position + 4:
            extensions, _ = _units(data, position + 4, data[position + 3], nal.SPS_EXTENSION)
        return cls(sps, pps, extensions, length_size)

    @classmethod
    def from_annexb(cls, extradata: bytes) -> "AvcConfig":
        """From an encoder's global header, whose samples then come from `annexb_to_sample`. Raises CodecError."""
        units = nal.split_annexb(extradata)
        sps, pps, extensions = (
            tuple(unit for unit in units if unit[0] & 0x1F == kind) for kind in (nal.SPS, nal.PPS, nal.SPS_EXTENSION)
        )
        if not sps or not pps:
            raise CodecError("global header without parameter sets")
        return cls(sps, pps, extensions)

    def build(self) -> bytes:
        """The avcC record. Raises CodecError when the first SPS is unreadable or a set is too long or too many."""
        if len(self.sps) > 31 or len(self.pps) > 255 or len(self.sps_extensions) > 255:
            raise CodecError("more parameter sets than an avcC record holds")
        first = self.picture
        head = bytes((1, first.profile, first.compatibility, first.level, 0xFC | (self.length_size - 1)))
        record = head + bytes((0xE0 | len(self.sps),)) + _pack(self.sps) + bytes((len(self.pps),)) + _pack(self.pps)
        if first.profile not in PROFILES_WITH_CHROMA:
            return record
        depths = (0xF8 | (first.bit_depth_luma - 8), 0xF8 | (first.bit_depth_chroma - 8))
        tail = bytes((0xFC | first.chroma_format, *depths, len(self.sps_extensions)))
        return record + tail + _pack(self.sps_extensions)

    @property
    def picture(self) -> Sps:
        """What the first SPS says. Raises CodecError when it cannot be read."""
        return Sps.parse(self.sps[0])

    @property
    def codec_string(self) -> str:
        """RFC 6381 §3.3: `avc1.PPCCLL`, profile, constraint flags and level of the first SPS in hex."""
        if len(self.sps[0]) < 4:
            raise CodecError("sequence parameter set of less than 4 bytes")
        return f"avc1.{self.sps[0][1:4].hex().upper()}"


def _units(data: bytes, position: int, count: int, kind: int) -> tuple[tuple[bytes, ...], int]:
    """`count` NAL units behind 2-byte lengths, and the position after them. Units of another kind are left out."""
    units: list[bytes] = []
    for _ in range(count):
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise CodecError("avcC record is cut short")
        if position > start and data[start] & 0x1F == kind:
            units.append(data[start:position])
    return tuple(units), position


def _pack(units: tuple[bytes, ...]) -> bytes:
    if any(len(unit) > 0xFFFF for unit in units):
        raise CodecError("parameter set above 65535 bytes")
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
