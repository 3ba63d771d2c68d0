"""Answers to HTTP requests: status, headers and body, conditions and ranges included.

Law: a pure function of the resource and the request's headers; a HEAD gets the headers of its GET; every answer has
its length, its lifetime in caches, and CORS. The server adds Date. Source: RFC 9110 §8.8, §13, §14; RFC 8216bis App.
B.1. Neighbours: `http` decides which resource.
"""

import re
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache

from headrace.origin.pages import Page
from headrace.runtime.direct import Answer, Head, head

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
IMMUTABLE = "public, max-age=31536000, immutable"  # for names that never get another body
ERROR_LIFETIME = "public, max-age=1"  # what is missing now may be there with the next part

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Age, Date, Content-Length, Content-Range"),
)
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")
HEADS_KEPT = 1024  # about a kilobyte each
METHODS = "GET, HEAD, OPTIONS"

Headers = Mapping[str, str]


def media(request: Headers, body: bytes, media_type: str, etag: str, modified_ms: int, now_ms: int) -> Answer:
    """An init section, a segment or a part: whole, one range of it, or the news that the client's copy is good.

    `modified_ms` and `now_ms` are Unix times in milliseconds.
    """
    modified_s = min(modified_ms, now_ms) // 1000
    if _matches(request, etag):
        return Answer(_media_head(304, media_type, etag, modified_s, 0), b"")
    whole = Answer(_media_head(200, media_type, etag, modified_s, len(body)), body)
    asked = request.get("range")
    if asked is None or request.get("if-range", etag) != etag:
        return whole
    match _span(asked, len(body)):
        case None:
            return whole
        case (start, end) if start < end:
            span = f"bytes {start}-{end - 1}/{len(body)}"
            return Answer(_media_head(206, media_type, etag, modified_s, end - start, span), body[start:end])
        case _:
            return error(416, "no byte of it is within the range", {"content-range": f"bytes */{len(body)}"})


def playlist(request: Headers, page: Page, max_age_s: int, now_ms: int) -> Answer:
    """A playlist, compressed where the client takes that."""
    compressed = _takes_gzip(request.get("accept-encoding", ""))
    etag = f'"{page.digest}-gz"' if compressed else f'"{page.digest}"'
    modified_s = min(page.modified_ms, now_ms) // 1000  # media that came faster than real time lies ahead
    if _matches(request, etag):
        return Answer(_playlist_head(304, max_age_s, etag, modified_s, compressed, 0), b"")
    body = page.compressed if compressed else page.plain
    return Answer(_playlist_head(200, max_age_s, etag, modified_s, compressed, len(body)), body)


def error(status: int, why: str, fields: Mapping[str, str] | None = None) -> Answer:
    """A failure in one plain sentence."""
    known = {"cache-control": ERROR_LIFETIME, "content-type": "text/plain; charset=utf-8"}
    return _answer(status, known | dict(fields or {}), f"{why}\n".encode())


def unavailable(why: str) -> Answer:
    """What this origin cannot do now, and another one may: no cache keeps it."""
    return error(503, why, {"retry-after": "1", "cache-control": "no-store"})


def preflight() -> Answer:
    """What a browser asks before a request that is not simple: everything that reads is allowed."""
    return _answer(
        204,
        {
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": "*",
            "access-control-max-age": "86400",
            "cache-control": "public, max-age=86400",
        },
    )


@lru_cache(HEADS_KEPT)
def _media_head(status: int, media_type: str, etag: str, modified_s: int, size: int, span: str = "") -> Head:
    fields = {
        "cache-control": IMMUTABLE,
        "etag": etag,
        "last-modified": formatdate(modified_s, usegmt=True),
        "accept-ranges": "bytes",
    }
    if status != 304:
        fields["content-type"] = media_type
    if span:
        fields["content-range"] = span
    return _head(status, fields, size)


@lru_cache(HEADS_KEPT)
def _playlist_head(status: int, max_age_s: int, etag: str, modified_s: int, compressed: bool, size: int) -> Head:
    fields = {
        "cache-control": f"public, max-age={max_age_s}",
        "etag": etag,
        "last-modified": formatdate(modified_s, usegmt=True),
        "vary": "Accept-Encoding",
        "accept-ranges": "none",
    }
    if status != 304:
        fields["content-type"] = PLAYLIST_TYPE
        if compressed:
            fields["content-encoding"] = "gzip"
    return _head(status, fields, size)


def _answer(status: int, fields: Mapping[str, str], body: bytes = b"") -> Answer:
    return Answer(_head(status, fields, len(body)), body)


def _head(status: int, fields: Mapping[str, str], size: int) -> Head:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    if status not in (204, 304):  # neither has a body, and a 304's length would be its GET's
        headers.append((b"content-length", str(size).encode()))
    return head(status, (*headers, *_CORS))


def _matches(request: Headers, etag: str) -> bool:
    """If-None-Match, compared weakly as RFC 9110 §13.1.2 wants."""
    given = request.get("if-none-match")
    if given is None:
        return False
    given = given.strip()
    return given == "*" or etag in (tag.strip().removeprefix("W/") for tag in given.split(","))


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None where the header is to be ignored (RFC 9110 §14.2), empty for 416."""
    parsed = _RANGE.fullmatch(asked)
    if parsed is None:
        return None
    first, last = parsed.groups()
    if first:
        if last and int(last) < int(first):
            return None
        return int(first), min(int(last) + 1, size) if last else size
    return (max(0, size - int(last)), size) if last else None


@lru_cache(64)  # browsers know a few values; whoever makes up others gets no further than this
def _takes_gzip(accepted: str) -> bool:
    """Accept-Encoding: the weight of gzip, else that of `*`, is not zero (RFC 9110 §12.5.3)."""
    weights = {}
    for item in accepted.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("*", False))
