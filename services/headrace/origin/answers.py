"""Answers to HTTP requests: status, headers and body, conditions and ranges included.

Law: a pure function of the resource and the request's headers; a HEAD gets the headers of its GET; every answer has
its length, its lifetime in caches, and CORS. The server adds Date. Source: RFC 9110 §8.8, §13, §14; RFC 8216bis App.
B.1. Neighbours: `http` decides which resource.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate

from headrace.origin.pages import Page

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
IMMUTABLE = "public, max-age=31536000, immutable"  # for names that never get another body
ERROR_LIFETIME = "public, max-age=1"  # what is missing now may be there with the next part

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Age, Date, Content-Length, Content-Range"),
)
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")
METHODS = "GET, HEAD, OPTIONS"

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent. `headers` as ASGI wants them; for a HEAD the body is measured but not sent."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def media(request: Headers, body: bytes, media_type: str, etag: str, modified_ms: int, now_ms: int) -> Answer:
    """An init section, a segment or a part: whole, one range of it, or the news that the client's copy is good.

    `modified_ms` and `now_ms` are Unix times in milliseconds.
    """
    fields = {
        "cache-control": IMMUTABLE,
        "etag": etag,
        "last-modified": _date(min(modified_ms, now_ms)),
        "accept-ranges": "bytes",
    }
    if _matches(request, etag):
        return _answer(304, fields)
    fields["content-type"] = media_type
    asked = request.get("range")
    if asked is None or request.get("if-range", etag) != etag:
        return _answer(200, fields, body)
    match _span(asked, len(body)):
        case None:
            return _answer(200, fields, body)
        case (start, end) if start < end:
            return _answer(206, fields | {"content-range": f"bytes {start}-{end - 1}/{len(body)}"}, body[start:end])
        case _:
            return error(416, "no byte of it is within the range", {"content-range": f"bytes */{len(body)}"})


def playlist(request: Headers, page: Page, max_age_s: int, now_ms: int) -> Answer:
    """A playlist, compressed where the client takes that."""
    compressed = _takes_gzip(request.get("accept-encoding", ""))
    fields = {
        "cache-control": f"public, max-age={max_age_s}",
        "etag": f'"{page.digest}-gz"' if compressed else f'"{page.digest}"',
        "last-modified": _date(min(page.modified_ms, now_ms)),  # media that came faster than real time lies ahead
        "vary": "Accept-Encoding",
        "accept-ranges": "none",
    }
    if _matches(request, fields["etag"]):
        return _answer(304, fields)
    fields["content-type"] = PLAYLIST_TYPE
    if compressed:
        return _answer(200, fields | {"content-encoding": "gzip"}, page.compressed)
    return _answer(200, fields, page.plain)


def error(status: int, why: str, fields: Mapping[str, str] | None = None) -> Answer:
    """A failure in one plain sentence."""
    known = {"cache-control": ERROR_LIFETIME, "content-type": "text/plain; charset=utf-8"}
    return _answer(status, known | dict(fields or {}), f"{why}\n".encode())


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


def _answer(status: int, fields: Mapping[str, str], body: bytes = b"") -> Answer:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    if status not in (204, 304):  # neither has a body, and a 304's length would be its GET's
        headers.append((b"content-length", str(len(body)).encode()))
    return Answer(status, (*headers, *_CORS), body)


def _matches(request: Headers, etag: str) -> bool:
    """If-None-Match, compared weakly as RFC 9110 §13.1.2 wants."""
    given = request.get("if-none-match", "").strip()
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


def _takes_gzip(accepted: str) -> bool:
    """Accept-Encoding: the weight of gzip, else that of `*`, is not zero (RFC 9110 §12.5.3)."""
    weights = {}
    for item in accepted.lower().split(","):
        coding, _, parameter = item.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("*", False))


def _date(unix_ms: int) -> str:
    return formatdate(unix_ms // 1000, usegmt=True)
