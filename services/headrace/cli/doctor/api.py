"""What the API tells: the fleet, and the streams that are live.

Law: an answer that is none of the API's is an error in words. Neighbours: `fleet` and `playlists` make verdicts of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from headrace.cli.api import ApiError
from headrace.runtime.aio.clock import unix_ms

TIMEOUT_S = 5.0
PAGES = 20  # of a hundred streams: those who have more are told so
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as `/v1/pods` shows it."""

    pod: str
    kind: str
    zone: str
    version: str
    condition: str
    target: str
    capacity: int
    used: int
    held: int
    heard_s: float
    clock_ms: int | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet as one replica of control hears it. `clock_ms`: how far that replica's clock is ahead of ours."""

    version: str
    complete: bool
    clock_ms: int
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class LiveStream:
    """A stream that somebody publishes: since when, Unix time in milliseconds, and where it is watched."""

    id: str
    since_ms: int
    hls_url: str


@dataclass(frozen=True, slots=True)
class Streams:
    """The live ones; `all_seen` unless there are too many to look at. `rtmp_url`, `hls_url`: any stream's, or ""."""

    live: tuple[LiveStream, ...]
    all_seen: bool
    rtmp_url: str
    hls_url: str


class Api:
    """Control's REST API. `async with` closes it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_S, trust_env=False
        )

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ready(self) -> str:
        """What `/readyz` says; "" where it is ready. Raises ApiError."""
        answer = await self._get("/readyz")
        return "" if answer.is_success else answer.text.strip()

    async def fleet(self) -> Fleet:
        """The fleet. Raises ApiError."""
        began_ms = unix_ms()
        answer = await self._json("/v1/pods")
        middle_ms = (began_ms + unix_ms()) // 2
        try:
            pods = tuple(
                Pod(
                    pod["pod"], pod["kind"], pod["zone"], pod["version"], pod["condition"], pod["target"],
                    pod["capacity_pixels_s"], pod["used_pixels_s"], pod["held_pixels_s"], pod["heard_s"],
                    pod["clock_ms"],
                )
                for pod in answer["pods"]
            )  # fmt: skip
            return Fleet(answer["version"], answer["complete"], _ms(answer["now"]) - middle_ms, pods)
        except (KeyError, TypeError, ValueError) as error:
            raise ApiError(f"{self.url}/v1/pods does not answer as control does") from error

    async def streams(self) -> Streams:
        """The streams. Raises ApiError."""
        live: list[LiveStream] = []
        rtmp_url = hls_url = ""
        query = ""
        for _ in range(PAGES):
            page = await self._json(f"/v1/streams?limit=100{query}")
            try:
                for stream in page["streams"]:
                    rtmp_url = rtmp_url or stream["ingest"]["rtmp_url"]
                    hls_url = hls_url or stream["playback"]["hls_url"]
                    if stream["state"] == "live" and stream["live"]:
                        since_ms = _ms(stream["live"]["since"])
                        live.append(LiveStream(stream["id"], since_ms, stream["playback"]["hls_url"]))
                cursor = page["next_cursor"]
            except (KeyError, TypeError, ValueError) as error:
                raise ApiError(f"{self.url}/v1/streams does not answer as control does") from error
            if not cursor:
                return Streams(tuple(live), True, rtmp_url, hls_url)
            query = f"&cursor={cursor}"
        return Streams(tuple(live), False, rtmp_url, hls_url)

    async def _json(self, path: str) -> Any:
        answer = await self._get(path)
        if answer.status_code == NOT_FOUND:
            raise ApiError(f"{self.url} has no {path.partition('?')[0]}: is it control's, and of this version?")
        if not answer.is_success:
            raise ApiError(_reason(answer))
        try:
            return answer.json()
        except ValueError as error:
            raise ApiError(f"{self.url} does not answer as control does") from error

    async def _get(self, path: str) -> httpx.Response:
        try:
            return await self._client.get(path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ApiError(f"cannot reach {self.url}: {error or type(error).__name__}") from error


def reachable(streams: Sequence[LiveStream], most: int) -> Sequence[LiveStream]:
    """As many as are looked at: the newest, which have most to tell."""
    return sorted(streams, key=lambda each: -each.since_ms)[:most]


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"the API answered {answer.status_code}"


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
