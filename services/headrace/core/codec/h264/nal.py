"""NAL units: Annex B byte streams and length-prefixed samples.

Law: a unit is its payload without start code, length or trailing zeros; its type is in the low five bits of its first
byte. Source: ITU-T H.264 §7.3.1, §7.4.1, Annex B; ISO/IEC 14496-15 §5.3.
"""

from collections.abc import Iterator

from headrace.core.codec.errors import CodecError

IDR = 5
SPS = 7
PPS = 8
SPS_EXTENSION = 13

_START_CODE = b"\x00\x00\x01"


def split_annexb(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream, in order. Raises CodecError when it does not begin with a start code."""
    units: list[bytes] = []
    start = data.find(_START_CODE)
    if start < 0 or data[:start].strip(b"\x00"):
        raise CodecError("Annex B data does not begin with a start code")
    while start >= 0:
        start += len(_START_CODE)
        following = data.find(_START_CODE, start)
        unit = data[start : following if following >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            units.append(unit)
        start = following
    return units


def annexb_to_sample(data: bytes) -> bytes:
    """An encoder's Annex B packet as one sample: each NAL unit behind its 4-byte length. Raises CodecError."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in split_annexb(data))


def split_sample(sample: bytes, length_size: int = 4) -> list[bytes]:
    """The NAL units of a sample whose length fields have `length_size` bytes. Raises CodecError where they do not fit.

    Units of length 0 are left out: some cameras pad with them.
    """
    return [sample[start:end] for start, end in _spans(sample, length_size)]


def nal_types(sample: bytes, length_size: int = 4) -> list[int]:
    """`nal_unit_type` of each NAL unit of a sample. Raises CodecError as `split_sample` does."""
    return [sample[start] & 0x1F for start, _ in _spans(sample, length_size)]


def is_idr(sample: bytes, length_size: int = 4) -> bool:
    """Whether the sample is an IDR picture, from which decoding can begin. Raises CodecError as `split_sample` does."""
    return IDR in nal_types(sample, length_size)


def _spans(sample: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    # One by one: a hostile sample has a unit in every second byte, and a span takes a hundred.
    position, size = 0, len(sample)
    while position < size:
        start = position + length_size
        position = start + int.from_bytes(sample[position:start], "big")
        if start > size or position > size:
            raise CodecError("NAL unit reaches past the end of its sample")
        if position > start:
            yield start, position
