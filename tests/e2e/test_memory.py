"""What memory `headrace up` takes: twenty streams for ten minutes of timeline each, and a log that is too small.

The encoders send faster than life, as fast as they are read, so ten minutes pass in about one.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest

from tests.e2e.sources import WIDE, Source
from tests.support.flood import Encoder, packed
from tests.support.pss import pss_bytes
from tests.support.reader import Playlist, Viewer
from tests.support.stack import Stack, Stream, eventually

pytestmark = pytest.mark.timeout(400)

MIB = 1 << 20
STREAMS = 20
TIMELINE_S = 600
WINDOW_S = 60
LEAST_SEGMENTS = 6
GOP_S = 2
FRAMES = 25 * TIMELINE_S

REPLAY_BYTES = 1 * MIB  # ten seconds of the clip: encoders feel it all the time
READ_BYTES = 300 << 10  # one read of the socket beyond its bound, and what its frames cost beside their bytes
CACHE_BYTES = 4 * MIB  # less than what viewers get in one round
ENDED_RUN_S = IDLE_S = 10.0

FLAT = 1.03
"""How much the last third's median may be above the middle third's.

Between the two lie about 3,400 seconds of media, which are 240,000 access units and 24,000 parts: 3 % of the tree's
650 MB would be 80 bytes kept of each access unit, or 800 of each part. What is no leak stayed below half a percent,
with one malloc arena or many, with large blocks mapped or not. Single samples are up to 3 % apart, since the replay
buffers are more or less full, and since what the allocator once had it keeps for the next GOP.
"""


@dataclass(slots=True)
class Sample:
    """One look at everything: the memory of the tree and of the workers in it, bytes, and what `/metrics` said."""

    tree: int
    workers: int
    metrics: str

    def __getitem__(self, name: str) -> float:
        return self.labelled(name)

    def labelled(self, name: str, **labels: str) -> float:
        """Those of a metric's samples that carry `labels`."""
        return Stack.metric_in(self.metrics, f"headrace_{name}", **labels)


@dataclass(slots=True)
class Course:
    """What was seen. `steady`: from the last stream's full window to the first one's end; `after`: all is over."""

    media: bytes
    encoders: list[Encoder]
    steady: list[Sample] = field(default_factory=list)
    after: Sample | None = None
    complaints: list[str] = field(default_factory=list)


def look(stack: Stack) -> Sample:
    workers = pss_bytes(pid for pid in stack.offspring() if pid != stack.pid)
    return Sample(pss_bytes([stack.pid]) + workers, workers, stack.http.get("/metrics").text)


def source_playlist(viewer: Viewer, stream: Stream) -> Playlist:
    return viewer.playlist(viewer.multivariant(stream.hls_url).variants[0].url)


def next_msn(playlist: Playlist) -> int:
    return playlist.media_sequence + len(playlist.segments)


def all_listed(viewer: Viewer, streams: Sequence[Stream]) -> bool:
    return all(viewer.exists(stream.hls_url) for stream in streams)


def all_move(viewer: Viewer, streams: Sequence[Stream]) -> bool:
    """Whether every window is full and has left its beginning behind, by more than the log keeps beside it."""
    return all(source_playlist(viewer, stream).media_sequence > 5 for stream in streams)


def begin(stack: Stack, streams: Sequence[Stream], media: bytes, seconds: int, leave: threading.Event) -> list[Encoder]:
    """Encoders that send as fast as they are read, as soon as each of them has a worker."""
    go = threading.Event()
    encoders = [Encoder(stream, media, seconds, go, leave) for stream in streams]
    eventually("a worker for each", lambda: stack.metric("headrace_transcoder_runs") == len(streams), 60)
    go.set()
    return encoders


@contextmanager
def watching(streams: Sequence[Stream], complaints: list[str]) -> Iterator[None]:
    """Two viewers who go from stream to stream, and complain when a playlist or a segment at its end is not there."""
    over = threading.Event()

    def watch(theirs: Sequence[Stream]) -> None:
        viewer = Viewer()
        for stream in cycle(theirs):
            if over.wait(0.05):
                break
            try:
                shown = viewer.multivariant(stream.hls_url)
                for rendition in (*shown.variants, *([shown.audio] if shown.audio else [])):
                    for segment in viewer.playlist(rendition.url).segments[-2:]:
                        if not segment.gap:
                            viewer.get(segment.url)
            except AssertionError as error:
                complaints.append(str(error))
        viewer.close()

    viewers = [threading.Thread(target=watch, args=(streams[half::2],), daemon=True) for half in (0, 1)]
    for thread in viewers:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in viewers:
            thread.join()


