"""The origin's HTTP face: a bare ASGI app under `/live`, with the probes beside it.

Law: GET, HEAD and OPTIONS; no framework in the way of the bytes, and no task for what is here already. What a playlist
has promised is waited for, bounded in number and in time: the first segment of a run that has just begun, the next part
of a playlist, a hinted part, of which no byte is sent before the last one is here. Who hangs up gives the place back.
Neighbours: `paths`, `blocking` (what is asked), `showing` (what is here), `answers` (how it is said), `follower`,
`caching` (where it is from), `sharing` (who waits).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial

from headrace.core.broadcast import RunId
from headrace.livelog.base import LiveLog, LogError, NoRun
from headrace.origin import answers, showing
from headrace.origin.answers import Headers
from headrace.origin.blocking import Directives
from headrace.origin.caching import MediaCache
from headrace.origin.current import CurrentRuns
from headrace.origin.followed import FollowedRun
from headrace.origin.follower import Follower, Unavailable
from headrace.origin.metrics import REFUSED, REQUESTS, SENT_BYTES, STALE_ANSWERS
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
from headrace.origin.sharing import Places, Sharing
from headrace.origin.showing import Failure
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.direct import Answer, Direct
from headrace.runtime.probes import PROBE_PATHS, Probes, Receive, Scope, Send
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.runtime.telemetry.metrics import Counter

NEWCOMER_WAIT_S = 6.0  # for a run whose plan is not known yet
LONGEST_WAIT_S = 15.0  # below hls.js's 20 s for a manifest, and every CDN's 30 s for an origin
ASK_AGAIN_S = 0.2
HELD_TARGET_DURATIONS = 3  # how long a request may wait for what comes next (RFC 8216bis §6.2.5.2)

_REFUSED = REFUSED.labels("too_many_waiting")
_MATTERING = frozenset((b"accept-encoding", b"if-none-match", b"if-range", b"range"))

Asked = tuple[Path, str, Headers, bytes]  # what is wanted, the method, the headers that matter, the query

_failing = RateLimited(logger(__name__), "a request failed")


class OriginApp:
    """A `DirectApp`. It wants the whole path, `/live` included."""

    def __init__(
        self, log: LiveLog, follower: Follower, cache: MediaCache, max_waiting: int, not_ready: Callable[[], str]
    ) -> None:
        self._current = CurrentRuns(log)
        self._follower = follower
        self._cache = cache
        self._places = Places(max_waiting)
        self.sharing = Sharing(self._places)
        self._probes = Probes(not_ready)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        found = self._asked(scope)
        if found is None:
            await self._probes(scope, receive, send)
            return
        answer = found if isinstance(found, Answer) else await self._later(*found)
        await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
        await send({"type": "http.response.body", "body": answer.body})

    def direct(self, scope: Scope) -> Direct:
        """As `DirectApp.direct`; the probes have their ASGI face alone."""
        found = self._asked(scope)
        if found is None or isinstance(found, Answer):
            return found
        path, method, request, query = found
        key = (path, method, query, *request.items())
        return self.sharing.ask(key, partial(self._later, *found), partial(_count, path))

    def _asked(self, scope: Scope) -> Answer | Asked | None:
        """The answer, or what it takes to wait for it; None for the probes."""
        path, method, query = parse(scope["path"]), scope["method"], scope["query_string"]
        if path is None and scope["path"] in PROBE_PATHS:
            return None
        try:
            request = _headers(scope)
            answer = self._at_once(method, path, request, query)
        except Failure as failure:
            answer = None if failure.news else failure.answer
        except Exception as error:
            answer = _failed(error, path)
        if answer is None:
            assert path is not None  # what has no name has its answer
            return path, method, request, query
        return _counted(path, method, answer)

    def _at_once(self, method: str, path: Path | None, request: Headers, query: bytes) -> Answer | None:
        """The answer, or None where something of it is not here. Raises Failure."""
        if method == "OPTIONS":
            return answers.preflight()
        if method not in ("GET", "HEAD"):
            return answers.error(405, "this can only be read", {"allow": answers.METHODS})
        if path is None:
            return answers.error(404, "there is nothing of this name")
        if len(query) > MAX_QUERY_BYTES:
            return answers.error(414, f"the query is longer than {MAX_QUERY_BYTES} bytes")
        followed = self._follower.known(path.run) if path.run else None
        if followed is None:
            return None
        match path:
            case PlaylistPath():
                return showing.playlist(followed, path, request, query)
            case PartPath():
                body = self._cache.kept(path.run, path.rung, path.name)
                return showing.medium(followed, path, request, body, showing.part(followed, path).end) if body else None
            case SegmentPath():
                body = self._cache.kept(path.run, path.rung, path.name)
                found = showing.segment(followed, path)
                return showing.medium(followed, path, request, body, found.end) if body else None
            case InitPath():
                return showing.init(followed, path, request)
        return None

    async def _later(self, path: Path, method: str, request: Headers, query: bytes) -> Answer:
        try:
            answer = await self._found_or_news(path, request, query)
        except Exception as error:
            answer = _failed(error, path)
        return _counted(path, method, answer)

    async def _found_or_news(self, path: Path, request: Headers, query: bytes) -> Answer:
        """What is here, or is after another look: another origin may have told of it before this one read of it."""
        try:
            return await self._found(path, request, query)
        except Failure as failure:
            if not failure.news or path.run is None:
                raise
        with self._place_to_wait():
            await self._follower.look_again(path.run)
        return await self._found(path, request, query)

    async def _found(self, path: Path, request: Headers, query: bytes) -> Answer:
        match path:
            case MultivariantPath():
                return await self._multivariant(path, request, echoed(query))
            case PlaylistPath():
                return await self._media(path, request, query)
            case InitPath():
                return showing.init(await self._follower.get(path.run), path, request)
            case SegmentPath():
                return await self._segment(path, request)
            case PartPath():
                return await self._part(path, request)

    async def _media(self, path: PlaylistPath, request: Headers, query: bytes) -> Answer:
        followed, rung = await self._follower.get(path.run), path.rung
        while (answer := showing.playlist(followed, path, request, query)) is None:
            if not showing.lists(followed, rung):
                await self._listed(followed, lambda: showing.lists(followed, rung))
            elif wanted := showing.wanted(followed, query):
                await self._held(followed, rung, partial(_shown, wanted, followed, rung))
        return answer

    async def _held(self, followed: FollowedRun, rung: str, ready: Callable[[], bool]) -> None:
        """Until `ready`, or the run's end. Raises Failure when it takes too long."""
        with self._place_to_wait():
            held_s = HELD_TARGET_DURATIONS * showing.plan(followed).target_duration_s
            if await followed.until(lambda: ready() or followed.model.ended, held_s, rung):
                return
        if self._follower.stopped:
            raise Unavailable("the origin stops")
        raise Failure(503, "what was asked for is late", retry_after_s=1)

    async def _multivariant(self, path: MultivariantPath, request: Headers, query: str) -> Answer:
        run = path.run or await self._current.get(path.stream)
        if run is None:
            raise Failure(404, "the stream has not been live")
        newest = path.run is None
        followed = await (self._newcomer(run) if newest else self._follower.get(run))
        prefix = f"{run}/" if newest else ""
        while (page := followed.pages.multivariant(prefix, query)) is None:
            await self._listed(followed, lambda: followed.pages.multivariant(prefix, query) is not None)
        if followed.stale:
            STALE_ANSWERS.labels(path.kind).inc()
        # The stream's own may name another run at any time.
        lifetime_s = showing.refresh_s(followed) if newest else showing.lifetime_s(followed)
        return answers.playlist(request, page, lifetime_s, unix_ms())

    async def _newcomer(self, run: RunId) -> FollowedRun:
        """A run that is its stream's newest, though its first entry may still be on its way."""
        until_s = monotonic_s() + NEWCOMER_WAIT_S
        while True:
            try:
                return await self._follower.get(run)
            except NoRun:
                if monotonic_s() >= until_s:
                    raise Failure(404, "the run has not begun", retry_after_s=1) from None
                with self._place_to_wait():
                    await asyncio.sleep(ASK_AGAIN_S)

    async def _listed(self, followed: FollowedRun, ready: Callable[[], bool]) -> None:
        """Until `ready`: the run has something to list. Raises Failure when it does not come, or the run ends first."""
        model = followed.model
        wait_s = NEWCOMER_WAIT_S if model.plan is None else min(3.0 * model.plan.target_duration_s, LONGEST_WAIT_S)
        with self._place_to_wait():
            await followed.until(lambda: ready() or followed.model.ended, wait_s)
        if ready():
            return
        if followed.model.ended:
            raise Failure(404, "the run ended before there was anything to see")
        if self._follower.stopped:
            raise Unavailable("the origin stops")
        raise Failure(404, "there is nothing to see yet", retry_after_s=showing.refresh_s(followed))

    async def _segment(self, path: SegmentPath, request: Headers) -> Answer:
        followed = await self._follower.get(path.run)
        segment = showing.segment(followed, path)
        body = await self._cache.segment(path.run, path.rung, segment)
        if body is None:
            raise Failure(410, "the segment has left the live window")
        return showing.medium(followed, path, request, body, segment.end)

    async def _part(self, path: PartPath, request: Headers) -> Answer:
        followed = await self._follower.get(path.run)
        if showing.is_hinted(followed, path):
            await self._held(followed, path.rung, lambda: not showing.is_hinted(followed, path))
        piece = showing.part(followed, path)
        body = await self._cache.part(path.run, path.rung, path.msn, path.part, piece)
        if body is None:
            raise Failure(410, "the part has left the live window")
        return showing.medium(followed, path, request, body, piece.end)

    @contextmanager
    def _place_to_wait(self) -> Iterator[None]:
        if not self._places.take():
            _REFUSED.inc()
            raise Unavailable("too many requests wait already")
        try:
            yield
        finally:
            self._places.give_back()


