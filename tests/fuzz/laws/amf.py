"""AMF: reading never raises and is bounded; what was read can be written, and is then read as the same."""

import struct

from headrace.core.amf import MAX_VALUES, AmfEncodeError, Value, decode_values, encode_values
from headrace.core.flv import metadata_values, read_metadata
from tests.fuzz.judge import Shape


def amf(data: bytes) -> None:
    """`decode_values`, `encode_values` and what reads metadata from them."""
    decoded = decode_values(data)
    assert sum(_size(value) for value in decoded.values) <= 2 * MAX_VALUES, "more values than there may be"
    if decoded.error is not None:
        assert decoded.error.code, "a fault without its code"
    told = read_metadata(*decoded.values)
    assert read_metadata(metadata_values(told)).width == told.width, "metadata does not come back"
    try:
        written = encode_values(*decoded.values)
    except AmfEncodeError:  # AMF3 nests deeper than AMF0 may, and has names that it has not
        return
    again = decode_values(written)
    assert again.error is None, f"what we wrote cannot be read: {again.error}"
    assert encode_values(*again.values) == written, "what was written reads as something else"
    assert len(again.values) == len(decoded.values), "a value was lost"


def _size(value: Value) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(item) for item in value)
    return 1


SHAPES = (
    Shape(b"", b"\x0a\x00\x00\x00\x01"),
    Shape(b"\x0a\xff\xff\xff\xff", b"\x05"),
    Shape(b"\x0a\xff\xff\xff\xff", b"\x00" + struct.pack(">d", 0.1)),
    Shape(b"\x03", b"\x00\x01a\x03"),
    Shape(b"\x03", b"\x00\x01a\x05"),
    Shape(b"", b"\x03\x00\x00\x09"),
    Shape(b"", b"\x09"),
    Shape(b"\x0c\x00\x03\xff\x00", b"\xff"),
    Shape(b"", b"\x11\x0a\x0b\x01\x03a\x01\x01"),
    Shape(b"\x11\x09\xff\xff\xff\xff", b"\x01"),
    Shape(b"\x11", b"\x0a\x0b\x01\x03a"),
    Shape(b"\x11\x09\xff\xff\xff\xff\x01", b"\x0a\xbf\xff\xff\x03"),
    Shape(b"\x11\x09\xff\xff\xff\xff\x01", b"\x06\x03a"),
    Shape(b"\x11\x0a\x80\x80\x83\x01", b"\x01"),
)
