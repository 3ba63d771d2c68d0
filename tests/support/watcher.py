"""A viewer that stays: it follows one rendition of a live stream by blocking reloads, in a thread of its own, and
writes down when it learned of something new and what went wrong. It gives up only at `close`, or at the stream's end.
"""

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import httpx

from tests.support.conformance.listing import Place, read
from tests.support.reader import Viewer

ANSWER_S = 15.0
AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, and when."""

    at_s: float
    what: str


class Watcher:
    """Follows the first rendition of `hls_url`. `news`: each newest part's place with the time at which it was seen."""

    def __init__(self, hls_url: str) -> None:
        self.hls_url = hls_url
        self.url = ""
        self.news: list[tuple[float, Place]] = []
        self.trouble: list[Trouble] = []
        self.ended = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
        self._thread.join(ANSWER_S + 1)

    def longest_silence_s(self, from_s: float, to_s: float) -> float:
        """The longest time without news, between two times of `time.monotonic` and before the last news of all."""
        until_s = min(to_s, self.news[-1][0])
        times = [from_s, *(at_s for at_s, _ in self.news if from_s < at_s < until_s), until_s]
        return max(later - earlier for earlier, later in pairwise(times))

    def _watch(self) -> None:
        viewer = Viewer()
        with httpx.Client(timeout=ANSWER_S, trust_env=False) as http:
            while not self._closed.is_set() and not self.url:
                if viewer.exists(self.hls_url):
                    self.url = viewer.multivariant(self.hls_url).variants[0].url
                self._closed.wait(AGAIN_S)
            viewer.close()
            directives: dict[Literal["_HLS_msn", "_HLS_part"], int] = {}
            while not self._closed.is_set() and not self.ended:
                try:
                    answer = http.get(self.url, params={str(name): value for name, value in directives.items()})
                except httpx.TransportError as error:
                    self._troubled(repr(error))
                    continue
                if answer.status_code != 200:
                    self._troubled(f"{answer.status_code} {answer.text[:100]}")
                    continue
                listing = read(answer.content)
                if not self.news or listing.newest > self.news[-1][1]:
                    self.news.append((time.monotonic(), listing.newest))
                self.ended = listing.ended
                directives = {"_HLS_msn": listing.next[0], "_HLS_part": listing.next[1]}

    def _troubled(self, what: str) -> None:
        self.trouble.append(Trouble(time.monotonic(), what))
        self._closed.wait(AGAIN_S)
