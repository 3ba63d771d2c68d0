"""Rules on headers: what players, caches and scripts are told beside the bytes; and on what stays without a tag."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urljoin, urlsplit

from tests.support.recorder import Answer, Rendition

EXPOSED = {"age", "date", "content-length", "content-range"}
Words = Iterator[tuple[int, str]]


def sent(rendition: Rendition) -> Words:
    """Headers of everything, and what was asked for again after its tag had gone."""
    for refresh in (*rendition.good, *(p for p in rendition.probes.values() if p.answer.status == 200)):
        target_s = refresh.listing.target_s
        plain, long = max(1, target_s // 2), 6 * target_s
        directed = "_HLS_" in urlsplit(refresh.answer.url).query
        yield from playlist(refresh.answer)
        yield from cached(refresh.answer, [long] if directed else [plain, long] if refresh.listing.ended else [plain])
    last = rendition.good[-1].listing if rendition.good else None
    for answer in rendition.resources.values():
        if answer.status != 200:
            yield 45, f"{answer.url} is listed, and is {answer.status}"
            continue
        yield from readable(answer)
        if "immutable" not in (control := answer.headers.get("cache-control", "")):
            age = re.fullmatch(r"public, max-age=(\d+)", control)
            if last and (age is None or int(age[1]) < 6 * last.target_s):
                yield 59, f"media: {control!r}"
    for answer in rendition.kept:
        if answer.status != 200:
            part = not any(
                answer.url == urljoin(rendition.url, s.uri) for r in rendition.good for s in r.listing.segments
            )
            yield (22 if part else 23), f"{answer.url} was gone too early: {answer.status}"


def playlist(answer: Answer) -> Words:
    """What is said of every playlist."""
    if answer.headers.get("content-encoding") != "gzip":
        yield 57, "a playlist is not compressed"
    if "accept-encoding" not in answer.headers.get("vary", "").lower():
        yield 57, "a playlist does not vary by Accept-Encoding"
    yield from readable(answer)


def readable(answer: Answer) -> Words:
    """Whether scripts of other sites can read it, and tell the time by it."""
    exposed = {name.strip().lower() for name in answer.headers.get("access-control-expose-headers", "").split(",")}
    if answer.headers.get("access-control-allow-origin") != "*" or not exposed >= EXPOSED:
        yield 58, f"{answer.status}: scripts cannot read it, or not its {', '.join(sorted(EXPOSED - exposed))}"
    if "date" not in answer.headers:
        yield 58, f"{answer.status}: no Date"


def cached(answer: Answer, allowed_s: Iterable[int]) -> Words:
    """For how long caches may keep it."""
    control = answer.headers.get("cache-control", "")
    if control not in {f"public, max-age={age_s}" for age_s in allowed_s}:
        yield 59, f"{answer.status} for {urlsplit(answer.url).query or 'a plain request'}: {control!r}"
