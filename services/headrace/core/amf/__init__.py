"""AMF: the values inside RTMP commands and metadata.

Law: decoding never raises (`Decoded.error` tells), encoding is strict; both are bounded in depth and number.
Neighbours: `rtmp` speaks commands with it, `flv` may read script tags.
"""

from headrace.core.amf.amf0 import Decoded, decode_values, encode_values
from headrace.core.amf.errors import AmfEncodeError, AmfError
from headrace.core.amf.values import MAX_DEPTH, MAX_VALUES, Date, EcmaArray, Value

__all__ = [
    "MAX_DEPTH",
    "MAX_VALUES",
    "AmfEncodeError",
    "AmfError",
    "Date",
    "Decoded",
    "EcmaArray",
    "Value",
    "decode_values",
    "encode_values",
]
