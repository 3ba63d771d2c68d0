"""A recorder for a live stream: it follows every rendition as the keenest low-latency player would, and writes it down.

For each rendition it reloads with the next part's number, asks for each hinted part beforehand, fetches every part,
segment and init section, and once asks for what should be refused. Nothing here judges: `conformance` does.
"""

import asyncio
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.support.conformance.listing import Listing, Place, attributes, read

OPENING_S = 30.0  # for the stream to be there
ANSWER_S = 40.0
RETRY_S = 0.5
RETRIES = 8
PROBE_AFTER = 6  # refreshes
NO_SUCH = "no-such-file"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and all of its answer; times of a monotonic clock. `headers` by lower-case name."""

    url: str
    asked_s: float
    first_byte_s: float
    done_s: float
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Refresh:
    """A reload of a playlist: the part that was `wanted` (None: a plain one), and what came."""

    wanted: Place | None
    answer: Answer
    listing: Listing


@dataclass(slots=True)
class Rendition:
    """What was seen of one. `refreshes`: one reader's, in order. `hinted`, `resources`: by absolute URL.

    `probes`: the answers to awkward requests by what they are. `kept`: what was asked for again after its tag had gone.
    """

    url: str
    refreshes: list[Refresh] = field(default_factory=list)
    hinted: dict[str, Answer] = field(default_factory=dict)
    resources: dict[str, Answer] = field(default_factory=dict)
    probes: dict[str, Refresh] = field(default_factory=dict)
    kept: list[Answer] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its last folder: what it is called in findings."""
        return self.url.split("/")[-2]

    @property
    def good(self) -> list[Refresh]:
        """The reloads that brought a playlist."""
        return [refresh for refresh in self.refreshes if refresh.answer.status == 200]


@dataclass(slots=True)
class Recording:
    """A stream as it was seen. `variants`: the attributes of each, by its playlist's URL."""

    multivariant: Answer
    variants: dict[str, dict[str, str]]
    renditions: dict[str, Rendition]


async def record(url: str) -> Recording:
    """Follow the stream at `url`, a multivariant playlist, to its end."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    async with httpx.AsyncClient(timeout=ANSWER_S, limits=limits, trust_env=False) as client:
        opening_s = time.monotonic() + OPENING_S
        while (multivariant := await _get(client, url, gzip=True)).status != 200:
            assert time.monotonic() < opening_s, f"{url} is still {multivariant.status}"
            await asyncio.sleep(RETRY_S)
        variants, urls = children(multivariant)
        recording = Recording(multivariant, variants, {each: Rendition(each) for each in urls})
        async with asyncio.TaskGroup() as group:
            for rendition in recording.renditions.values():
                group.create_task(_Follower(client, rendition, group).follow())
        return recording


def children(multivariant: Answer) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The variants' attributes by URL, and the URLs of all media playlists."""
    variants: dict[str, dict[str, str]] = {}
    urls: list[str] = []
    given: dict[str, str] = {}
    for line in multivariant.body.decode().splitlines():
        name, _, value = line.partition(":")
        if name == "#EXT-X-MEDIA" and "URI" in attributes(value):
            urls.append(urljoin(multivariant.url, attributes(value)["URI"]))
        elif name == "#EXT-X-STREAM-INF":
            given = attributes(value)
        elif line and not line.startswith("#"):
            variants[urljoin(multivariant.url, line)] = given
    return variants, [*variants, *dict.fromkeys(urls)]


