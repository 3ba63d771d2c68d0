"""A viewer that writes everything down: playlists by the letter, media through FFmpeg's HLS demuxer and decoder.

Nothing here knows how the server came to what it serves. Times are ticks of 1/90000 on the run's timeline: what the
files say less the ten seconds that keep them from being negative.
"""

import io
import re
from dataclasses import dataclass, field
from fractions import Fraction
from urllib.parse import urljoin

import av
import httpx
import numpy as np
import numpy.typing as npt

from tests.support import barcode
from tests.support.boxes import read_boxes, read_run

OFFSET = 10 * 90_000

Loudness = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segment:
    """A line of a media playlist. `extinf` in seconds, exactly as printed."""

    url: str
    extinf: Fraction
    gap: bool
    discontinuity: bool


@dataclass(frozen=True, slots=True)
class Playlist:
    """A media playlist."""

    url: str
    target_duration: int
    media_sequence: int
    init_urls: tuple[str, ...]
    segments: tuple[Segment, ...]
    ended: bool
    independent: bool


@dataclass(frozen=True, slots=True)
class Variant:
    """A line of a multivariant playlist, with the attributes as they stand there."""

    url: str
    attributes: dict[str, str]

    @property
    def name(self) -> str:
        """The rendition's name, from its address."""
        return self.url.split("/")[-2]


@dataclass(frozen=True, slots=True)
class Multivariant:
    """A multivariant playlist."""

    variants: tuple[Variant, ...]
    audio: Variant | None


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one part says of its samples. `pts` in decode order; `dts` and `end` as tfdt and durations make them."""

    dts: int
    end: int
    pts: list[int]


@dataclass(slots=True)
class Track:
    """A rendition read to its end. `pts`, `dts`, `keyframes` of the packets in decode order."""

    pts: list[int] = field(default_factory=list)
    dts: list[int] = field(default_factory=list)
    keyframes: list[int] = field(default_factory=list)
    last_duration: int = 0

    @property
    def start(self) -> int:
        """When it begins."""
        return min(self.pts)

    @property
    def end(self) -> int:
        """When its last frame ends, by that frame's own duration."""
        return max(self.pts) + self.last_duration


class Viewer:
    """Reads one server."""

    def __init__(self) -> None:
        self._http = httpx.Client(timeout=30, trust_env=False, follow_redirects=True)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def get(self, url: str) -> bytes:
        """The resource. Raises AssertionError unless the answer is 200."""
        answer = self._http.get(url)
        assert answer.status_code == 200, f"{answer.status_code} for {url}: {answer.text[:200]}"
        return answer.content

    def exists(self, url: str) -> bool:
        """Whether the answer is 200."""
        return self._http.get(url).status_code == 200

    def multivariant(self, url: str) -> Multivariant:
        """The multivariant playlist, its addresses absolute, under the run that it shows now."""
        variants: list[Variant] = []
        audio: Variant | None = None
        attributes: dict[str, str] = {}
        for line in self.get(url).decode().splitlines():
            if line.startswith("#EXT-X-MEDIA:"):
                attributes = _attributes(line)
                audio = Variant(urljoin(url, attributes["URI"]), attributes)
            elif line.startswith("#EXT-X-STREAM-INF:"):
                attributes = _attributes(line)
            elif line and not line.startswith("#"):
                variants.append(Variant(urljoin(url, line), attributes))
        return Multivariant(tuple(variants), audio)

    def playlist(self, url: str) -> Playlist:
        """A media playlist."""
        return parse_playlist(url, self.get(url).decode())

    def fragments(self, playlist: Playlist) -> list[Fragment]:
        """Every part of the listed segments, by our own reader of boxes; times in the track's units, as in the file."""
        found = []
        for segment in playlist.segments:
            for box in read_boxes(self.get(segment.url)):
                if box.kind == b"moof":
                    run = read_run(box)
                    dts, pts = run.base_decode_time, []
                    for duration, _, _, composition in run.samples:
                        pts.append(dts + composition)
                        dts += duration
                    found.append(Fragment(run.base_decode_time, dts, pts))
        return found

    def decodable_alone(self, playlist: Playlist, index: int) -> bool:
        """Whether segment `index` decodes from its first picture on with nothing but the init section before it."""
        data = self.get(playlist.init_urls[-1]) + self.get(playlist.segments[index].url)
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            first = next(container.decode(video=0))
            return bool(first.key_frame) and not first.is_corrupt


