"""A reader of media playlists, as strict as the strictest client.

Law: it knows the text alone, so what it understands is what a player would: parts are numbered by counting them.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class ListedSegment:
    """One segment as a client understands it; `discontinuity` is counted from DISCONTINUITY-SEQUENCE.

    The one that is open has neither URI nor EXTINF.
    """

    msn: int
    uri: str
    extinf: str
    date: str
    map: str
    discontinuity: int
    gap: bool


@dataclass(frozen=True)
class ListedPart:
    """One part as a client understands it, which numbers parts by counting them."""

    msn: int
    part: int
    uri: str
    duration: str
    independent: bool
    gap: bool


@dataclass(frozen=True)
class ListedReport:
    """How far another rendition is."""

    uri: str
    last_msn: int
    last_part: int


@dataclass(frozen=True)
class ReadPlaylist:
    """A media playlist as a client understands it; `parts` of all segments.

    `hint` is the next part's URI and `init_hint` its init section's, or "".
    """

    tags: dict[str, str]
    segments: tuple[ListedSegment, ...]
    open: ListedSegment | None
    parts: tuple[ListedPart, ...]
    hint: str
    init_hint: str
    reports: tuple[ListedReport, ...]
    discontinuity_tags: int
    ended: bool

    def parts_of(self, msn: int) -> tuple[ListedPart, ...]:
        """The listed parts of a segment."""
        return tuple(part for part in self.parts if part.msn == msn)


_HEADER_TAGS = {
    f"#EXT-X-{name}"
    for name in (
        "VERSION",
        "TARGETDURATION",
        "SERVER-CONTROL",
        "PART-INF",
        "MEDIA-SEQUENCE",
        "DISCONTINUITY-SEQUENCE",
        "INDEPENDENT-SEGMENTS",
    )
}
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",\s]+)(,|$)')


def attributes(text: str) -> dict[str, str]:
    """An attribute list, without the quotes; fails on anything that is none (RFC 8216bis §4.2)."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        assert match, f"no attribute list: {text}"
        assert match[1] not in found, f"{match[1]} stands twice"
        found[match[1]] = match[2].strip('"')
        at = match.end()
    assert found, "an attribute list is empty"
    assert not text.endswith(",")
    return found


def read_playlist(text: str) -> ReadPlaylist:
    """Parse a media playlist of ours; fails on tags or an order that a client would not take."""
    return _Reader().read(text)


class _Reader:
    """The state between two lines: the header, then segments with their parts, then what is at the end."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.segments: list[ListedSegment] = []
        self.parts: list[ListedPart] = []
        self.hint = ""
        self.init_hint = ""
        self.reports: list[ListedReport] = []
        self.broken = 0
        self.ended = False
        self.now = dict.fromkeys(("discontinuity", "map", "date", "part", "gap", "extinf"), "")
        self.map = ""

    def read(self, text: str) -> ReadPlaylist:
        lines = text.split("\n")
        assert lines[0] == "#EXTM3U"
        assert lines.pop() == ""
        for line in lines[1:]:
            assert not self.ended, "something stands after ENDLIST"
            self._line(line)
        assert not self.now["gap"]
        assert not self.now["extinf"]
        opened = self._segment("") if self.now["part"] else None
        assert opened or not any(self.now.values()), "tags without a segment"
        assert not (self.ended and self.hint), "a hint where nothing will come"
        return ReadPlaylist(
            self.tags,
            tuple(self.segments),
            opened,
            tuple(self.parts),
            self.hint,
            self.init_hint,
            tuple(self.reports),
            self.broken,
            self.ended,
        )

    def _line(self, line: str) -> None:
        name, _, value = line.partition(":")
        match name:
            case "#EXT-X-DISCONTINUITY" if not value:
                self._of_a_segment("discontinuity", "yes")
                self.broken += 1
            case "#EXT-X-MAP":
                self._of_a_segment("map", attributes(value)["URI"])
                self.map = self.now["map"]
            case "#EXT-X-PROGRAM-DATE-TIME":
                self._of_a_segment("date", value)
            case "#EXT-X-PART":
                self._part(attributes(value))
            case "#EXT-X-GAP" if not value:
                self._of_a_segment("gap", "yes")
            case "#EXTINF":
                assert value.endswith(",")
                self._of_a_segment("extinf", value.removesuffix(","))
            case "#EXT-X-PRELOAD-HINT":
                self._hint(attributes(value))
            case "#EXT-X-RENDITION-REPORT":
                report = attributes(value)
                assert set(report) == {"URI", "LAST-MSN", "LAST-PART"}
                assert report["URI"] not in {each.uri for each in self.reports}, "two reports on one rendition"
                self.reports.append(ListedReport(report["URI"], int(report["LAST-MSN"]), int(report["LAST-PART"])))
            case "#EXT-X-ENDLIST" if not value:
                self.ended = True
            case _ if line.startswith("#"):
                assert name in _HEADER_TAGS, f"nobody knows {name}"
                assert name not in self.tags, "a header tag stands twice"
                nothing_yet = not (self.segments or any(self.now.values()) or self.hint or self.reports)
                assert nothing_yet, "a header tag stands after a segment's"
                self.tags[name] = value
            case _:
                assert self.now["extinf"], "a URI without EXTINF"
                self.segments.append(self._segment(line))
                self.now = dict.fromkeys(self.now, "")

    def _of_a_segment(self, what: str, value: str) -> None:
        """A tag that applies to the segment that follows: once, in our order, all of it before hints and reports."""
        assert value
        assert not self.now[what], f"a segment's {what} stands twice"
        order = tuple(self.now)
        assert not any(self.now[later] for later in order[order.index(what) :]), f"{what} stands too late"
        at_the_end = bool(self.hint or self.reports)
        assert not at_the_end, f"{what} stands after a hint or a report"
        self.now[what] = value

    def _part(self, given: dict[str, str]) -> None:
        assert {"DURATION", "URI"} <= set(given) <= {"DURATION", "URI", "INDEPENDENT", "GAP"}
        assert {given.get("INDEPENDENT", "YES"), given.get("GAP", "YES")} == {"YES"}
        number = int(self.now["part"] or 0)
        self.now["part"] = ""
        self._of_a_segment("part", str(number + 1))
        self.parts.append(
            ListedPart(self._msn, number, given["URI"], given["DURATION"], "INDEPENDENT" in given, "GAP" in given)
        )

    def _hint(self, given: dict[str, str]) -> None:
        assert not self.reports, "a hint after a report"
        assert set(given) == {"TYPE", "URI"}
        match given["TYPE"]:
            case "PART":
                assert not self.hint, "a second part's hint"
                self.hint = given["URI"]
            case kind:
                assert kind == "MAP"
                assert self.hint, "a hinted init section without its part"
                assert not self.init_hint, "a second init section's hint"
                self.init_hint = given["URI"]

    @property
    def _msn(self) -> int:
        return int(self.tags["#EXT-X-MEDIA-SEQUENCE"]) + len(self.segments)

    def _segment(self, uri: str) -> ListedSegment:
        assert self.map, "a segment without an init section"
        discontinuity = int(self.tags["#EXT-X-DISCONTINUITY-SEQUENCE"]) + self.broken
        return ListedSegment(
            self._msn, uri, self.now["extinf"], self.now["date"], self.map, discontinuity, self.now["gap"] == "yes"
        )