class _Follower:
    """One rendition's reader."""

    def __init__(self, client: httpx.AsyncClient, rendition: Rendition, group: asyncio.TaskGroup) -> None:
        self._client = client
        self._rendition = rendition
        self._group = group
        self._asked: set[str] = set()

    async def follow(self) -> None:
        """Reload until the end."""
        wanted: Place | None = None
        failures = 0
        before: Listing | None = None
        while True:
            refresh = await self._reload(wanted)
            self._rendition.refreshes.append(refresh)
            listing = refresh.listing
            if refresh.answer.status != 200:
                failures += 1
                assert failures < RETRIES, f"{self._rendition.name}: {refresh.answer.status}, again and again"
                await asyncio.sleep(RETRY_S)
                wanted = None
                continue
            self._fetch_all(listing)
            if before is not None:
                self._fetch_again(before, listing)
            if listing.ended:
                await self._probe("after the end", "?_HLS_msn=99999999&_HLS_part=3")
                return
            if len(self._rendition.refreshes) == PROBE_AFTER:
                self._group.create_task(self._probe_all(listing))
            before, wanted = listing, listing.next

    async def _reload(self, wanted: Place | None, query: str = "") -> Refresh:
        if wanted is not None:
            query = f"?_HLS_msn={wanted[0]}&_HLS_part={wanted[1]}"
        answer = await _get(self._client, self._rendition.url + query, gzip=True)
        return Refresh(wanted, answer, read(answer.body) if answer.status == 200 else Listing())

    def _fetch_all(self, listing: Listing) -> None:
        """Ask for whatever is listed and was not asked for, and for what is hinted at, all at the same time."""
        if listing.hint:
            self._start(listing.hint, self._hint)
        for segment in listing.all:
            self._start(segment.map, self._fetch)
            for part in segment.parts:
                if not part.gap:
                    self._start(part.uri, self._fetch)
            if segment.uri and not segment.gap:
                self._start(segment.uri, self._fetch)

    def _fetch_again(self, before: Listing, now: Listing) -> None:
        """Ask once more for what is listed no longer, as late as a player may."""
        uris = {part.uri for _, part in now.parts()} | {segment.uri for segment in now.segments}
        wait_s = 0.9 * now.target_s
        for _, part in before.parts():
            if part.uri not in uris and not part.gap:
                self._group.create_task(self._again(part.uri, 3 * wait_s))
        for segment in before.segments:
            if segment.uri not in uris and not segment.gap:
                self._group.create_task(self._again(segment.uri, wait_s))

    def _start(self, uri: str, how: Any) -> None:
        url = urljoin(self._rendition.url, uri)
        if uri and url not in self._asked:
            self._asked.add(url)
            work: Coroutine[Any, Any, None] = how(url)
            self._group.create_task(work)

    async def _fetch(self, url: str) -> None:
        self._rendition.resources[url] = await _get(self._client, url)

    async def _hint(self, url: str) -> None:
        answer = await _get(self._client, url)
        self._rendition.hinted[url] = answer
        if answer.status == 200:
            self._rendition.resources[url] = answer

    async def _again(self, uri: str, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        self._rendition.kept.append(await _get(self._client, urljoin(self._rendition.url, uri)))

    async def _probe_all(self, listing: Listing) -> None:
        last = listing.segments[-1].msn
        for what, query in (
            ("plain", ""),
            ("past", f"?_HLS_msn={last}"),
            ("out of the window", "?_HLS_msn=0&_HLS_part=0"),
            ("a part without its segment", "?_HLS_part=0"),
            ("no number", "?_HLS_msn=x"),
            ("no part number", f"?_HLS_msn={last}&_HLS_part=x"),
            ("too far", f"?_HLS_msn={last + 20}"),
            ("beyond the last part", f"?_HLS_msn={last}&_HLS_part=999"),
        ):
            await self._probe(what, query)
        nobody = re.sub(r"[^/?]+(\.\w+)(\?.*)?$", rf"{NO_SUCH}\1\2", urljoin(self._rendition.url, listing.hint))
        answer = await _get(self._client, nobody)
        self._rendition.probes["un-hinted"] = Refresh(None, answer, Listing())

    async def _probe(self, what: str, query: str) -> None:
        self._rendition.probes[what] = await self._reload(None, query)


async def _get(client: httpx.AsyncClient, url: str, *, gzip: bool = False) -> Answer:
    headers = {"accept-encoding": "gzip" if gzip else "identity"}
    asked_s = time.monotonic()
    async with client.stream("GET", url, headers=headers) as response:
        first_byte_s = time.monotonic()
        body = await response.aread()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(url, asked_s, first_byte_s, time.monotonic(), response.status_code, headers, body)
