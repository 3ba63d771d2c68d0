"""The origin's URLs: a path is one of six things, or nothing.

Law: a path is matched whole against names of letters, digits, `_` and `-`, so nothing in it can climb or hide.

    /live/<stream>/index.m3u8                                the newest run
    /live/<stream>/<run>/index.m3u8                          one run
    /live/<stream>/<run>/<rung>/index.m3u8                   a media playlist
    /live/<stream>/<run>/<rung>/init-<hash>.mp4              an initialization section
    /live/<stream>/<run>/<rung>/<msn>-<chained id>.m4s       a segment
    /live/<stream>/<run>/<rung>/<msn>.<part>-<encoder>.m4s   a part
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar
from urllib.parse import quote

from headrace.core.broadcast import RunId, StreamId

MAX_QUERY_BYTES = 2048  # tokens that CDNs sign stay below 1 KB; this is echoed into every line of a playlist

_LONGEST = 320  # characters: what follows has at the most 290
_PARSED_KEPT = 4096  # by many players, and many times by each
_QUERIES_KEPT = 256
_ROOT = "live"
_INDEX = "index.m3u8"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INIT = re.compile(r"init-[0-9a-f]{8}\.mp4")
_SEGMENT = re.compile(r"(0|[1-9][0-9]{0,11})-[0-9a-f]{12}\.m4s")
_PART = re.compile(r"(0|[1-9][0-9]{0,11})\.(0|[1-9][0-9]{0,5})-[A-Za-z0-9_-]{1,64}\.m4s")
_SAFE_IN_URI = "!$'()*+,;:@/?%="  # beside letters, digits and -._~: nothing that ends a quoted string or a line


@dataclass(frozen=True, slots=True)
class MultivariantPath:
    """`run` is None for the stream's newest."""

    kind: ClassVar[str] = "multivariant"
    stream: StreamId
    run: RunId | None


@dataclass(frozen=True, slots=True)
class PlaylistPath:
    """A rendition's media playlist."""

    kind: ClassVar[str] = "playlist"
    run: RunId
    rung: str


@dataclass(frozen=True, slots=True)
class InitPath:
    """An init section by its file name."""

    kind: ClassVar[str] = "init"
    run: RunId
    rung: str
    name: str


@dataclass(frozen=True, slots=True)
class SegmentPath:
    """A segment by its file name, of which `msn` is the beginning."""

    kind: ClassVar[str] = "segment"
    run: RunId
    rung: str
    name: str
    msn: int


@dataclass(frozen=True, slots=True)
class PartPath:
    """A part by its file name, which begins with its place."""

    kind: ClassVar[str] = "part"
    run: RunId
    rung: str
    name: str
    msn: int
    part: int


Path = MultivariantPath | PlaylistPath | InitPath | SegmentPath | PartPath


def parse(path: str) -> Path | None:
    """What `path` (decoded, from the server's root) names, or None."""
    return _parsed(path) if len(path) <= _LONGEST else None


@lru_cache(_PARSED_KEPT)
def _parsed(path: str) -> Path | None:
    empty, root, *names, file = path.split("/") if path.count("/") >= 3 else ("", "", "")
    if empty or root != _ROOT or not all(_NAME.fullmatch(name) for name in names):
        return None
    match names:
        case [stream] if file == _INDEX:
            return MultivariantPath(StreamId(stream), None)
        case [stream, run] if file == _INDEX:
            return MultivariantPath(StreamId(stream), RunId(run))
        case [_, run, rung] if file == _INDEX:
            return PlaylistPath(RunId(run), rung)
        case [_, run, rung] if _INIT.fullmatch(file):
            return InitPath(RunId(run), rung, file)
        case [_, run, rung] if named := _SEGMENT.fullmatch(file):
            return SegmentPath(RunId(run), rung, file, int(named[1]))
        case [_, run, rung] if named := _PART.fullmatch(file):
            return PartPath(RunId(run), rung, file, int(named[1]), int(named[2]))
    return None


@lru_cache(_QUERIES_KEPT)
def echoed(query: bytes) -> str:
    """The part of a request's query that its playlist's URIs repeat: "" or "?name=value…", safe between quotes.

    Parameters of the protocol's own (`_HLS_…`) are meant for one request and never repeated (RFC 8216bis §6.2.5).
    """
    kept = [pair for pair in query.split(b"&") if pair and not pair.startswith(b"_HLS_")]
    return "?" + quote(b"&".join(kept), safe=_SAFE_IN_URI + "&") if kept else ""
