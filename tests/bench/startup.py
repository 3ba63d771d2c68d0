"""How soon a publish can be watched, and how soon each of its pictures.

`start`: from the first byte that an encoder sends (the TCP connection before it) to the first answer with a media
playlist that lists something for every rendition, as a player asks for it: the multivariant playlist first, both held
by the origin until they are there. What a publish must bring is included: a first segment of two seconds.
`served`: from a picture's hand-over to the encoder's socket to the moment at which a viewer who asked for the hinted
part has the last byte of it; one figure for each picture, so a picture that opens a part waits for the whole part.
`last`: the same for each part's last picture alone: what is left without the part's own duration.
"""

import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import httpx

from tests.bench.report import report
from tests.support.boxes import read_boxes, read_run
from tests.support.clock import RATE, Clock
from tests.support.stack import Stack, eventually

PROFILES = ("passthrough", "auto")
STARTS = 5
SERVED_S = 32
SETTLE_S = 4.0
ORIGIN_MS = 10_000
"""Media time in files is the run's plus this."""
TICKS_PER_MS = 90
PART_MS = 333
GOAL_MS = 250


def main() -> None:
    """Measure both profiles, each with five starts, and parts for half a minute."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        for profile in PROFILES:
            figures |= {f"{profile}_{name}": value for name, value in measured(stack, profile).items()}
    goals = {f"{profile}_served_p50_ms": f"<= {PART_MS + GOAL_MS}" for profile in PROFILES}
    report("startup", figures, goals, "")


def measured(stack: Stack, profile: str) -> dict[str, float]:
    """The figures of one profile."""
    starts = []
    for number in range(STARTS):
        stream = stack.create(f"{profile} {number}", profile)
        with Clock(stream.publish_url, 30 if number else SERVED_S + 2 * SETTLE_S) as clock:
            began_ms = eventually("the publisher's start", partial(getattr, clock, "began_ms"), 20)
            playlists = first_playlists(stream.hls_url)
            starts.append(time.time_ns() / 1e6 - began_ms)
            if number == 0:
                arrivals = asyncio.run(followed(playlists[0], SERVED_S + SETTLE_S))
                sent = clock.sent_ms
    served = [
        [at_ms - sent[pts] for pts in pictures]
        for at_ms, pictures in arrivals
        if pictures and min(pictures) > 1000 * SETTLE_S and all(pts in sent for pts in pictures)
    ]
    every = sorted(delay for delays in served for delay in delays)
    last = sorted(min(delays) for delays in served)
    return {
        "start_ms": statistics.median(starts),
        "start_worst_ms": max(starts),
        "served_p50_ms": statistics.median(every),
        "served_p99_ms": statistics.quantiles(every, n=100)[98],
        "last_p50_ms": statistics.median(last),
        "last_p99_ms": statistics.quantiles(last, n=100)[98],
        "pictures": len(every),
        "parts": len(last),
    }


def first_playlists(hls_url: str) -> list[str]:
    """The media playlists' addresses, video first, when each of them has answered with something to play."""
    with httpx.Client(timeout=60, trust_env=False) as http:

        def listed(url: str) -> str | None:
            answer = http.get(url)
            return answer.text if answer.status_code == 200 else None

        text = eventually("a multivariant playlist", partial(listed, hls_url), 60)
        variants = [line for line in text.splitlines() if line and not line.startswith("#")]
        urls = [urljoin(hls_url, uri) for uri in variants + re.findall(r'TYPE=AUDIO.*URI="(.*?)"', text)]
        for url in urls:
            playlist = eventually("a media playlist", partial(listed, url), 60)
            assert "#EXTINF" in playlist or "#EXT-X-PART:" in playlist, playlist
        return urls


async def followed(playlist_url: str, for_s: float) -> list[tuple[float, list[int]]]:
    """When each hinted part was there, wall clock, and its pictures by their milliseconds on the run's timeline."""
    arrivals: list[tuple[float, list[int]]] = []
    until = time.monotonic() + for_s
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http, asyncio.TaskGroup() as group:

        async def fetch(url: str) -> None:
            answer = await http.get(url)
            at_ms = time.time_ns() / 1e6
            if answer.status_code == 200:
                arrivals.append((at_ms, list(pictures(answer.content))))

        hinted = None
        query = ""
        while time.monotonic() < until:
            text = (await http.get(playlist_url + query)).text
            hint = re.search(r'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="(.*?)"', text)
            if hint and hint[1] != hinted:
                hinted = hint[1]
                group.create_task(fetch(urljoin(playlist_url, hinted)))
            query = "?" + following(text)
    return arrivals


def following(text: str) -> str:
    """The directives that ask for the part after the last one that `text` lists."""
    msn = int(re.findall(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[0]) + text.count("#EXTINF:")
    tail = text.rsplit("#EXTINF:", 1)[-1]
    return f"_HLS_msn={msn}&_HLS_part={tail.count('#EXT-X-PART:')}"


def pictures(part: bytes) -> Iterator[int]:
    """The presentation times of a video part's samples, milliseconds on the run's timeline as the encoder gave them."""
    for box in read_boxes(part):
        if box.kind == b"moof":
            run = read_run(box)
            dts = run.base_decode_time
            for duration, _, _, composition in run.samples:
                ms = (dts + composition) / TICKS_PER_MS - ORIGIN_MS
                yield round(round(ms * RATE / 1000) * 1000 / RATE)
                dts += duration


if __name__ == "__main__":
    main()
