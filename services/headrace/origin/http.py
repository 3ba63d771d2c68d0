"""The origin's HTTP face: a bare ASGI app under `/live`, with the probes beside it.

Law: GET, HEAD and OPTIONS; no framework in the way of the bytes. A request for a playlist of a run that has just begun
waits, bounded, for its first segment, so that a newcomer's player finds it at the first try.
Neighbours: `paths` (what is asked), `answers` (how it is said), `follower`, `caching` (where it comes from).
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headrace.core.broadcast import RunId
from headrace.core.media import TICKS_PER_MS
from headrace.livelog.base import LiveLog, LogError, NoRun
from headrace.origin import answers
from headrace.origin.answers import Answer, Headers
from headrace.origin.caching import SegmentCache
from headrace.origin.current import CurrentRuns
from headrace.origin.follower import FollowedRun, Follower
from headrace.origin.metrics import REQUESTS, SENT_BYTES, WAITING
from headrace.origin.pages import Page
from headrace.origin.paths import (
    MAX_QUERY_BYTES,
    InitPath,
    MultivariantPath,
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
ENDED_TARGET_DURATIONS = 6  # lifetime of what never changes again, though one day it goes

_log = logger(__name__)


class _Failure(Exception):
    """An answer that is not the one asked for."""

    def __init__(self, status: int, why: str, retry_after_s: int | None = None) -> None:
        fields = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
        self.answer = answers.error(status, why, fields)


class OriginApp:
    """ASGI 3. It wants the whole path, `/live` included."""

    def __init__(self, log: LiveLog, follower: Follower, cache: SegmentCache, max_waiting: int) -> None:
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
            return await self._found(path, _headers(scope, method), echoed(scope["query_string"]))
        except _Failure as failure:
            return failure.answer
        except NoRun:
            return answers.error(404, "there is no such run")
        except LogError:
            return answers.error(503, "the live log does not answer", {"retry-after": "1"})
        except Exception:
            _log.exception("a request failed", extra={"kind": path.kind})
            return answers.error(500, "the origin failed")

    async def _found(self, path: Path, request: Headers, query: str) -> Answer:
        match path:
            case MultivariantPath():
                return await self._multivariant(path, request, query)
            case PlaylistPath(run, rung):
                followed = await self._follower.get(run)
                page = await self._listed(followed, lambda: _media_page(followed, rung, query))
                return answers.playlist(request, page, _lifetime_s(followed), unix_ms())
            case InitPath():
                return await self._init(path, request)
            case SegmentPath():
                return await self._segment(path, request)

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
        body = await self._cache.get(path.run, path.rung, segment)
        if body is None:
            raise _Failure(410, "the segment has left the live window")
        modified_ms = followed.model.anchor_ms + segment.end // TICKS_PER_MS
        return answers.media(request, body, _media_type(followed, path.rung), f'"{path.name}"', modified_ms, unix_ms())

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
    plan = followed.model.plan
    if plan and followed.model.ended:
        return ENDED_TARGET_DURATIONS * plan.target_duration_s
    return _refresh_s(followed)


def _headers(scope: Scope, method: str) -> Headers:
    """The request's headers by lower-case name, repeated ones joined. Ranges are for GET alone (RFC 9110 §14.2)."""
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in scope["headers"]:
        name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if method == "HEAD":
        headers.pop("range", None)
    return headers