def demux(url: str) -> Track:
    """The rendition at `url`, a media playlist, through FFmpeg's HLS demuxer to its end."""
    track = Track()
    with av.open(url, format="hls", timeout=30, options={"live_start_index": "0"}) as container:
        (stream,) = container.streams
        for packet in container.demux(stream):
            if packet.pts is None or packet.dts is None:
                continue
            assert packet.time_base is not None
            pts = _ticks(packet.pts, packet.time_base)
            if pts > max(track.pts, default=-1):
                track.last_duration = round((packet.duration or 0) * packet.time_base * 90_000)
            track.pts.append(pts)
            track.dts.append(_ticks(packet.dts, packet.time_base))
            if packet.is_keyframe:
                track.keyframes.append(pts)
    return track


def numbers(url: str) -> dict[int, int]:
    """The bar code of every picture at `url`, a media playlist, by its pts; decoded in order."""
    found: dict[int, int] = {}
    with av.open(url, format="hls", timeout=30, options={"live_start_index": "0"}) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        for frame in container.decode(video):
            assert frame.pts is not None
            assert frame.time_base is not None
            pts = _ticks(frame.pts, frame.time_base)
            assert pts not in found, f"two pictures at {pts}"
            found[pts] = barcode.read(_luma(frame))
    return found


def loudness(url: str) -> Loudness:
    """How loud the sound at `url` is in each millisecond from the run's zero on; a file's own zero where it is one."""
    zero = OFFSET // 90_000 if url.startswith("http") else 0
    times, levels = [], []
    with av.open(url, timeout=30, options={"live_start_index": "0"} if zero else {}) as container:
        for frame in container.decode(audio=0):
            assert frame.time is not None
            wave = np.abs(frame.to_ndarray()).mean(axis=0)
            at_ms = np.floor((frame.time - zero + np.arange(len(wave)) / frame.sample_rate) * 1000).astype(int)
            times.append(at_ms[at_ms >= 0])
            levels.append(wave[at_ms >= 0])
    return np.bincount(np.concatenate(times), np.concatenate(levels)).astype(np.float64)


def parse_playlist(url: str, text: str) -> Playlist:
    """A media playlist's text, as it was served at `url`. Raises AssertionError for what no playlist may say."""
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U"
    head: dict[str, str] = {}
    inits: list[str] = []
    segments: list[Segment] = []
    extinf, gap, discontinuity = Fraction(0), False, False
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name == "#EXTINF":
            extinf = Fraction(value.split(",")[0])
        elif name == "#EXT-X-GAP":
            gap = True
        elif name == "#EXT-X-DISCONTINUITY":
            discontinuity = True
        elif name == "#EXT-X-MAP":
            inits.append(urljoin(url, _attributes(line)["URI"]))
        elif line and not line.startswith("#"):
            segments.append(Segment(urljoin(url, line), extinf, gap, discontinuity))
            gap = discontinuity = False
        else:
            head[name] = value
    return Playlist(
        url,
        int(head["#EXT-X-TARGETDURATION"]),
        int(head["#EXT-X-MEDIA-SEQUENCE"]),
        tuple(inits),
        tuple(segments),
        "#EXT-X-ENDLIST" in head,
        "#EXT-X-INDEPENDENT-SEGMENTS" in head,
    )


def _attributes(line: str) -> dict[str, str]:
    """RFC 8216 §4.2."""
    return {name: value.strip('"') for name, value in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', line)}


def _ticks(time: int, base: Fraction) -> int:
    return round(time * base * 90_000) - OFFSET


def _luma(frame: av.VideoFrame) -> barcode.Luma:
    plane = frame.planes[0]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
