"""Rules between renditions, and on answers: who waits for what, and what is said to players, caches and scripts."""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import combinations, pairwise
from statistics import median, quantiles
from urllib.parse import urljoin, urlsplit

from tests.support.conformance.findings import Finding
from tests.support.conformance.listing import Place
from tests.support.recorder import Answer, Recording, Refresh, Rendition

ALLOWANCE_S = 0.25
"""What scheduling on a busy machine may add to a time of arrival at the 95th percentile."""
AT_ONCE_S = 2.0
"""What is answered at once takes no longer than this on the busiest machine."""
EXPOSED = {"age", "date", "content-length", "content-range"}
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
            *_held(rendition),
            *_probed(rendition),
            *_sent(rendition),
        ):
            yield Finding(rule, rendition.name, words)


def _good(rendition: Rendition) -> list[Refresh]:
    return [refresh for refresh in rendition.refreshes if refresh.answer.status == 200]


def _multivariant(recording: Recording, encoded: bool) -> Words:
    answer = recording.multivariant
    yield from _transport(answer)
    yield from _cached(answer, [_half(recording)])
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
        elif int(variant["BANDWIDTH"]) < int(variant["AVERAGE-BANDWIDTH"]):
            yield 54, f"{url} has a higher average than its peak"
        if "AUDIO" in variant and not any(codec.startswith(AUDIO) for codec in variant.get("CODECS", "").split(",")):
            yield 54, f"{url} does not name the codec of its sound"


def _alike(recording: Recording) -> Words:
    """Lists of all renditions against each other; the last ones, for the newest is not everywhere at the same time."""
    heads: set[tuple[str | None, ...]] = set()
    listed: dict[int, tuple[Fraction, str, int]] = {}
    for rendition in recording.renditions.values():
        for refresh in _good(rendition):
            listing = refresh.listing
            heads.add(tuple(listing.tags.get(tag) for tag in ("TARGETDURATION", "SERVER-CONTROL", "PART-INF")))
            for segment in listing.segments:
                said = (segment.extinf, segment.date, segment.discontinuity)
                if listed.setdefault(segment.msn, said) != said:
                    before = listed[segment.msn]
                    rule = 51 if before[1] == segment.date else 53
                    yield rule, f"segment {segment.msn} is {said} in {rendition.name}, elsewhere {before}"
        if not any(part for refresh in _good(rendition) for part in refresh.listing.parts()):
            yield 52, f"{rendition.name} has no parts"
    if len(heads) > 1:
        yield 51, "TARGETDURATION, SERVER-CONTROL or PART-INF differ"
    target_s = max(
        (float(r.listing.part_target_s) for each in recording.renditions.values() for r in _good(each)), default=0
    )
    spreads = []
    arrivals = [_arrivals(rendition) for rendition in recording.renditions.values()]
    for one, other in combinations(arrivals, 2):
        spreads += [abs(one[place] - other[place]) for place in one.keys() & other.keys()]
    yield from _slow(50, "the same part came to two renditions", spreads, target_s)


def _arrivals(rendition: Rendition) -> dict[Place, float]:
    """When each part was seen first; what the first refresh shows was there before."""
    seen: dict[Place, float] = {}
    good = _good(rendition)
    known = {place for refresh in good[:1] for place, _ in refresh.listing.parts()}
    for refresh in good[1:]:
        for place, _ in refresh.listing.parts():
            if place not in known:
                seen.setdefault(place, refresh.answer.done_s)
    return seen


def _reports(rendition: Rendition, others: list[Rendition]) -> Words:
    """One for each other rendition, and never older than what that one had said a moment before."""
    said = {other.url: [(r.answer.done_s, r.listing.newest) for r in _good(other)] for other in others}
    for refresh in _good(rendition):
        reports = {urljoin(rendition.url, report.get("URI", "")): report for report in refresh.listing.reports}
        if any(urlsplit(report.get("URI", "//")).netloc for report in refresh.listing.reports):
            yield 49, "a report's URI is not relative"
        if len(reports) != len(refresh.listing.reports) or reports.keys() != said.keys():
            yield 49, f"reports on {sorted(reports)} instead of {sorted(said)}"
            continue
        for url, report in reports.items():
            place = (int(report.get("LAST-MSN", -1)), int(report.get("LAST-PART", -1)))
            was = [newest for done_s, newest in said[url] if done_s < refresh.answer.asked_s]
            if was and place < max(was):
                yield 49, f"{url} is said to be at {place}, which was at {max(was)} before"
            will = [newest for done_s, newest in said[url] if done_s > refresh.answer.done_s + ALLOWANCE_S]
            if will and place > max(will):
                yield 49, f"{url} is said to be at {place}, which it never reached"


def _times(rendition: Rendition) -> Words:
    good = _good(rendition)
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
    yield from _slow(11, "a part came", _steps(part_times), float(listing.part_target_s))
    yield from _slow(10, "a segment came", _steps(whole_times), 1.5 * listing.target_s)


def _steps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def _slow(rule: int, what: str, took_s: list[float], limit_s: float) -> Words:
    """By the middle, which no busy machine moves, and by the 95th percentile, to which it may add its allowance."""
    if len(took_s) < 2:
        return
    worst = quantiles(took_s, n=20, method="inclusive")[-1]
    if median(took_s) > limit_s or worst > limit_s + ALLOWANCE_S:
        yield (
            rule,
            f"{what} {median(took_s):.3f} s apart (median; 95 %: {worst:.3f} s) where {limit_s:.3f} s are allowed",
        )


