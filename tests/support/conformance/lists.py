"""Rules that one rendition's playlists are held to: each by itself, and each against the one before it."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from urllib.parse import urljoin

from tests.support.conformance.dates import unix_ms
from tests.support.conformance.findings import Finding
from tests.support.conformance.listing import Listing, Segment
from tests.support.recorder import Refresh, Rendition

CONSTANT = (
    ("TARGETDURATION", 1),
    ("VERSION", 14),
    ("INDEPENDENT-SEGMENTS", 14),
    ("SERVER-CONTROL", 6),
    ("PART-INF", 6),
)
ROUNDING_MS = 2  # dates have milliseconds, durations have more
LEAST_SHARE = Fraction(85, 100)
Words = Iterator[tuple[int, str]]


def findings(rendition: Rendition) -> Iterator[Finding]:
    """Everything that the rendition's playlists did wrong, each kind once a playlist."""
    seen: set[tuple[int, str]] = set()
    shown = rendition.good
    for refresh in shown:
        for rule, words in (*refresh.listing.faults, *_alone(refresh)):
            if (rule, words) not in seen:
                seen.add((rule, words))
                yield Finding(rule, rendition.name, words)
    for before, after in pairwise(shown):
        for rule, words in _pair(before.listing, after.listing):
            yield Finding(rule, rendition.name, words)
    for rule, words in (*_hints(rendition, shown), *_identity(rendition, shown)):
        yield Finding(rule, rendition.name, words)


def _alone(refresh: Refresh) -> Words:
    listing = refresh.listing
    if refresh.answer.headers.get("content-type") != "application/vnd.apple.mpegurl":
        yield 29, "its type is not application/vnd.apple.mpegurl"
    yield from _control(listing)
    yield from _durations(listing)
    yield from _dates(listing)
    if "PLAYLIST-TYPE" in listing.tags:
        yield 20, "a PLAYLIST-TYPE in a live playlist"
    needed = 6 if any(segment.map for segment in listing.all) else 3
    if listing.number("VERSION") != needed:
        yield 27, f"EXT-X-VERSION is {listing.tags.get('VERSION', 'missing')} where {needed} is needed"
    if not any(segment.map for segment in listing.all):
        yield 63, "no MAP"
    yield from _listed_parts(listing)


def _control(listing: Listing) -> Words:
    control, target_s = listing.control, listing.target_s
    if not listing.part_inf:
        yield 52, "no PART-INF"
        return
    if control.get("CAN-BLOCK-RELOAD") != "YES":
        yield 30, "CAN-BLOCK-RELOAD is not offered"
    if _seconds(control, "PART-HOLD-BACK") < 3 * listing.part_target_s:
        yield 7, f"PART-HOLD-BACK is {control.get('PART-HOLD-BACK', 'missing')}"
    if "HOLD-BACK" in control and _seconds(control, "HOLD-BACK") < 3 * target_s:
        yield 8, f"HOLD-BACK is {control['HOLD-BACK']}"
    if "CAN-SKIP-UNTIL" in control and _seconds(control, "CAN-SKIP-UNTIL") < 6 * target_s:
        yield 9, f"CAN-SKIP-UNTIL is {control['CAN-SKIP-UNTIL']}"
    if "CAN-SKIP-DATERANGES" in control and "CAN-SKIP-UNTIL" not in control:
        yield 9, "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL"


def _durations(listing: Listing) -> Words:
    for segment in listing.segments:
        if int(segment.extinf + Fraction(1, 2)) > listing.target_s:
            yield 2, f"segment {segment.msn} lasts {float(segment.extinf)} s"
        if segment.parts and abs(sum(part.duration for part in segment.parts) - segment.extinf) > Fraction(1, 1000):
            yield 46, f"segment {segment.msn}'s parts last longer or shorter than itself"
    for segment in listing.all:
        for number, part in enumerate(segment.parts):
            if part.duration > listing.part_target_s:
                yield 4, f"part {segment.msn}.{number} lasts {float(part.duration)} s"
            # The last one of its segment may be short, and the newest one may turn out to be that.
            after = segment.parts[number + 1] if number + 1 < len(segment.parts) else None
            short = part.duration < LEAST_SHARE * listing.part_target_s
            if short and after and not (part.independent or part.gap or after.gap):
                yield 5, f"part {segment.msn}.{number} lasts {float(part.duration)} s"


def _dates(listing: Listing) -> Words:
    dates = {segment.msn: unix_ms(segment.date) for segment in listing.all}
    for segment in listing.all:
        if dates[segment.msn] is None:
            yield 24, f"segment {segment.msn} has no PROGRAM-DATE-TIME with milliseconds and zone: {segment.date!r}"
    for before, after in pairwise(listing.all):
        start, end = dates[before.msn], dates[after.msn]
        if start is None or end is None or before.discontinuity != after.discontinuity:
            continue
        if abs(end - start - 1000 * before.extinf) > ROUNDING_MS:
            yield 24, f"segment {after.msn}'s date is not that of {before.msn} plus its duration"


