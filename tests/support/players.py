"""Real players in a real browser, each on a page of its own, and what they saw.

The pages are served from here, the players from where they are vendored; media comes from the address that a player is
given. Neighbours: `browser` has the Chromium, `clock` publishes pictures that say when they were made.
"""

import re
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import httpx

from tests.support.browser import Tab

REPO = Path(__file__).resolve().parents[2]
PAGES = REPO / "tests/e2e/players"
FILES = {
    path.name: path
    for path in (
        PAGES / "hls.html",
        PAGES / "shaka.html",
        PAGES / "watch.js",
        PAGES / "vendor/shaka-player.compiled.js",
        REPO / "services/headrace/control/console/vendor/hls.min.js",
    )
}
SHAKA_DELAY_S = 1.25
"""PART-HOLD-BACK of default parts and half a part more."""
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Player(StrEnum):
    """Which player."""

    HLS_JS = "hls"
    SHAKA = "shaka"


@dataclass(frozen=True, slots=True)
class Request:
    """What a player asked for, in milliseconds of the wall clock."""

    url: str
    start_ms: float
    end_ms: float

    @property
    def name(self) -> str:
        """The last part of the path."""
        return urlsplit(self.url).path.rsplit("/", 1)[-1]

    @property
    def part(self) -> bool:
        """Whether it is for a part."""
        return re.fullmatch(r"\d+\.\d+-\w+\.m4s", self.name) is not None

    @property
    def segment(self) -> bool:
        """Whether it is for a whole segment."""
        return self.name.endswith(".m4s") and not self.part

    @property
    def took_s(self) -> float:
        """How long its answer took, waiting included."""
        return (self.end_ms - self.start_ms) / 1000

    @property
    def directives(self) -> dict[str, str]:
        """The protocol's own parameters."""
        given = parse_qs(urlsplit(self.url).query)
        return {name: values[0] for name, values in given.items() if name.startswith("_HLS_")}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it was shown: when, how long after it was made, the player's time, and what lay buffered then."""

    at_ms: float
    delay_ms: float
    time_s: float
    ahead_s: float


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the video element or its player."""

    at_ms: float
    name: str
    time_s: float
    rate: float


@dataclass(slots=True)
class Watched:
    """All that a page saw. `media_error`: the video element's own; `errors`: the player's (when, fatal, what)."""

    pictures: list[Picture]
    events: list[Event]
    requests: list[Request]
    errors: list[tuple[float, bool, str]]
    unreadable: int
    media_error: str | None
    dropped: int
    figures: dict[str, Any]

    @property
    def began_ms(self) -> float:
        """When it first played."""
        return next(event.at_ms for event in self.events if event.name == "playing")

    def since(self, at_ms: float) -> list[Picture]:
        """The pictures shown from then on."""
        return [picture for picture in self.pictures if picture.at_ms >= at_ms]

    def delay_s(self, after_s: float) -> float:
        """The median time from a picture's making to its showing, from so long after the start on."""
        return statistics.median(picture.delay_ms for picture in self.since(self.began_ms + 1000 * after_s)) / 1000

    def stalls(self, after_s: float = 0.0) -> list[Event]:
        """Where it ran dry, from so long after the start on."""
        dry = ("waiting", "stalled", "stalldetected")
        return [event for event in self.events if event.name in dry and event.at_ms > self.began_ms + 1000 * after_s]

    def failures(self, after_s: float = 0.0) -> list[str]:
        """What the player complained of, from so long after the start on; what it gave up for, at any time."""
        late_ms = self.began_ms + 1000 * after_s
        return [what for at_ms, fatal, what in self.errors if fatal or at_ms > late_ms]

    def longest_freeze_s(self, after_s: float = 0.0) -> float:
        """The longest time for which one picture stood."""
        shown = self.since(self.began_ms + 1000 * after_s)
        return max(b.at_ms - a.at_ms for a, b in pairwise(shown)) / 1000


class Pages:
    """Serves the players' pages."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, player: Player, hls_url: str) -> str:
        """The page on which `player` plays `hls_url`."""
        query = f"url={quote(hls_url, safe='')}&delay_s={SHAKA_DELAY_S}"
        return f"http://127.0.0.1:{self._server.server_port}/{player}.html?{query}"

    def close(self) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def hold_back_s(hls_url: str) -> float | None:
    """The stream's PART-HOLD-BACK, or None where nothing is listed yet."""
    with httpx.Client(timeout=30, trust_env=False) as http:
        answer = http.get(hls_url)
        if answer.status_code != 200:
            return None
        uris = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
        found = re.search(r"PART-HOLD-BACK=([\d.]+)", http.get(urljoin(hls_url, uris[0])).text)
    return float(found[1]) if found else None


@contextmanager
def pages() -> Iterator[Pages]:
    """The pages, for a while."""
    served = Pages()
    try:
        yield served
    finally:
        served.close()


def watched(tab: Tab) -> Watched:
    """What the page in `tab` has seen so far."""
    seen: dict[str, Any] = tab.page.evaluate(
        """() => {
          const video = document.querySelector("video");
          return { ...window.seen, media_error: video.error?.message ?? null, figures: window.figures?.() ?? {},
            dropped: video.getVideoPlaybackQuality().droppedVideoFrames };
        }"""
    )
    return Watched(
        [Picture(*one) for one in seen["frames"]],
        [Event(*one) for one in seen["events"]],
        [Request(url, start, end) for start, end, url in seen["requests"]],
        [(at, fatal, what) for at, fatal, what in seen["errors"]],
        seen["unreadable"],
        seen["media_error"],
        seen["dropped"],
        seen["figures"],
    )


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = FILES.get(urlsplit(self.path).path.removeprefix("/"))
        body = path.read_bytes() if path else b""
        self.send_response(200 if path else 404)
        self.send_header("Content-Type", TYPES[path.suffix] if path else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
