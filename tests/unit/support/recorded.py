"""A recording as a faultless server would have left it, made without a server: to be doctored, one fault at a time."""

from dataclasses import replace
from urllib.parse import urljoin

from headrace.core.broadcast import End, Entry, Init, Profile, RunStart
from headrace.core.broadcast.profile import RungSpec
from headrace.core.cmaf import AudioTrack, Sample, VideoTrack, audio_init, fragment, video_init
from headrace.core.hls.multivariant import multivariant
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import media_playlist
from tests.support.conformance.listing import Listing, Place, read
from tests.support.recorder import Answer, Recording, Refresh, Rendition, children
from tests.support.runs import ANCHOR_MS, chained, init_of, parts_of, plan_of

MASTER = "http://origin/live/s1/r1/index.m3u8"
PLAN = plan_of(Profile(auto=False, rungs=(RungSpec(height=360),), window_s=20))
VIDEO, AUDIO = PLAN.rung_names
AVCC = bytes.fromhex("0142c01effe100096742c01eda02802dc801000468ce3c80")
INITS = {
    VIDEO: video_init(VideoTrack(AVCC, 640, 360)),
    AUDIO: audio_init(AudioTrack(bytes.fromhex("1190"), 48_000, 2)),
}
OPEN = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Age, Date, Content-Length, Content-Range",
    "date": "Sun, 01 Mar 2026 12:00:00 GMT",
}
FIRST, LAST = 11, 15  # the segments that are recorded; the window is full before
PART = 30_000
PARTS = 6
DELAY_S = 0.05


