"""The origin's HTTP face: a bare ASGI app under `/live`, with the probes beside it.

Law: GET, HEAD and OPTIONS; no framework in the way of the bytes. What a playlist has promised is waited for, bounded in
number and in time: the first segment of a run that has just begun, the next part of a playlist, a hinted part, of
which no byte is sent before the last one is here. Who hangs up keeps the place until then: a watch over every
connection that waits would cost each of them more than that place.
Neighbours: `paths`, `blocking` (what is asked), `answers` (how it is said), `follower`, `caching` (where it is from).
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headrace.core.broadcast import Plan, RunId
from headrace.core.hls.listing import part_name
from headrace.core.media import TICKS_PER_MS
from headrace.livelog.base import LiveLog, LogError, NoRun
from headrace.origin import answers
from headrace.origin.answers import Answer, Headers
from headrace.origin.blocking import BadDirective, Directives, directives
from headrace.origin.caching import MediaCache
from headrace.origin.current import CurrentRuns
from headrace.origin.follower import FollowedRun, Follower
from headrace.origin.metrics import REQUESTS, SENT_BYTES, WAITING
from headrace.origin.pages import Page
from headrace.origin.paths import (
    MAX_QUERY_BYTES,
    InitPath,
    MultivariantPath,
    PartPath,
    Path,
    PlaylistPath,
    SegmentPath,
    echoed,
    parse,
)
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.probes import PROBE_PATHS, Probes, Receive, Scope, Send
from headrace.runtime.telemetry.logs import logger

NEWCOMER_WAIT_S = 6.0  # for a run whose plan is not known yet
LONGEST_WAIT_S = 15.0  # below hls.js's 20 s for a manifest, and every CDN's 30 s for an origin
ASK_AGAIN_S = 0.2
LONG_TARGET_DURATIONS = 6  # lifetime of what never changes again, though one day it goes
HELD_TARGET_DURATIONS = 3  # how long a request may wait for what comes next (RFC 8216bis §6.2.5.2)

_log = logger(__name__)


class _Failure(Exception):
    """An answer that is not the one asked for."""

    def __init__(self, status: int, why: str, retry_after_s: int | None = None) -> None:
        fields = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
        self.answer = answers.error(status, why, fields)


class OriginApp:
    """ASGI 3. It wants the whole path, `/live` included."""

    def __init__(self, log: LiveLog, follower: Follower, cache: MediaCache, max_waiting: int) -> None:
        self._current = CurrentRuns(log)
        self._follower = follower
        self._cache = cache
        self._max_waiting = max_waiting
        self._waiting = 0
        self._probes = Probes(lambda: "")  # every request that comes is work it can take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] in PROBE_PATHS:
            await self._probes(scope, receive, send)
            return
        path = parse(str(scope["path"]))
        kind = path.kind if path else "other"
        method = str(scope["method"])
        answer = await self._answer(method, path, scope)
        body = b"" if method == "HEAD" else answer.body
        REQUESTS.labels(kind, f"{answer.status // 100}xx").inc()
        SENT_BYTES.labels(kind).inc(len(body))
        await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, method: str, path: Path | None, scope: Scope) -> Answer:
        if method == "OPTIONS":
            return answers.preflight()
        if method not in ("GET", "HEAD"):
            return answers.error(405, "this can only be read", {"allow": answers.METHODS})
        if path is None:
            return answers.error(404, "there is nothing of this name")
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            return answers.error(414, f"the query is longer than {MAX_QUERY_BYTES} bytes")
        try:
            return await self._found(path, _headers(scope, method), scope["query_string"])
        except _Failure as failure:
            return failure.answer
        except NoRun:
            return answers.error(404, "there is no such run")
        except LogError:
            return answers.error(503, "the live log does not answer", {"retry-after": "1"})
        except Exception:
            _log.exception("a request failed", extra={"kind": path.kind})
            return answers.error(500, "the origin failed")

    async def _found(self, path: Path, request: Headers, query: bytes) -> Answer:
        match path:
            case MultivariantPath():
                return await self._multivariant(path, request, echoed(query))
            case PlaylistPath():
                return await self._media(path, request, query)
            case InitPath():
                return await self._init(path, request)
            case SegmentPath():
                return await self._segment(path, request)
            case PartPath():
                return await self._part(path, request)

    async def _media(self, path: PlaylistPath, request: Headers, query: bytes) -> Answer:
        followed, rung, echo = await self._follower.get(path.run), path.rung, echoed(query)
        wanted = None if followed.model.ended else _directives(query)
        page = await self._listed(followed, lambda: _media_page(followed, rung, echo))
        if wanted is None or followed.model.ended:
            return answers.playlist(request, page, _lifetime_s(followed), unix_ms())
        if wanted.too_far(followed.model, rung, _plan(followed).part_target_ms):
            raise _Failure(400, "that is too far ahead of the playlist")
        await self._held(followed, rung, lambda: wanted.shown(followed.model, rung))
        page = await self._listed(followed, lambda: _media_page(followed, rung, echo))
        return answers.playlist(request, page, _long_s(followed), unix_ms())

    async def _held(self, followed: FollowedRun, rung: str, ready: Callable[[], bool]) -> None:
        """Until `ready`, or the run's end. Raises _Failure when it takes too long."""
        if ready():
            return
        with self._place_to_wait():
            held_s = HELD_TARGET_DURATIONS * _plan(followed).target_duration_s
            await followed.until(lambda: ready() or followed.model.ended, held_s, rung)
        if not ready() and not followed.model.ended:
            why = "the origin stops" if self._follower.stopped else "what was asked for is late"
            raise _Failure(503, why, retry_after_s=1)

    async def _multivariant(self, path: MultivariantPath, request: Headers, query: str) -> Answer:
        run = path.run or await self._current.get(path.stream)
        if run is None:
            raise _Failure(404, "the stream has not been live")
        newest = path.run is None
        followed = await (self._newcomer(run) if newest else self._follower.get(run))
        prefix = f"{run}/" if newest else ""
        page = await self._listed(followed, lambda: followed.pages.multivariant(prefix, query))
        # The stream's own may name another run at any time.
        lifetime_s = _refresh_s(followed) if newest else _lifetime_s(followed)
        return answers.playlist(request, page, lifetime_s, unix_ms())

    async def _newcomer(self, run: RunId) -> FollowedRun:
        """A run that is its stream's newest, though its first entry may still be on its way."""
        until_s = monotonic_s() + NEWCOMER_WAIT_S
        while True:
            try:
                return await self._follower.get(run)
            except NoRun:
                if monotonic_s() >= until_s:
                    raise _Failure(404, "the run has not begun", retry_after_s=1) from None
                with self._place_to_wait():
                    await asyncio.sleep(ASK_AGAIN_S)

    async def _listed(self, followed: FollowedRun, page: Callable[[], Page | None]) -> Page:
        """The page, as soon as the run has something to list."""
        if (found := page()) is not None:
            return found
        model = followed.model
        wait_s = NEWCOMER_WAIT_S if model.plan is None else min(3.0 * model.plan.target_duration_s, LONGEST_WAIT_S)
        with self._place_to_wait():
            await followed.until(lambda: page() is not None or followed.model.ended, wait_s)
        if (found := page()) is not None:
            return found
        if followed.model.ended:
            raise _Failure(404, "the run ended before there was anything to see")
        if self._follower.stopped:
            raise _Failure(503, "the origin stops", retry_after_s=1)
        raise _Failure(404, "there is nothing to see yet", retry_after_s=_refresh_s(followed))

    async def _init(self, path: InitPath, request: Headers) -> Answer:
        followed = await self._follower.get(path.run)
        section = followed.model.init(path.rung, path.name)
        if section is None:
            raise _Failure(404, "there is no such init section")
        return answers.media(
            request,
            section.data,
            _media_type(followed, path.rung),
            f'"{path.name}"',
            followed.model.anchor_ms,
            unix_ms(),
        )

    async def _segment(self, path: SegmentPath, request: Headers) -> Answer:
        followed = await self._follower.get(path.run)
        segment = followed.model.segment(path.rung, path.msn)
        if segment is None or segment.name != path.name:
            raise _Failure(404, "there is no such segment")
        if segment.gap:
            raise _Failure(404, "this segment is a gap")
        body = await self._cache.segment(path.run, path.rung, segment)
        if body is None:
            raise _Failure(410, "the segment has left the live window")
        return _medium(followed, path, request, body, segment.end)

    async def _part(self, path: PartPath, request: Headers) -> Answer:
        followed = await self._follower.get(path.run)
        if followed.model.hint(path.rung) == path.name:
            await self._held(followed, path.rung, lambda: followed.model.hint(path.rung) != path.name)
        piece = followed.model.part(path.rung, path.msn, path.part)
        if piece is None or part_name(path.msn, path.part, piece.encoder) != path.name:
            raise _Failure(404, "there is no such part")
        if piece.gap:
            raise _Failure(404, "this part is a gap")
        body = await self._cache.part(path.run, path.rung, path.msn, path.part, piece)
        if body is None:
            raise _Failure(410, "the part has left the live window")
        return _medium(followed, path, request, body, piece.end)

    @contextmanager
    def _place_to_wait(self) -> Iterator[None]:
        if self._waiting >= self._max_waiting:
            raise _Failure(503, "too many requests wait already", retry_after_s=1)
        self._waiting += 1
        WAITING.set(self._waiting)
        try:
            yield
        finally:
            self._waiting -= 1
            WAITING.set(self._waiting)


