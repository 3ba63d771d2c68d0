"""Rules on the multivariant playlist, between its renditions, and on times of arrival."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, pairwise
from urllib.parse import urljoin, urlsplit

from tests.support.conformance import requests, transport
from tests.support.conformance.findings import Finding
from tests.support.conformance.listing import Place
from tests.support.conformance.timing import ALLOWANCE_S, slow
from tests.support.recorder import Recording, Rendition

AUDIO = ("mp4a.", "ac-3", "ec-3", "opus")
Words = Iterator[tuple[int, str]]


def findings(recording: Recording, *, encoded: bool) -> Iterator[Finding]:
    """What is wrong between renditions and around them. `encoded`: every segment is promised to start with an IDR."""
    for rule, words in (*_multivariant(recording, encoded), *_alike(recording)):
        yield Finding(rule, recording.multivariant.url, words)
    for rendition in recording.renditions.values():
        others = [other for other in recording.renditions.values() if other is not rendition]
        for rule, words in (
            *_reports(rendition, others),
            *_times(rendition),
            *requests.held(rendition),
            *requests.probed(rendition),
            *transport.sent(rendition),
        ):
            yield Finding(rule, rendition.name, words)


def _multivariant(recording: Recording, encoded: bool) -> Words:
    answer = recording.multivariant
    yield from transport.playlist(answer)
    yield from transport.cached(answer, [_half(recording)])
    if encoded and b"#EXT-X-INDEPENDENT-SEGMENTS" not in answer.body:
        yield 54, "no INDEPENDENT-SEGMENTS"
    captions = [variant.get("CLOSED-CAPTIONS") for variant in recording.variants.values()]
    if len({caption == "NONE" for caption in captions}) > 1:
        yield 54, "CLOSED-CAPTIONS=NONE on some variants only"
    for url, variant in recording.variants.items():
        wanted = {"BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"}
        if not variant.get("CODECS", "").startswith(AUDIO):
            wanted |= {"RESOLUTION", "FRAME-RATE"}
        if missing := sorted(wanted - variant.keys()):
            yield 54, f"{url} does not say {', '.join(missing)}"
        elif _number(variant, "BANDWIDTH") < _number(variant, "AVERAGE-BANDWIDTH"):
            yield 54, f"{url} has a higher average than its peak"
        if "AUDIO" in variant and not any(codec.startswith(AUDIO) for codec in variant.get("CODECS", "").split(",")):
            yield 54, f"{url} does not name the codec of its sound"


def _alike(recording: Recording) -> Words:
    """Lists of all renditions against each other; the last ones, for the newest is not everywhere at the same time."""
    heads: set[tuple[str | None, ...]] = set()
    listed: dict[int, tuple[Fraction, str, int]] = {}
    for rendition in recording.renditions.values():
        for refresh in rendition.good:
            listing = refresh.listing
            heads.add(tuple(listing.tags.get(tag) for tag in ("TARGETDURATION", "SERVER-CONTROL", "PART-INF")))
            for segment in listing.segments:
                said = (segment.extinf, segment.date, segment.discontinuity)
                if listed.setdefault(segment.msn, said) != said:
                    before = listed[segment.msn]
                    rule = 51 if before[1] == segment.date else 53
                    yield rule, f"segment {segment.msn} is {said} in {rendition.name}, elsewhere {before}"
        if not any(part for refresh in rendition.good for part in refresh.listing.parts()):
            yield 52, f"{rendition.name} has no parts"
    if len(heads) > 1:
        yield 51, "TARGETDURATION, SERVER-CONTROL or PART-INF differ"
    target_s = max(
        (float(r.listing.part_target_s) for each in recording.renditions.values() for r in each.good), default=0
    )
    spreads = []
    arrivals = [_arrivals(rendition) for rendition in recording.renditions.values()]
    for one, other in combinations(arrivals, 2):
        spreads += [abs(one[place] - other[place]) for place in one.keys() & other.keys()]
    yield from slow(50, "the same part came to two renditions", spreads, target_s)


def _arrivals(rendition: Rendition) -> dict[Place, float]:
    """When each part was seen first; what the first refresh shows was there before."""
    seen: dict[Place, float] = {}
    good = rendition.good
    known = {place for refresh in good[:1] for place, _ in refresh.listing.parts()}
    for refresh in good[1:]:
        for place, _ in refresh.listing.parts():
            if place not in known:
                seen.setdefault(place, refresh.answer.done_s)
    return seen


def _reports(rendition: Rendition, others: list[Rendition]) -> Words:
    """One for each other rendition, and never older than what that one had said a moment before."""
    said = {other.url: [(r.answer.done_s, r.listing.newest) for r in other.good] for other in others}
    for refresh in rendition.good:
        reports = {urljoin(rendition.url, report.get("URI", "")): report for report in refresh.listing.reports}
        if any(urlsplit(report.get("URI", "//")).netloc for report in refresh.listing.reports):
            yield 49, "a report's URI is not relative"
        if len(reports) != len(refresh.listing.reports) or reports.keys() != said.keys():
            yield 49, f"reports on {sorted(reports)} instead of {sorted(said)}"
            continue
        for url, report in reports.items():
            place = (_number(report, "LAST-MSN"), _number(report, "LAST-PART"))
            was = [newest for done_s, newest in said[url] if done_s < refresh.answer.asked_s]
            if was and place < max(was):
                yield 49, f"{url} is said to be at {place}, which was at {max(was)} before"
            will = [newest for done_s, newest in said[url] if done_s > refresh.answer.done_s + ALLOWANCE_S]
            if will and place > max(will):
                yield 49, f"{url} is said to be at {place}, which it never reached"


def _times(rendition: Rendition) -> Words:
    good = rendition.good
    if not good:
        yield 30, "no playlist at all"
        return
    parts = sorted(_arrivals(rendition).items())
    segments: dict[int, float] = {}
    for refresh in good[1:]:
        for segment in refresh.listing.segments:
            if segment.msn > good[0].listing.segments[-1].msn:
                segments.setdefault(segment.msn, refresh.answer.done_s)
    # The end closes a part and a segment when it comes, not when they would have been due.
    last = max(segments, default=-1)
    part_times = [at for place, at in parts if place[0] != last]
    whole_times = [at for msn, at in sorted(segments.items()) if msn != last]
    listing = good[0].listing
    yield from slow(11, "a part came", _steps(part_times), float(listing.part_target_s))
    yield from slow(10, "a segment came", _steps(whole_times), 1.5 * listing.target_s)


def _steps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def _number(attributes: dict[str, str], name: str) -> int:
    value = attributes.get(name, "")
    return int(value) if value.isdecimal() else -1


def _half(recording: Recording) -> int:
    targets = [refresh.listing.target_s for each in recording.renditions.values() for refresh in each.good]
    return max(1, max(targets, default=2) // 2)
