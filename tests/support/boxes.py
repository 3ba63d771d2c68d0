"""A reader of ISO BMFF boxes, for tests: it knows nothing of the writer it checks."""

import struct
from dataclasses import dataclass
from typing import NamedTuple

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"moof", b"traf"}
_HEADS = {b"stsd": 8, b"dref": 8, b"avc1": 78, b"mp4a": 28}
"""Bytes before the children of boxes that have both fields and children."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its type, all bytes after its header, and the boxes inside it."""

    kind: bytes
    content: bytes
    children: tuple["Box", ...]

    def find(self, *path: bytes) -> "Box":
        """The first box along `path`, which must exist."""
        if not path:
            return self
        return next(child for child in self.children if child.kind == path[0]).find(*path[1:])

    def outline(self) -> str:
        """The box and its children by name: `moof(mfhd traf(tfhd tfdt trun))`."""
        inner = " ".join(child.outline() for child in self.children)
        return self.kind.decode() + (f"({inner})" if inner else "")


class Run(NamedTuple):
    """What a fragment's traf says: decode time, and (duration, size, flags, composition offset) of each sample."""

    base_decode_time: int
    data_offset: int
    samples: list[tuple[int, int, int, int]]


def read_boxes(data: bytes) -> tuple[Box, ...]:
    """The boxes that fill `data` exactly."""
    boxes: list[Box] = []
    while data:
        (size,) = struct.unpack_from(">I", data)
        assert 8 <= size <= len(data), f"box of {size} bytes in {len(data)}"
        kind, content = data[4:8], data[8:size]
        inside = content[_HEADS.get(kind, 0) :] if kind in _CONTAINERS or kind in _HEADS else b""
        boxes.append(Box(kind, content, read_boxes(inside)))
        data = data[size:]
    return tuple(boxes)


def read_run(moof: Box) -> Run:
    """The one run of a `moof` whose samples carry all four fields."""
    tfdt, trun = moof.find(b"traf", b"tfdt").content, moof.find(b"traf", b"trun").content
    assert tfdt[:4] == b"\x01\x00\x00\x00"
    assert trun[:4] == b"\x00\x00\x0f\x01"
    count, data_offset = struct.unpack_from(">Ii", trun, 4)
    samples = list(struct.iter_unpack(">IIII", trun[12:]))
    assert len(samples) == count
    return Run(int.from_bytes(tfdt[4:], "big"), data_offset, samples)
