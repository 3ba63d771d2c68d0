"""Rules on bytes: init sections, fragments, and segments against their parts."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from urllib.parse import urljoin

from tests.support.conformance.findings import Finding
from tests.support.conformance.fragments import Fragment, Init, read_fragments, read_init, seconds
from tests.support.conformance.listing import Place, Segment
from tests.support.recorder import Recording, Rendition

BRANDS = {b"iso6", b"iso7", b"iso8", b"iso9", b"cmfc", b"cmf2"}
Words = Iterator[tuple[int, str]]


def findings(recording: Recording) -> Iterator[Finding]:
    """What is wrong with the bytes of every rendition."""
    for rendition in recording.renditions.values():
        for rule, words in _Media(rendition, recording.variants.get(rendition.url, {}).get("CODECS", "")).check():
            yield Finding(rule, rendition.name, words)


class _Media:
    """One rendition's bytes, by their place."""

    def __init__(self, rendition: Rendition, codecs: str) -> None:
        self.rendition = rendition
        self.codecs = codecs
        self.segments: dict[int, Segment] = {}
        self.parts: dict[Place, tuple[str, bool, bool]] = {}
        self.promised = False
        for refresh in rendition.refreshes:
            self.promised |= "INDEPENDENT-SEGMENTS" in refresh.listing.tags
            for segment in refresh.listing.segments:
                self.segments[segment.msn] = segment
            for place, part in refresh.listing.parts():
                self.parts[place] = (part.uri, part.independent, part.gap)

    def check(self) -> Words:
        inits: dict[str, Init] = {}
        for uri in dict.fromkeys(segment.map for segment in self.segments.values()):
            try:
                inits[uri] = read_init(self._body(uri))
            except (ValueError, KeyError, struct.error) as error:
                yield 63, f"{uri} cannot be read: {error!r}"
                continue
            yield from self._init(uri, inits[uri])
        drifts: list[tuple[Fraction, Fraction]] = []
        drift, end = Fraction(0), None
        before: Segment | None = None
        for _, segment in sorted(self.segments.items()):
            follows = before is not None and before.discontinuity == segment.discontinuity
            before = segment
            init = inits.get(segment.map)
            if init is None or segment.gap:
                end = None
                continue
            yield from self._whole(segment)
            try:
                fragments = read_fragments(self._body(segment.uri), init)
            except (ValueError, struct.error) as error:
                yield 63, f"{segment.uri} cannot be read: {error!r}"
                continue
            yield from self._alone(segment, fragments)
            for fragment in fragments:
                if fragment.start is None or not fragment.base_is_moof:
                    yield 63, f"a fragment of {segment.uri} has no tfdt, or does not count from its moof"
                    continue
                if end is not None and follows and fragment.start != end:
                    yield 64, f"{segment.uri}: decode time {fragment.start} where {end} was due"
                end, follows = fragment.start + fragment.span, True
            drift += segment.extinf - sum((seconds(each.span, init) for each in fragments), Fraction(0))
            longest = max((max(each.durations, default=0) for each in fragments), default=0)
            drifts.append((drift, seconds(longest, init)))
        spread = max((d for d, _ in drifts), default=Fraction(0)) - min((d for d, _ in drifts), default=Fraction(0))
        frame = max((frame for _, frame in drifts), default=Fraction(0))
        if spread > frame + Fraction(1, 1000):
            yield 3, f"durations leave the media's by {float(spread):.4f} s, a frame has {float(frame):.4f} s"
        for place, (uri, independent, gap) in self.parts.items():
            parent = self.segments.get(place[0])
            if not gap and parent and (init := inits.get(parent.map)):
                yield from self._part(uri, independent, init)

    def _init(self, uri: str, init: Init) -> Words:
        if not BRANDS & set(init.brands):
            yield 63, f"{uri}: brands {init.brands}"
        if not init.extended or init.samples or any(init.durations):
            yield 63, f"{uri}: no mvex, or samples or durations of its own"
        if init.entry in (b"avc3", b"hev1"):
            yield 65, f"{uri}: {init.entry.decode()}"
        if self.codecs and init.codec and init.codec.lower() not in self.codecs.lower():
            yield 54, f"CODECS is {self.codecs}, {uri} is {init.codec}"

    def _whole(self, segment: Segment) -> Words:
        """A segment's bytes are its parts'."""
        count = 1 + max((part for msn, part in self.parts if msn == segment.msn), default=-1)
        bodies = []
        for number in range(count):
            uri, _, gap = self.parts.get((segment.msn, number), ("", False, True))
            if not gap:
                bodies.append(self._body(uri))
        if count and b"".join(bodies) != self._body(segment.uri):
            yield 46, f"{segment.uri} is not its {count} parts"

    def _alone(self, segment: Segment, fragments: list[Fragment]) -> Words:
        synced = [sync for fragment in fragments for sync in fragment.synced]
        if self.promised and not (synced and synced[0]):
            yield 47, f"{segment.uri} does not start with an independent frame"

    def _part(self, uri: str, independent: bool, init: Init) -> Words:
        try:
            fragments = read_fragments(self._body(uri), init)
        except (ValueError, struct.error) as error:
            yield 63, f"{uri} cannot be read: {error!r}"
            return
        if not fragments:
            yield 63, f"{uri} has no fragment"
        if independent != any(sync for fragment in fragments for sync in fragment.synced):
            yield 47, f"{uri} is {'' if independent else 'not '}listed as independent, and should be the other"

    def _body(self, uri: str) -> bytes:
        answer = self.rendition.resources.get(urljoin(self.rendition.url, uri))
        return answer.body if answer else b""
