"""A media playlist as the strictest client reads it, with everything that it minds. It raises nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

Place = tuple[int, int]
Fault = tuple[int, str]

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,(?=.)|$)')
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_ONCE = {
    "VERSION",
    "TARGETDURATION",
    "SERVER-CONTROL",
    "PART-INF",
    "MEDIA-SEQUENCE",
    "DISCONTINUITY-SEQUENCE",
    "INDEPENDENT-SEGMENTS",
    "PLAYLIST-TYPE",
    "ENDLIST",
}
_BEFORE_SEGMENTS = {"MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE"}
_BEFORE_PARTS = {"DISCONTINUITY", "MAP", "KEY", "PROGRAM-DATE-TIME"}


@dataclass(frozen=True, slots=True)
class Part:
    """A line that lists a part."""

    uri: str
    duration: Fraction
    independent: bool
    gap: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment; one that is open has no `uri` and no `extinf`. `discontinuity` as a client counts it."""

    msn: int
    uri: str
    extinf: Fraction
    date: str
    map: str
    discontinuity: int
    gap: bool
    parts: tuple[Part, ...]


@dataclass(slots=True)
class Listing:
    """A playlist. `tags`: of the whole playlist, as printed; `control`, `part_inf` their attributes."""

    tags: dict[str, str] = field(default_factory=dict)
    control: dict[str, str] = field(default_factory=dict)
    part_inf: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    open: Segment | None = None
    hints: list[dict[str, str]] = field(default_factory=list)
    reports: list[dict[str, str]] = field(default_factory=list)
    ended: bool = False
    faults: list[Fault] = field(default_factory=list)

    @property
    def target_s(self) -> int:
        """TARGETDURATION, 0 where it is missing."""
        return self.number("TARGETDURATION")

    @property
    def part_target_s(self) -> Fraction:
        """PART-TARGET, 0 where it is missing."""
        return _decimal(self.part_inf.get("PART-TARGET", "0"))

    @property
    def all(self) -> list[Segment]:
        """Whole segments and the open one."""
        return [*self.segments, self.open] if self.open else self.segments

    @property
    def newest(self) -> Place:
        """The last part's place; (-1, -1) where there is nothing."""
        last = next(iter(self.all[::-1]), None)
        return (last.msn, len(last.parts) - 1) if last else (-1, -1)

    @property
    def next(self) -> Place:
        """The place of the part that comes next."""
        return (self.newest[0], self.newest[1] + 1) if self.open else (self.newest[0] + 1, 0)

    @property
    def hint(self) -> str:
        """The URI of the hinted part, or ""."""
        return next((hint.get("URI", "") for hint in self.hints if hint.get("TYPE") == "PART"), "")

    def number(self, tag: str) -> int:
        """A tag of the whole playlist that is a number, 0 where it is missing."""
        value = self.tags.get(tag, "0")
        return int(value) if value.isdecimal() else 0

    def parts(self) -> Iterator[tuple[Place, Part]]:
        """Every listed part with its place, found by counting."""
        for segment in self.all:
            for number, part in enumerate(segment.parts):
                yield (segment.msn, number), part


def read(body: bytes) -> Listing:
    """The listing, whatever is wrong with it."""
    listing = Listing()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        listing.faults.append((29, "it is not UTF-8"))
        return listing
    if text.startswith("\ufeff") or re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", text):
        listing.faults.append((29, "it has a byte order mark or a control character"))
    lines = text.split("\n")
    if lines[0] != "#EXTM3U" or lines.pop() != "":
        listing.faults.append((29, "it does not begin with #EXTM3U, or its last line does not end"))
    _Reader(listing).read(lines[1:])
    return listing


class _Reader:
    """What is known of the segment that is being read."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.breaks = 0
        self.map = ""
        self.date = ""
        self.extinf: Fraction | None = None
        self.gap = False
        self.parts: list[Part] = []

    def read(self, lines: list[str]) -> None:
        listing = self.listing
        for line in lines:
            if line.startswith("#EXT"):
                name, _, value = line.removeprefix("#EXT-X-").removeprefix("#").partition(":")
                self._tag(name, value)
            elif line.startswith("#"):
                continue
            elif line:
                self._uri(line)
            else:
                self._mind(29, "an empty line")
        if self.parts or self.extinf is not None:
            if self.extinf is not None:
                self._mind(29, "an EXTINF without its URI")
            listing.open = self._segment("", Fraction(0))
        if "TARGETDURATION" not in listing.tags:
            self._mind(29, "TARGETDURATION is missing")

    def _mind(self, rule: int, words: str) -> None:
        self.listing.faults.append((rule, words))

    def _tag(self, name: str, value: str) -> None:
        listing = self.listing
        if name in _ONCE:
            if name in listing.tags:
                self._mind(29, f"{name} stands twice")
            if name in _BEFORE_SEGMENTS and (listing.segments or self.parts or self.breaks):
                self._mind(29, f"{name} stands after a segment or a DISCONTINUITY")
            listing.tags[name] = value
        if name in _BEFORE_PARTS and self.parts:
            self._mind(21, f"{name} stands after a part of the segment that it belongs to")
        match name:
            case "SERVER-CONTROL":
                listing.control = self._attributes(value)
            case "PART-INF":
                listing.part_inf = self._attributes(value)
            case "DISCONTINUITY":
                self.breaks += 1
            case "MAP":
                self.map = self._attributes(value).get("URI", "")
            case "PROGRAM-DATE-TIME":
                self.date = value
            case "GAP":
                self.gap = True
            case "EXTINF":
                self.extinf = self._duration(value.partition(",")[0])
            case "PART":
                given = self._attributes(value)
                if not {"URI", "DURATION"} <= given.keys():
                    self._mind(29, "a PART lacks URI or DURATION")
                duration = self._duration(given.get("DURATION", "0"))
                flags = (given.get("INDEPENDENT") == "YES", given.get("GAP") == "YES")
                self.parts.append(Part(given.get("URI", ""), duration, *flags))
            case "PRELOAD-HINT":
                listing.hints.append(self._attributes(value))
            case "RENDITION-REPORT":
                listing.reports.append(self._attributes(value))
            case "ENDLIST":
                listing.ended = True

    def _uri(self, uri: str) -> None:
        if self.extinf is None:
            self._mind(29, f"{uri} has no EXTINF")
        self.listing.segments.append(self._segment(uri, self.extinf or Fraction(0)))
        self.extinf, self.gap, self.parts, self.date = None, False, [], ""

    def _segment(self, uri: str, extinf: Fraction) -> Segment:
        msn = self.listing.number("MEDIA-SEQUENCE") + len(self.listing.segments)
        broken = self.listing.number("DISCONTINUITY-SEQUENCE") + self.breaks
        return Segment(msn, uri, extinf, self.date, self.map, broken, self.gap, tuple(self.parts))

    def _attributes(self, text: str) -> dict[str, str]:
        matches = list(_ATTRIBUTE.finditer(text))
        found = {match[1]: match[2].strip('"') for match in matches}
        if "".join(match[0] for match in matches) != text or len(found) != len(matches):
            self._mind(29, f"no attribute list: {text}")
        return found

    def _duration(self, text: str) -> Fraction:
        if not _DECIMAL.fullmatch(text):
            self._mind(29, f"no duration: {text}")
        return _decimal(text)


def attributes(text: str) -> dict[str, str]:
    """An attribute list, without the quotes."""
    return {match[1]: match[2].strip('"') for match in _ATTRIBUTE.finditer(text)}


def _decimal(text: str) -> Fraction:
    return Fraction(text) if _DECIMAL.fullmatch(text) else Fraction(0)