def _held(rendition: Rendition) -> Words:
    """Reloads that asked for a part, and parts that were asked for on a hint."""
    for refresh in rendition.refreshes:
        answer, wanted, listing = refresh.answer, refresh.wanted, refresh.listing
        if answer.status != 200:
            yield 30, f"{answer.status} for {urlsplit(answer.url).query or 'a plain reload'}"
            continue
        if wanted and not listing.ended and listing.newest < wanted:
            yield 30, f"{wanted} was asked for, {listing.newest} is the newest"
        if answer.first_byte_s - answer.asked_s > 3 * listing.target_s + AT_ONCE_S:
            yield 35, f"a reload took {answer.first_byte_s - answer.asked_s:.1f} s"
    listed = {
        urljoin(rendition.url, part.uri) for r in _good(rendition) for _, part in r.listing.parts() if not part.gap
    }
    for url, answer in rendition.hinted.items():
        if url in listed and answer.status != 200:
            yield 44, f"{url} was hinted at and listed, and is {answer.status}"
        if url not in listed and answer.status != 404:
            yield 45, f"{url} was hinted at and never listed, and is {answer.status}"
        if answer.status == 200 and int(answer.headers.get("content-length", -1)) != len(answer.body):
            yield 44, f"{url} was begun before its length was known"
    dribbled = [a.done_s - a.first_byte_s for a in rendition.hinted.values() if a.status == 200]
    yield from _slow(44, "first and last byte of a hinted part came", dribbled, 0.05)
    if not (good := _good(rendition)) or not good[-1].listing.ended:
        yield 35, "the end was not seen"


def _probed(rendition: Rendition) -> Words:
    for what, rule, status in (
        ("plain", 30, 200),
        ("past", 32, 200),
        ("out of the window", 32, 200),
        ("beyond the last part", 31, 200),
        ("a part without its segment", 33, 400),
        ("no number", 33, 400),
        ("no part number", 33, 400),
        ("too far", 34, 400),
        ("un-hinted", 45, 404),
        ("after the end", 35, 200),
    ):
        probe = rendition.probes.get(what)
        if probe is None or (probe.listing.ended and what != "after the end"):
            continue
        answer = probe.answer
        if answer.status != status:
            yield rule, f"{what}: {answer.status} instead of {status}"
        elif answer.done_s - answer.asked_s > AT_ONCE_S:
            yield rule, f"{what}: answered after {answer.done_s - answer.asked_s:.1f} s"
        if status >= 400:
            yield from _cached(answer, [0, 1])
            yield from _open(answer)
    if (probe := rendition.probes.get("after the end")) and not probe.listing.ended:
        yield 35, "a directive after the end is not answered with the end"
    if probe := rendition.probes.get("beyond the last part"):
        asked = int((re.findall(r"_HLS_msn=(\d+)", probe.answer.url) or ["0"])[0])
        if probe.answer.status == 200 and probe.listing.newest < (asked + 1, 0) and not probe.listing.ended:
            yield 31, f"a part after {asked}.999 was asked for, {probe.listing.newest} is the newest"
    if (
        (probe := rendition.probes.get("out of the window"))
        and probe.answer.status == 200
        and not probe.listing.segments
    ):
        yield 32, "what has left the window is not answered with the whole playlist"


def _sent(rendition: Rendition) -> Words:
    """Headers of everything, and what was asked for again after its tag had gone."""
    for refresh in (*_good(rendition), *(p for p in rendition.probes.values() if p.answer.status == 200)):
        target_s = refresh.listing.target_s
        plain, long = max(1, target_s // 2), 6 * target_s
        directed = "_HLS_" in urlsplit(refresh.answer.url).query
        yield from _transport(refresh.answer)
        yield from _cached(refresh.answer, [long] if directed else [plain, long] if refresh.listing.ended else [plain])
    last = _good(rendition)[-1].listing if _good(rendition) else None
    for answer in rendition.resources.values():
        if answer.status != 200:
            yield 45, f"{answer.url} is listed, and is {answer.status}"
            continue
        yield from _open(answer)
        if "immutable" not in (control := answer.headers.get("cache-control", "")):
            age = re.fullmatch(r"public, max-age=(\d+)", control)
            if last and (age is None or int(age[1]) < 6 * last.target_s):
                yield 59, f"media: {control!r}"
    for answer in rendition.kept:
        if answer.status != 200:
            part = not any(
                answer.url == urljoin(rendition.url, s.uri) for r in _good(rendition) for s in r.listing.segments
            )
            yield (22 if part else 23), f"{answer.url} was gone too early: {answer.status}"


def _transport(answer: Answer) -> Words:
    if answer.headers.get("content-encoding") != "gzip":
        yield 57, "a playlist is not compressed"
    if "accept-encoding" not in answer.headers.get("vary", "").lower():
        yield 57, "a playlist does not vary by Accept-Encoding"
    yield from _open(answer)


def _open(answer: Answer) -> Words:
    exposed = {name.strip().lower() for name in answer.headers.get("access-control-expose-headers", "").split(",")}
    if answer.headers.get("access-control-allow-origin") != "*" or not exposed >= EXPOSED:
        yield 58, f"{answer.status}: scripts cannot read it, or not its {', '.join(sorted(EXPOSED - exposed))}"
    if "date" not in answer.headers:
        yield 58, f"{answer.status}: no Date"


def _cached(answer: Answer, allowed_s: Iterable[int]) -> Words:
    control = answer.headers.get("cache-control", "")
    if control not in {f"public, max-age={age_s}" for age_s in allowed_s}:
        yield 59, f"{answer.status} for {urlsplit(answer.url).query or 'a plain request'}: {control!r}"


def _half(recording: Recording) -> int:
    targets = [refresh.listing.target_s for each in recording.renditions.values() for refresh in _good(each)]
    return max(1, max(targets, default=2) // 2)
