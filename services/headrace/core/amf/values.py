"""The Python shapes of AMF values.

Law: one shape per meaning, not per marker: undefined reads as None, XML and long strings as str, typed objects as dict.
Neighbours: `amf0` and `amf3` read into these, `amf0` writes them.
"""

from typing import NamedTuple, TypeAlias

MAX_DEPTH = 32
"""Containers inside containers. Real connect objects and metadata nest three deep; Python's own stack allows ~1000."""

MAX_VALUES = 4096
"""Values in one message, nested ones included. The richest metadata seen (multitrack, 8 tracks) holds under 200."""


class Date(NamedTuple):
    """A point in time as AMF writes it; the core does not interpret it."""

    unix_ms: float
    """Milliseconds since 1970-01-01 UTC, fractions allowed."""
    zone_minutes: int = 0
    """The reserved time-zone field; AMF0 §2.13 wants 0."""


class EcmaArray(dict[str, "Value"]):
    """A dict that was, or shall be, written as an ECMA array (marker 8) and not as an object (marker 3)."""


Value: TypeAlias = bool | int | float | str | Date | EcmaArray | dict[str, "Value"] | list["Value"] | None
"""Whatever AMF can say. Decoding gives numbers as float (AMF3 integers as int), and only these types."""
