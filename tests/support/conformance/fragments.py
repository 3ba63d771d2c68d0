"""What fMP4 says, read box by box as ISO/IEC 14496-12 lays it down, whoever wrote it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}
_TFHD_FIELDS = ((0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4), (0x20, 4))
_TRUN_FIELDS = (0x100, 0x200, 0x400, 0x800)
_BASE_IS_MOOF = 0x020000
_NOT_SYNC = 0x010000


@dataclass(frozen=True, slots=True)
class Init:
    """What an init section says; `entry` the sample entry's type, `codec` its RFC 6381 string where it is known."""

    brands: tuple[bytes, ...]
    timescale: int
    durations: tuple[int, ...]
    samples: int
    extended: bool
    entry: bytes
    codec: str
    sample_duration: int
    sample_flags: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """One `traf`. Times in the track's units; `synced`: which samples are independent."""

    start: int | None
    durations: tuple[int, ...]
    synced: tuple[bool, ...]
    base_is_moof: bool

    @property
    def span(self) -> int:
        """How long its samples last."""
        return sum(self.durations)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box that `data` is made of. Raises ValueError."""
    while data:
        if len(data) < 8:
            raise ValueError(f"{len(data)} bytes after the last box")
        size, kind = struct.unpack_from(">I4s", data)
        if not 8 <= size <= len(data):
            raise ValueError(f"a box of {size} bytes in {len(data)}")
        yield kind, data[8:size]
        data = data[size:]


def _tree(data: bytes, path: str = "") -> Iterator[tuple[str, bytes]]:
    for kind, content in boxes(data):
        at = f"{path}/{kind.decode('latin-1')}"
        yield at, content
        if kind in _CONTAINERS:
            yield from _tree(content, at)


def read_init(data: bytes) -> Init:
    """An init section. Raises ValueError, KeyError, struct.error."""
    found = dict(_tree(data))
    track = "/moov/trak/mdia/minf/stbl"
    brands = found["/ftyp"]
    ((entry, described),) = boxes(found[f"{track}/stsd"][8:])
    trex = struct.unpack_from(">5I", found["/moov/mvex/trex"], 4) if "/moov/mvex/trex" in found else (0,) * 5
    return Init(
        tuple(brands[at : at + 4] for at in (0, *range(8, len(brands), 4))),
        _timescale(found["/moov/trak/mdia/mdhd"]),
        (_duration(found["/moov/mvhd"], 16, 24), _duration(found["/moov/trak/tkhd"], 20, 28)),
        sum(struct.unpack_from(">I", found[f"{track}/{name}"], 4)[0] for name in ("stts", "stsc", "stco")),
        "/moov/mvex" in found,
        entry,
        _codec(entry, described),
        trex[2],
        trex[4],
    )


def read_fragments(data: bytes, init: Init) -> list[Fragment]:
    """The fragments that `data` is made of. Raises ValueError, struct.error."""
    found = []
    for kind, content in boxes(data):
        if kind == b"moof":
            for name, traf in boxes(content):
                if name == b"traf":
                    found.append(_fragment(traf, init))
    return found


def _fragment(traf: bytes, init: Init) -> Fragment:
    start: int | None = None
    base_is_moof = False
    duration, flags_of_all = init.sample_duration, init.sample_flags
    durations: list[int] = []
    synced: list[bool] = []
    for kind, content in boxes(traf):
        (version_flags,) = struct.unpack_from(">I", content)
        flags = version_flags & 0xFFFFFF
        if kind == b"tfhd":
            base_is_moof = bool(flags & _BASE_IS_MOOF)
            at = 8
            for flag, size in _TFHD_FIELDS:
                if flags & flag:
                    if flag == 0x8:
                        (duration,) = struct.unpack_from(">I", content, at)
                    elif flag == 0x20:
                        (flags_of_all,) = struct.unpack_from(">I", content, at)
                    at += size
        elif kind == b"tfdt":
            (start,) = struct.unpack_from(">Q" if version_flags >> 24 else ">I", content, 4)
        elif kind == b"trun":
            (count,) = struct.unpack_from(">I", content, 4)
            at = 8 + (4 if flags & 0x1 else 0)
            first = None
            if flags & 0x4:
                (first,) = struct.unpack_from(">I", content, at)
                at += 4
            for number in range(count):
                given = {}
                for flag in _TRUN_FIELDS:
                    if flags & flag:
                        (given[flag],) = struct.unpack_from(">I", content, at)
                        at += 4
                marks = given.get(0x400, first if number == 0 and first is not None else flags_of_all)
                durations.append(given.get(0x100, duration))
                synced.append(not marks & _NOT_SYNC)
    return Fragment(start, tuple(durations), tuple(synced), base_is_moof)


def seconds(units: int, init: Init) -> Fraction:
    """A time in the track's units."""
    return Fraction(units, init.timescale)


def _timescale(mdhd: bytes) -> int:
    return int(struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0])


def _duration(header: bytes, at: int, at_in_v1: int) -> int:
    return int(struct.unpack_from(">Q", header, at_in_v1)[0] if header[0] else struct.unpack_from(">I", header, at)[0])


def _codec(entry: bytes, described: bytes) -> str:
    if entry == b"avc1":
        config = dict(boxes(described[78:])).get(b"avcC", b"")
        return f"avc1.{config[1:4].hex()}" if len(config) > 4 else ""
    return "mp4a.40." if entry == b"mp4a" else ""
