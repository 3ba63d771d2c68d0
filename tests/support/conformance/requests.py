"""Rules on waiting: reloads and hinted parts, and what should be refused or answered at once."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from tests.support.conformance import transport
from tests.support.conformance.timing import AT_ONCE_S, slow
from tests.support.recorder import Rendition

Words = Iterator[tuple[int, str]]


def held(rendition: Rendition) -> Words:
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
    listed = {urljoin(rendition.url, part.uri) for r in rendition.good for _, part in r.listing.parts() if not part.gap}
    for url, answer in rendition.hinted.items():
        if url in listed and answer.status != 200:
            yield 44, f"{url} was hinted at and listed, and is {answer.status}"
        if url not in listed and answer.status != 404:
            yield 45, f"{url} was hinted at and never listed, and is {answer.status}"
        if answer.status == 200 and int(answer.headers.get("content-length", -1)) != len(answer.body):
            yield 44, f"{url} was begun before its length was known"
    dribbled = [a.done_s - a.first_byte_s for a in rendition.hinted.values() if a.status == 200]
    yield from slow(44, "first and last byte of a hinted part came", dribbled, 0.05)
    if not rendition.good or not rendition.good[-1].listing.ended:
        yield 35, "the end was not seen"


def probed(rendition: Rendition) -> Words:
    """Awkward requests."""
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
            yield from transport.cached(answer, [0, 1])
            yield from transport.readable(answer)
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
