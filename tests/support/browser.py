"""Debian's Chromium, driven by playwright, with an eye on a page's video element."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]

WATCH = """() => {
  const video = document.querySelector("video");
  const seen = window.seen = { events: [], samples: [] };
  for (const name of ["waiting", "stalled", "error", "ended", "pause", "emptied"])
    video.addEventListener(name, () => seen.events.push([name, performance.now()]));
  setInterval(() => seen.samples.push([performance.now(), video.currentTime,
    video.getVideoPlaybackQuality().totalVideoFrames]), 250);
}"""
PLAYING = """() => {
  const video = document.querySelector("video");
  return video && !video.paused && video.readyState >= 3 && video.currentTime > 0 && video.videoWidth > 0;
}"""


@dataclass(slots=True)
class Seen:
    """What the video element did. `samples`: (clock ms, currentTime s, pictures so far) four times a second."""

    events: list[tuple[str, float]]
    samples: list[tuple[float, float, int]]
    error: str | None
    width: int


@dataclass(slots=True)
class Tab:
    """A page, and what went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def until_playing(self, within_s: float) -> None:
        """Wait until the page's video plays. Raises playwright's TimeoutError."""
        self.page.wait_for_function(PLAYING, timeout=1000 * within_s)

    def watch(self, for_s: float) -> Seen:
        """Look at the playing video."""
        self.page.evaluate(WATCH)
        self.page.wait_for_timeout(1000 * for_s)
        seen: dict[str, Any] = self.page.evaluate("() => window.seen")
        error = self.page.evaluate("() => document.querySelector('video').error?.message ?? null")
        width = self.page.evaluate("() => document.querySelector('video').videoWidth")
        return Seen([tuple(e) for e in seen["events"]], [tuple(s) for s in seen["samples"]], error, width)


@contextmanager
def chromium() -> Iterator[Callable[[str], Tab]]:
    """A Chromium; calling it with an address opens a page of its own there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)

        def opened(url: str) -> Tab:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            tab = Tab(page)
            page.on("pageerror", lambda error: tab.complaints.append(str(error)))
            page.on("console", lambda said: tab.complaints.extend([said.text] if said.type == "error" else []))
            page.goto(url)
            return tab

        try:
            yield opened
        finally:
            browser.close()


@contextmanager
def browse(url: str) -> Iterator[Tab]:
    """A Chromium with one page at `url`."""
    with chromium() as opened:
        yield opened(url)