def part_bytes(rung: str, msn: int, part: int) -> bytes:
    """A fragment: ten pictures, or the access units that start within the same third of a second."""
    start = msn * PLAN.segment + part * PART
    number = 1 + msn * PARTS + part
    if rung == VIDEO:
        samples = [Sample(b"picture", 3000, 0, part == 0 and n == 0) for n in range(10)]
        return fragment(number, 900_000 + start, samples)
    first, after = (-(-tick * 48_000 // (90_000 * 1024)) for tick in (start, start + PART))
    return fragment(number, 480_000 + 1024 * first, [Sample(b"sound", 1024)] * (after - first))


def playlist_answer(url: str, at_s: float, text: str, max_age_s: int) -> Answer:
    """A playlist as it is sent."""
    headers = {
        "content-type": "application/vnd.apple.mpegurl",
        "content-encoding": "gzip",
        "vary": "Accept-Encoding",
        "cache-control": f"public, max-age={max_age_s}",
        "etag": f'"{hash(text)}"',
        **OPEN,
    }
    return Answer(url, at_s - 0.3, at_s, at_s, 200, headers, text.encode())


def media_answer(url: str, at_s: float, body: bytes) -> Answer:
    """Media as it is sent."""
    headers = {"cache-control": "public, max-age=31536000, immutable", "content-length": str(len(body)), **OPEN}
    return Answer(url, at_s - 0.3, at_s, at_s, 200, headers, body)


def failure(url: str, at_s: float, status: int) -> Answer:
    """A refusal."""
    return Answer(url, at_s - 0.1, at_s, at_s, status, {"cache-control": "public, max-age=1", **OPEN}, b"no\n")


def faultless() -> Recording:
    """Five segments of two renditions, reloaded part by part, and the end."""
    begun: list[Entry] = [RunStart(PLAN, ANCHOR_MS), *(_init(rung) for rung in PLAN.rung_names)]
    before = [e for msn in range(FIRST) for rung in PLAN.rung_names for e in parts_of(PLAN, rung, msn)]
    steps: list[list[Entry]] = [[]]
    for msn in range(FIRST, LAST + 1):
        for part in range(PARTS):
            steps.append([parts_of(PLAN, rung, msn, count=part + 1)[part] for rung in PLAN.rung_names])
    steps.append([End((LAST + 1) * PLAN.segment)])
    recorded = chained(begun + before + [entry for step in steps for entry in step])
    model = RunModel()
    done = len(begun) + len(before)
    for entry, entry_id in recorded[:done]:
        model.apply(entry, entry_id)
    text = multivariant(model)
    assert text is not None
    answer = playlist_answer(MASTER, 0.0, text, 1)
    variants, urls = children(answer)
    recording = Recording(answer, variants, {url: Rendition(url) for url in urls})
    for number, step in enumerate(steps):
        at_s = number * PART / 90_000 + DELAY_S
        for entry, entry_id in recorded[done : done + len(step)]:
            model.apply(entry, entry_id)
        done += len(step)
        for rendition in recording.renditions.values():
            _refresh(rendition, model, at_s)
    for rendition in recording.renditions.values():
        _fetch(rendition)
        _probe(rendition)
    return recording


def _init(rung: str) -> Init:
    made = init_of(PLAN, rung)
    return replace(made, data=INITS[rung], codecs="avc1.42c01e" if rung == VIDEO else "mp4a.40.2")


def _refresh(rendition: Rendition, model: RunModel, at_s: float) -> None:
    playlist = model.playlist(rendition.name)
    assert playlist is not None
    wanted: Place | None = rendition.refreshes[-1].listing.next if rendition.refreshes else None
    query = f"?_HLS_msn={wanted[0]}&_HLS_part={wanted[1]}" if wanted else ""
    answer = playlist_answer(rendition.url + query, at_s, media_playlist(playlist), 12 if wanted else 1)
    rendition.refreshes.append(Refresh(wanted, answer, read(answer.body)))


def _fetch(rendition: Rendition) -> None:
    """Everything that was listed or hinted at, and what has left, once more."""
    last = rendition.refreshes[-1].listing
    for refresh in rendition.refreshes:
        at_s = refresh.answer.done_s
        for segment in refresh.listing.all:
            bodies = {segment.map: INITS[rendition.name]}
            parts = [part_bytes(rendition.name, segment.msn, number) for number in range(PARTS)]
            bodies |= {part.uri: body for part, body in zip(segment.parts, parts, strict=False)}
            if segment.uri:
                bodies[segment.uri] = b"".join(parts)
            for uri, body in bodies.items():
                url = urljoin(rendition.url, uri)
                rendition.resources.setdefault(url, media_answer(url, at_s, body))
        if refresh.listing.hint:
            url = urljoin(rendition.url, refresh.listing.hint)
            rendition.hinted[url] = rendition.resources.get(url, failure(url, at_s, 404))
    for url, answer in rendition.hinted.items():
        rendition.hinted[url] = rendition.resources.get(url, answer)
    first = rendition.refreshes[0].listing.segments[0].uri
    assert first not in {segment.uri for segment in last.segments}
    for uri in (first, "11.0-e1.m4s"):
        rendition.kept.append(rendition.resources[urljoin(rendition.url, uri)])


def _probe(rendition: Rendition) -> None:
    """What an awkward client gets, in the middle and after the end."""
    at, end = rendition.refreshes[8], rendition.refreshes[-1]
    at_s, last = at.answer.done_s, at.listing.segments[-1].msn

    def listed(refresh: Refresh, query: str) -> Refresh:
        text, age_s = refresh.answer.body.decode(), 12 if query else 1
        answer = playlist_answer(rendition.url + query, refresh.answer.done_s + 0.01, text, age_s)
        return Refresh(None, answer, read(answer.body))

    def refused(query: str, status: int = 400) -> Refresh:
        return Refresh(None, failure(rendition.url + query, at_s, status), Listing())

    rendition.probes |= {
        "plain": listed(at, ""),
        "past": listed(at, f"?_HLS_msn={last}"),
        "out of the window": listed(at, "?_HLS_msn=0&_HLS_part=0"),
        "a part without its segment": refused("?_HLS_part=0"),
        "no number": refused("?_HLS_msn=x"),
        "no part number": refused(f"?_HLS_msn={last}&_HLS_part=x"),
        "too far": refused(f"?_HLS_msn={last + 20}"),
        "beyond the last part": listed(at, f"?_HLS_msn={last}&_HLS_part=999"),
        "un-hinted": refused("/nobody.m4s", 404),
        "after the end": listed(end, "?_HLS_msn=99999999&_HLS_part=3"),
    }