def _shown(wanted: Directives, followed: FollowedRun, rung: str) -> bool:
    return wanted.shown(followed.model, rung)


def _failed(error: Exception, path: Path | None) -> Answer:
    match error:
        case Failure():
            return error.answer
        case NoRun():
            return answers.error(404, "there is no such run")
        case Unavailable():
            return answers.unavailable(str(error))
        case LogError():
            return answers.unavailable("the live log does not answer")
    _failing({"kind": path.kind if path else "other"}, error=error, level=logging.ERROR)
    return answers.error(500, "the origin failed")


def _counted(path: Path | None, method: str, answer: Answer) -> Answer:
    """The answer as it is sent, in the metrics."""
    return _count(path, Answer(answer.head, b"") if method == "HEAD" else answer)


def _count(path: Path | None, answer: Answer, times: int = 1) -> Answer:
    requests, sent_bytes = _counters(path.kind if path else "other", answer.status // 100)
    requests.inc(times)
    sent_bytes.inc(times * len(answer.body))
    return answer


@lru_cache
def _counters(kind: str, hundreds: int) -> tuple[Counter, Counter]:
    return REQUESTS.labels(kind, f"{hundreds}xx"), SENT_BYTES.labels(kind)


def _headers(scope: Scope) -> Headers:
    """The headers that matter, by name; repeated ones joined. Ranges are for GET alone (RFC 9110 §14.2)."""
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in scope["headers"]:
        if name_bytes in _MATTERING:
            name, value = name_bytes.decode(), value_bytes.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if scope["method"] == "HEAD":
        headers.pop("range", None)
    return headers