def _directives(query: bytes) -> Directives | None:
    try:
        return directives(query)
    except BadDirective as bad:
        raise _Failure(400, str(bad)) from None


def _medium(followed: FollowedRun, path: SegmentPath | PartPath, request: Headers, body: bytes, end: int) -> Answer:
    """A segment or a part that ends at tick `end`."""
    modified_ms = followed.model.anchor_ms + end // TICKS_PER_MS
    return answers.media(request, body, _media_type(followed, path.rung), f'"{path.name}"', modified_ms, unix_ms())


def _plan(followed: FollowedRun) -> Plan:
    assert followed.model.plan is not None  # nothing is listed without
    return followed.model.plan


def _media_page(followed: FollowedRun, rung: str, query: str) -> Page | None:
    model = followed.model
    if rung in model.rungs:
        return followed.pages.media(rung, query)
    if model.plan is not None:
        raise _Failure(404, "the run has no such rendition")
    return None


def _media_type(followed: FollowedRun, rung: str) -> str:
    plan = followed.model.plan
    return "audio/mp4" if plan and plan.audio and plan.audio.name == rung else "video/mp4"


def _refresh_s(followed: FollowedRun) -> int:
    """Half a target duration, the lifetime of what may change with the next segment."""
    plan = followed.model.plan
    return max(1, plan.target_duration_s // 2) if plan else 1


def _lifetime_s(followed: FollowedRun) -> int:
    return _long_s(followed) if followed.model.ended else _refresh_s(followed)


def _long_s(followed: FollowedRun) -> int:
    return LONG_TARGET_DURATIONS * _plan(followed).target_duration_s


def _headers(scope: Scope, method: str) -> Headers:
    """The request's headers by lower-case name, repeated ones joined. Ranges are for GET alone (RFC 9110 §14.2)."""
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in scope["headers"]:
        name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if method == "HEAD":
        headers.pop("range", None)
    return headers
