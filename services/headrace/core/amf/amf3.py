"""AMF3, read only: what Flash-based encoders put behind AMF0's switch marker.

Law: one value at a time, bounded like AMF0; raises `AmfError` and nothing else. References to strings and class traits
are resolved (every object relies on them); references to objects read as None, because resolving would let a few bytes
describe a tree of any size. Source: Adobe AMF 3 specification (2013), sections in comments.
Neighbours: `amf0` calls this; we answer in AMF0 always, so there is no writer.
"""

import struct
from typing import NamedTuple

from headrace.core.amf.errors import AmfError
from headrace.core.amf.values import MAX_DEPTH, MAX_VALUES, Date, Value

_DOUBLE = struct.Struct(">d")


class _Traits(NamedTuple):
    names: tuple[str, ...]
    dynamic: bool


class Amf3Reader:
    """A cursor at `position` of `data` that may read `budget` values; the reference tables live as long as it does."""

    __slots__ = ("_data", "_strings", "_traits", "budget", "position")

    def __init__(self, data: bytes, position: int, budget: int) -> None:
        self._data = data
        self.budget = budget
        self._strings: list[str] = []
        self._traits: list[_Traits] = []
        self.position = position

    def value(self, depth: int) -> Value:
        """One value with its marker. Raises AmfError."""
        self.budget -= 1
        if self.budget < 0:
            raise AmfError(f"more than {MAX_VALUES} values in one message")
        if depth > MAX_DEPTH:
            raise AmfError(f"values nested deeper than {MAX_DEPTH}")
        marker = self._take(1)[0]
        match marker:
            case 0x00 | 0x01:  # §3.2 undefined, §3.3 null
                return None
            case 0x02 | 0x03:  # §3.4 false, §3.5 true
                return marker == 0x03
            case 0x04:  # §3.6 integer: 29 bits, signed
                number = self._u29()
                return number - (1 << 29) if number >= 1 << 28 else number
            case 0x05:  # §3.7 double
                return self._double()
            case 0x06:  # §3.8 string
                return self._string()
            case 0x07 | 0x0B | 0x0C:  # §3.9 XML document, §3.13 XML, §3.14 byte array (as text: nobody reads it)
                header = self._u29()
                return self._take(header >> 1).decode("utf-8", "replace") if header & 1 else None
            case 0x08:  # §3.10 date
                return Date(self._double()) if self._u29() & 1 else None
            case 0x09:  # §3.11 array
                return self._array(depth)
            case 0x0A:  # §3.12 object
                return self._object(depth)
        raise AmfError(f"unknown AMF3 marker 0x{marker:02x}")

    def _array(self, depth: int) -> Value:
        header = self._u29()
        if not header & 1:
            return None
        named = self._named(depth)
        items: list[Value] = []
        for _ in range(header >> 1):
            items.append(self.value(depth + 1))
        if not named:
            return items
        return named | {str(index): item for index, item in enumerate(items)}

    def _object(self, depth: int) -> Value:
        header = self._u29()
        if not header & 1:
            return None
        if not header & 2:  # traits by reference
            if header >> 2 >= len(self._traits):
                raise AmfError("a reference to class traits that were not sent")
            traits = self._traits[header >> 2]
        elif header & 4:  # an externalizable class: its bytes mean something to that class alone
            raise AmfError("an externalizable AMF3 object")
        else:
            self._string()
            if header >> 4 > MAX_VALUES:
                raise AmfError(f"a class of more than {MAX_VALUES} members")
            traits = _Traits(tuple(self._string() for _ in range(header >> 4)), bool(header & 8))
            self._traits.append(traits)
        fields: dict[str, Value] = {name: self.value(depth + 1) for name in traits.names}
        return fields | self._named(depth) if traits.dynamic else fields

    def _named(self, depth: int) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        while name := self._string():
            fields[name] = self.value(depth + 1)
        return fields

    def _string(self) -> str:
        header = self._u29()
        if not header & 1:
            if header >> 1 >= len(self._strings):
                raise AmfError("a reference to a string that was not sent")
            return self._strings[header >> 1]
        text = self._take(header >> 1).decode("utf-8", "replace")
        if text:  # §1.3.2: the empty string is never sent by reference
            self._strings.append(text)
        return text

    def _u29(self) -> int:
        """§1.3.1: seven bits a byte, the fourth byte gives eight."""
        value = 0
        for _ in range(3):
            byte = self._take(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        return value << 8 | self._take(1)[0]

    def _double(self) -> float:
        number: float = _DOUBLE.unpack(self._take(8))[0]
        return number

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise AmfError(f"{count} bytes wanted, {len(self._data) - self.position} left")
        taken = self._data[self.position : end]
        self.position = end
        return taken
