"""AMF0, as RTMP peers write it: a permissive reader and a strict writer.

Law: the reader never raises. It keeps what was readable, names the first fault, and stops there, because after an
unknown marker nothing has a known length. Depth and number of values are bounded, so a small message cannot become a
large object. Source: Adobe AMF0 specification (2007), sections in comments.
Neighbours: `values` for the shapes, `amf3` behind the switch marker; `rtmp` reads commands and metadata with this.
"""

import struct
from typing import NamedTuple

from headrace.core.amf.amf3 import Amf3Reader
from headrace.core.amf.errors import AmfEncodeError, AmfError
from headrace.core.amf.values import MAX_DEPTH, MAX_VALUES, Date, EcmaArray, Value

NUMBER, BOOLEAN, STRING, OBJECT, NULL = 0x00, 0x01, 0x02, 0x03, 0x05
ECMA_ARRAY, OBJECT_END, STRICT_ARRAY, DATE, LONG_STRING = 0x08, 0x09, 0x0A, 0x0B, 0x0C

_DOUBLE = struct.Struct(">d")
_DATE = struct.Struct(">dh")


class Decoded(NamedTuple):
    """What a byte string of AMF said."""

    values: list[Value]
    """The values in order; the last may be incomplete if `error` is set."""
    error: AmfError | None
    """Why reading stopped before the end, or None."""


def decode_values(data: bytes) -> Decoded:
    """Read AMF0 values until `data` ends. Never raises; see `Decoded.error`."""
    reader = _Reader(data)
    values: list[Value] = []
    while reader.error is None and reader.position < len(data):
        if data[reader.position] == OBJECT_END:  # a stray end: seen after objects that were written as empty
            reader.position += 1
            continue
        value = reader.value(0)
        if reader.error is None or isinstance(value, (dict, list)):
            values.append(value)
    return Decoded(values, reader.error)


class _Reader:
    """A cursor that remembers the first fault and then reads no further."""

    __slots__ = ("_budget", "_data", "error", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._budget = MAX_VALUES
        self.position = 0
        self.error: AmfError | None = None

    def value(self, depth: int) -> Value:
        """One value with its marker. After a fault a container holds what came before it, and a scalar is None."""
        try:
            return self._value(depth)
        except AmfError as error:
            self.error = error
            return None

    def _value(self, depth: int) -> Value:
        self._budget -= 1
        if self._budget < 0:
            raise AmfError(f"more than {MAX_VALUES} values in one message")
        if depth > MAX_DEPTH:
            raise AmfError(f"values nested deeper than {MAX_DEPTH}")
        marker = self._take(1)[0]
        match marker:
            case 0x00:  # §2.2 number
                number: float = _DOUBLE.unpack(self._take(8))[0]
                return number
            case 0x01:  # §2.3 boolean
                return self._take(1)[0] != 0
            case 0x02:  # §2.4 string
                return self._text(2)
            case 0x03:  # §2.5 object
                return self._pairs({}, depth)
            case 0x08:  # §2.10 ECMA array: the count is a hint that many encoders get wrong
                self._take(4)
                return self._pairs(EcmaArray(), depth)
            case 0x0A:  # §2.12 strict array
                return self._items(int.from_bytes(self._take(4), "big"), depth)
            case 0x0B:  # §2.13 date
                unix_ms, zone_minutes = _DATE.unpack(self._take(10))
                return Date(unix_ms, zone_minutes)
            case 0x0C | 0x0F:  # §2.14 long string, §2.17 XML document
                return self._text(4)
            case 0x10:  # §2.18 typed object: the class name means nothing to us
                self._text(2)
                return self._pairs({}, depth)
            case 0x11:  # §3.1 switch to AMF3 for this value
                return self._amf3()
            case 0x05 | 0x06 | 0x0D:  # null, undefined, unsupported
                return None
            case 0x07:
                # §2.9 reference: no encoder sends it, and resolving would let a few bytes describe a tree of any size.
                self._take(2)
                return None
        raise AmfError(f"unknown AMF0 marker 0x{marker:02x}")

    def _pairs(self, into: dict[str, Value], depth: int) -> dict[str, Value]:
        """Name/value pairs up to the object end, or to the end of the data (some encoders leave the end out)."""
        try:
            while self.position < len(self._data):
                name = self._text(2)
                if not name and (self.position == len(self._data) or self._data[self.position] == OBJECT_END):
                    self.position = min(self.position + 1, len(self._data))
                    break
                value = self.value(depth + 1)
                if self.error is None or isinstance(value, (dict, list)):
                    into[name] = value
                if self.error is not None:
                    break
        except AmfError as error:
            self.error = error
        return into

    def _items(self, count: int, depth: int) -> list[Value]:
        items: list[Value] = []
        while len(items) < count and self.error is None:
            value = self.value(depth + 1)
            if self.error is None or isinstance(value, (dict, list)):
                items.append(value)
        return items

    def _amf3(self) -> Value:
        reader = Amf3Reader(self._data, self.position, self._budget)
        value = reader.value(0)
        self.position, self._budget = reader.position, reader.budget
        return value

    def _text(self, width: int) -> str:
        """A length of `width` bytes, then UTF-8; wrong bytes are replaced, so that no text can fail to encode later."""
        return self._take(int.from_bytes(self._take(width), "big")).decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise AmfError(f"{count} bytes wanted, {len(self._data) - self.position} left")
        taken = self._data[self.position : end]
        self.position = end
        return taken


def encode_values(*values: Value) -> bytes:
    """The values one after the other as AMF0. Raises AmfEncodeError for what AMF0 cannot carry."""
    out = bytearray()
    for value in values:
        _encode(out, value, 0)
    return bytes(out)


def _encode(out: bytearray, value: Value, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise AmfEncodeError(f"values nested deeper than {MAX_DEPTH}")
    if value is None:
        out.append(NULL)
    elif isinstance(value, bool):
        out += bytes((BOOLEAN, value))
    elif isinstance(value, (int, float)):
        out.append(NUMBER)
        out += _DOUBLE.pack(value)
    elif isinstance(value, str):
        text = value.encode("utf-8", "replace")
        if len(text) <= 0xFFFF:
            out.append(STRING)
            out += len(text).to_bytes(2, "big") + text
        else:
            out.append(LONG_STRING)
            out += len(text).to_bytes(4, "big") + text
    elif isinstance(value, Date):
        out.append(DATE)
        out += _DATE.pack(value.unix_ms, value.zone_minutes)
    elif isinstance(value, dict):
        if isinstance(value, EcmaArray):
            out.append(ECMA_ARRAY)
            out += len(value).to_bytes(4, "big")
        else:
            out.append(OBJECT)
        for name, item in value.items():
            text = name.encode("utf-8", "replace")
            if not 0 < len(text) <= 0xFFFF:  # §2.5: a name has 16 bits of length, and the empty one ends the object
                raise AmfEncodeError(f"a property name of {len(text)} bytes")
            out += len(text).to_bytes(2, "big") + text
            _encode(out, item, depth + 1)
        out += bytes((0, 0, OBJECT_END))
    elif isinstance(value, list):
        out.append(STRICT_ARRAY)
        out += len(value).to_bytes(4, "big")
        for item in value:
            _encode(out, item, depth + 1)
    else:
        raise AmfEncodeError(f"AMF0 has no {type(value).__name__}")