@pytest.fixture(scope="module")
def course(
    tmp_path_factory: pytest.TempPathFactory, viewer: Viewer, clip: Callable[[Source], Path]
) -> Iterator[Course]:
    """Twenty streams from their beginning until everything that was theirs may be forgotten."""
    soon = f"from headrace.livelog import memory; memory.ENDED_RUN_S = {ENDED_RUN_S}"
    with Stack(
        tmp_path_factory.mktemp("data"),
        first=soon,
        replay_bytes=REPLAY_BYTES,
        origin_cache_bytes=CACHE_BYTES,
        origin_idle_s=IDLE_S,
    ) as stack:
        streams = [stack.create(f"stream {number}", "passthrough") for number in range(STREAMS)]
        media = packed(clip(WIDE), TIMELINE_S)
        at_once = threading.Event()
        at_once.set()
        course = Course(media, begin(stack, streams, media, TIMELINE_S, at_once))
        eventually("something listed of each", lambda: all_listed(viewer, streams), 60)
        with watching(streams, course.complaints):
            eventually("full windows", lambda: all_move(viewer, streams), 120, every_s=1)
            while all(encoder.sent < len(media) for encoder in course.encoders):
                course.steady.append(look(stack))
                time.sleep(0.1)
        for encoder in course.encoders:
            encoder.join()
        eventually("everything forgotten", lambda: stack.metric("headrace_log_runs") == 0, ENDED_RUN_S + 30)
        eventually("nobody watches", lambda: stack.metric("headrace_origin_followed_runs") == 0, IDLE_S + 30)
        course.after = look(stack)
        yield course


def test_slow_reading_costs_no_encoder_anything(course: Course) -> None:
    """Twenty encoders that could each send all of it in a second: what holds them back is their sockets alone."""
    assert [encoder.error for encoder in course.encoders if encoder.error] == []
    assert course.after is not None
    assert course.after["edge_read_pauses_total"] > 10 * STREAMS
    assert course.after.labelled("transcoder_received_frames_total", kind="video") == STREAMS * FRAMES
    assert course.after.labelled("transcoder_calls_total", outcome="done") == STREAMS


def test_viewers_always_find_what_is_listed(course: Course) -> None:
    assert course.complaints == []


def test_the_log_holds_twenty_windows_and_their_margin(course: Course) -> None:
    # What a playlist shows, three target durations (of at most 3 s), the segment to go and the one that is being made.
    kept_s = WINDOW_S + 3 * 3 + 3 * GOP_S
    rate = len(course.media) / TIMELINE_S
    for sample in course.steady:
        held = sample["log_held_bytes"]
        parts_s = course.steady[-1]["transcoder_published_parts_total"] / STREAMS / TIMELINE_S
        assert STREAMS * WINDOW_S * rate * 0.95 < held < STREAMS * kept_s * (1.05 * rate + 1024 * parts_s)
        assert sample["log_runs"] == STREAMS
        assert sample["log_shrunk_segments_total"] == 0


def test_the_edges_buffers_fill_to_their_bound_and_not_beyond(course: Course) -> None:
    held = [sample["edge_held_bytes"] for sample in course.steady]
    assert STREAMS * REPLAY_BYTES / 2 < max(held) <= STREAMS * (REPLAY_BYTES + READ_BYTES)


def test_the_origins_cache_fills_to_its_bound_and_not_beyond(course: Course) -> None:
    held = [sample["origin_media_cache_bytes"] for sample in course.steady]
    assert CACHE_BYTES * 0.9 < max(held) <= CACHE_BYTES


@pytest.mark.parametrize("part", ["tree", "workers"])
def test_memory_is_flat(course: Course, part: str) -> None:
    third = len(course.steady) // 3
    assert third >= 5
    taken: list[int] = [getattr(sample, part) for sample in course.steady]
    middle, last = statistics.median(taken[third : 2 * third]), statistics.median(taken[2 * third :])
    assert last < FLAT * middle, [round(size / MIB) for size in taken]


def test_a_worker_that_only_passes_through_is_small(course: Course) -> None:
    """Its interpreter, what it imports, and a part of media."""
    assert statistics.median(sample.workers for sample in course.steady) < STREAMS * 22 * MIB


def test_what_ended_runs_held_is_given_back(course: Course) -> None:
    assert course.after is not None
    assert course.after["log_held_bytes"] == 0
    assert course.after["edge_held_bytes"] == 0
    assert course.after["transcoder_held_bytes"] == 0
    assert course.after["origin_media_cache_bytes"] == 0


def test_above_its_bound_the_log_lists_shorter_windows_and_goes_on(
    tmp_path: Path, viewer: Viewer, clip: Callable[[Source], Path]
) -> None:
    bound, seconds = 12 * MIB, 160  # four windows want 30 MiB, and six segments of each 6 MiB
    with Stack(tmp_path / "data", replay_bytes=REPLAY_BYTES, log_bytes=bound) as stack:
        streams = [stack.create(f"stream {number}", "passthrough") for number in range(4)]
        media = packed(clip(WIDE), seconds)
        leave = threading.Event()
        encoders = begin(stack, streams, media, seconds, leave)
        held = []
        eventually("something listed of each", lambda: all_listed(viewer, streams), 60)
        while any(next_msn(source_playlist(viewer, stream)) < seconds // GOP_S - 1 for stream in streams):
            held.append(look(stack)["log_held_bytes"])
        assert bound / 2 < max(held) <= bound
        # The encoders keep still, so what is listed now stays.
        for stream in streams:
            playlist = source_playlist(viewer, stream)
            assert LEAST_SEGMENTS <= len(playlist.segments) < WINDOW_S // GOP_S
            for segment in playlist.segments:
                viewer.get(segment.url)
        leave.set()
        for encoder in encoders:
            encoder.join()
            assert encoder.error is None
        eventually(
            "all of it in the log",
            lambda: stack.metric("headrace_transcoder_calls_total", outcome="done") == len(streams),
            20,
        )
