"""Playlists as bytes: printed and compressed once for each state of a run, however many ask.

Law: a `Pages` shows one state; whoever changes the model makes a new one. Neighbours: `core.hls` prints, `follower`
holds them beside the model.
"""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from headrace.core.hls.multivariant import multivariant
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import date_ms, media_playlist

MAX_PAGES = 64  # of one state; more than a run's renditions only where viewers' queries differ
GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Page:
    """A playlist's text, plain and compressed. `modified_ms`: Unix time of the newest media in it, milliseconds."""

    plain: bytes
    compressed: bytes
    digest: str
    modified_ms: int


class Pages:
    """The pages of a run as it is now."""

    def __init__(self, model: RunModel) -> None:
        self._model = model
        self._kept: dict[tuple[str, str, str], Page] = {}

    def multivariant(self, prefix: str, query: str) -> Page | None:
        """The multivariant playlist with `prefix` and `query` on its children's URIs; None while nothing is listed."""
        return self._page(("", prefix, query), lambda: multivariant(self._model, prefix, query))

    def media(self, rung: str, query: str) -> Page | None:
        """A rendition's playlist with `query` on its URIs, or None while nothing is listed. Raises KeyError."""

        def text() -> str | None:
            playlist = self._model.playlist(rung)
            return media_playlist(playlist, query) if playlist else None

        return self._page((rung, "", query), text)

    def _page(self, key: tuple[str, str, str], text: Callable[[], str | None]) -> Page | None:
        if (page := self._kept.get(key)) is not None:
            return page
        if (printed := text()) is None:
            return None
        plain = printed.encode()
        page = Page(
            plain,
            gzip.compress(plain, GZIP_LEVEL, mtime=0),
            hashlib.sha256(plain).hexdigest()[:16],
            date_ms(self._model.anchor_ms, self._model.end),
        )
        if len(self._kept) >= MAX_PAGES:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = page
        return page