def _listed_parts(listing: Listing) -> Words:
    """Which segments list parts: the newest ones, without a hole, back to three target durations at most."""
    age_s = sum((part.duration for part in listing.open.parts), Fraction(0)) if listing.open else Fraction(0)
    listing_them = True
    for segment in reversed(listing.segments):
        if segment.parts and age_s > 3 * listing.target_s:
            yield 22, "parts are listed that are older than three target durations"
        if segment.parts and not listing_them:
            yield 22, f"segment {segment.msn} lists parts, the one after it does not"
        listing_them = bool(segment.parts)
        age_s += segment.extinf
        if not segment.parts and age_s <= 3 * listing.target_s and listing.part_inf:
            yield 22, f"segment {segment.msn} lies within three target durations of the end and lists no parts"


def _pair(before: Listing, after: Listing) -> Words:
    for tag, rule in CONSTANT:
        if before.tags.get(tag) != after.tags.get(tag):
            yield rule, f"{tag} went from {before.tags.get(tag)} to {after.tags.get(tag)}"
    if before.ended and not after.ended:
        yield 14, "ENDLIST went away"
    if not before.segments or not after.segments:
        return
    old, new = before.segments[0].msn, after.segments[0].msn
    if new < old:
        yield 16, f"MEDIA-SEQUENCE fell from {old} to {new}"
    if after.newest < before.newest:
        yield 14, f"the newest part went from {before.newest} back to {after.newest}"
    now = {segment.msn: segment for segment in after.all}
    for segment in before.all:
        if segment.msn < new:
            continue
        if segment.msn not in now:
            yield 14, f"segment {segment.msn} went away from the end"
            continue
        yield from _changed(segment, now[segment.msn])
    counted = next((s.discontinuity for s in before.segments if s.msn == new), None)
    if counted is not None and counted != after.number("DISCONTINUITY-SEQUENCE"):
        yield 17, f"DISCONTINUITY-SEQUENCE is {after.tags.get('DISCONTINUITY-SEQUENCE')} where {counted} were counted"


def _changed(was: Segment, now: Segment) -> Words:
    if was.uri:
        if was.uri != now.uri:
            yield 16, f"segment {was.msn} was {was.uri}, and is {now.uri}"
        if (was.extinf, was.gap) != (now.extinf, now.gap):
            yield 14, f"segment {was.msn} has another duration or became a gap"
    if was.discontinuity != now.discontinuity:
        yield 17, f"segment {was.msn} has another discontinuity number"
    if (was.date, was.map) != (now.date, now.map):
        yield 14, f"segment {was.msn} has another date or MAP"
    if now.parts[: len(was.parts)] != was.parts and (now.parts or not was.uri):
        yield 14, f"segment {was.msn} has other parts"
    if was.uri and len(now.parts) > len(was.parts):
        yield 14, f"segment {was.msn} grew after its end"


def _hints(rendition: Rendition, shown: list[Refresh]) -> Words:
    parts = {place: part for refresh in shown for place, part in refresh.listing.parts()}
    for refresh in shown:
        listing = refresh.listing
        kinds = [hint.get("TYPE", "") for hint in listing.hints]
        if listing.ended and kinds:
            yield 43, "a hint beside ENDLIST"
        if not listing.ended and listing.part_inf and kinds.count("PART") != 1:
            yield 43, f"{kinds.count('PART')} hints for the next part"
        if len(set(kinds)) != len(kinds):
            yield 43, "two hints of one type"
        came = parts.get(listing.next) if listing.hint else None
        if came and came.uri != listing.hint:
            answer = rendition.hinted.get(urljoin(rendition.url, listing.hint))
            if answer is None or answer.status != 404:
                yield 43, f"{listing.hint} was hinted at, {came.uri} came, and the hint is not 404"


def _identity(rendition: Rendition, shown: list[Refresh]) -> Words:
    """What one MSN, one part and one state of the list are called, over all that was ever answered."""
    probes = [refresh for refresh in rendition.probes.values() if refresh.answer.status == 200]
    named: dict[int, tuple[str, int]] = {}
    states: dict[tuple[object, ...], bytes] = {}
    tags: dict[str, bytes] = {}
    for refresh in (*shown, *probes):
        listing, answer = refresh.listing, refresh.answer
        for segment in listing.segments:
            name = (segment.uri, segment.discontinuity)
            if named.setdefault(segment.msn, name) != name:
                yield 17, f"MSN {segment.msn} is {name}, and was {named[segment.msn]}"
        state = (listing.number("MEDIA-SEQUENCE"), listing.newest, bool(listing.open), listing.ended)
        text = b"\n".join(line for line in answer.body.split(b"\n") if not line.startswith(b"#EXT-X-RENDITION-REPORT"))
        if states.setdefault(state, text) != text:
            yield 15, f"two lists have {listing.newest} as their newest part and are not the same"
        etag = answer.headers.get("etag", "")
        if etag and tags.setdefault(etag, answer.body) != answer.body:
            yield 15, "one ETag, two bodies"
    if len(set(named.values())) != len(named):
        yield 17, "two MSNs have one URI"


def _seconds(control: dict[str, str], name: str) -> Fraction:
    try:
        return Fraction(control.get(name, "0"))
    except ValueError:
        return Fraction(0)
