"""Playlists that stand still: each live stream's newest part, as players see it through the origin.

Law: reading a playlist and judging it are pure. One that is late is looked at again, since a clock that is wrong makes
a playlist that moves look old. Neighbours: `api` names the live streams.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin, urlsplit

import httpx

from headrace.cli.doctor.api import LiveStream, Streams, reachable
from headrace.cli.doctor.results import Result, failure, ok, skipped, warning
from headrace.core.errors import HeadraceError
from headrace.runtime.aio.clock import unix_ms

MOST = 50  # streams that are looked at
AT_ONCE = 8
LATE_TARGETS = 3
STARTING_MS = 15_000
GET_S = 4.0
_DATE = "#EXT-X-PROGRAM-DATE-TIME:"
_DURATION = re.compile(r"#(?:EXTINF:|EXT-X-PART:DURATION=)([0-9.]+)")


class BadPlaylist(HeadraceError):
    """It is none, or names no time."""

    code = "bad_playlist"


@dataclass(frozen=True, slots=True)
class Edge:
    """The live edge of a media playlist: when its newest part ends, Unix time in ms, and the target duration, ms."""

    ends_ms: int
    target_ms: int
    over: bool


def live_edge(text: str) -> Edge:
    """Where a media playlist ends. Raises BadPlaylist."""
    dated_ms = target_ms = 0
    tail_ms = 0.0  # of parts behind the date; an EXTINF says the same of them together
    for line in text.splitlines():
        if line.startswith("#EXT-X-TARGETDURATION:"):
            target_ms = _number(line.partition(":")[2]) * 1000
        elif line.startswith(_DATE):
            dated_ms, tail_ms = _date_ms(line.removeprefix(_DATE)), 0.0
        elif found := _DURATION.match(line):
            whole = line.startswith("#EXTINF")
            tail_ms = float(found[1]) * 1000 if whole else tail_ms + float(found[1]) * 1000
    if not text.startswith("#EXTM3U") or not target_ms or not dated_ms:
        raise BadPlaylist("it is no media playlist with dates")
    return Edge(dated_ms + round(tail_ms), target_ms, "#EXT-X-ENDLIST" in text)


def first_rendition(text: str) -> str:
    """The first media playlist that a multivariant playlist names. Raises BadPlaylist."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF"):
            return next(lines, "")
    raise BadPlaylist("it names no rendition")


def is_late(edge: Edge, now_ms: int) -> bool:
    """Whether its newest part is older than players bear."""
    return now_ms - edge.ends_ms > LATE_TARGETS * edge.target_ms


def verdict(stream: str, edge: Edge, later: Edge | None, now_ms: int) -> Result:
    """What is to be said of a live stream's playlist; `later`: the same, looked at again, where it was late."""
    if edge.over or (later is not None and later.over):
        return ok("playlists", stream, "it has just ended")
    age_s = (now_ms - (later or edge).ends_ms) / 1000
    seen = f"its newest part is {age_s:.1f} s old"
    if later is None:
        return ok("playlists", stream, seen)
    if later.ends_ms != edge.ends_ms:
        wrong = "it moves, and is late: a clock is wrong, or its transcoder is too slow"
        return warning("playlists", stream, seen, wrong, "see the clocks and the capacity")
    wrong = "it stands still while somebody publishes"
    todo = "does its encoder send media? Then see its transcoder's last words, and whether the log answers"
    return failure("playlists", stream, seen, wrong, todo)


async def look(streams: Streams, origin: str) -> Sequence[Result]:
    """Every live stream, at the origin that is named or at the one that the API names."""
    if not streams.live:
        return [skipped("playlists", "streams", "nobody publishes")]
    chosen = reachable(streams.live, MOST)
    turn = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(timeout=GET_S, trust_env=False, follow_redirects=True) as client:

        async def one(stream: LiveStream) -> Result:
            async with turn:
                return await _one(client, stream, _at(stream.hls_url, origin))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(stream)) for stream in chosen]
    found = [task.result() for task in tasks]
    if len(chosen) < len(streams.live) or not streams.all_seen:
        found.append(skipped("playlists", "streams", f"all but the newest {len(chosen)} that are live"))
    return found


async def _one(client: httpx.AsyncClient, stream: LiveStream, url: str) -> Result:
    try:
        rendition = urljoin(url, first_rendition(await _get(client, url)))
        edge = live_edge(await _get(client, rendition))
        later = None
        if not edge.over and is_late(edge, unix_ms()):
            await asyncio.sleep(edge.target_ms / 1000)
            later = live_edge(await _get(client, rendition))
    except BadPlaylist as error:
        if unix_ms() - stream.since_ms < STARTING_MS:
            return ok("playlists", stream.id, "it begins just now")
        wrong = "viewers see nothing of it"
        return failure(
            "playlists", stream.id, f"{url}: {error}", wrong, "is this the origin, and does it follow the log?"
        )
    return verdict(stream.id, edge, later, unix_ms())


async def _get(client: httpx.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BadPlaylist(str(error) or "no answer") from error
    if not answer.is_success:
        raise BadPlaylist(f"the origin answered {answer.status_code}")
    return answer.text


def _at(url: str, origin: str) -> str:
    return origin.rstrip("/") + urlsplit(url).path if origin else url


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadPlaylist("its target duration is no number") from error


def _date_ms(text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError as error:
        raise BadPlaylist("a date of it is none") from error
