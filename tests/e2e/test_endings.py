"""How runs end: on purpose, by a lost encoder, and by the death of a worker; and that one goes on when it is back."""

import os
import signal
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest

from tests.e2e.sources import BUNNY, MONO, Source
from tests.support.publishers import Pace, Publisher, publish
from tests.support.reader import Playlist, Viewer, numbers
from tests.support.stack import Process, Stack, Stream, eventually

pytestmark = pytest.mark.timeout(90)

CONTINUATION_S = 15.0
Clip = Callable[[Source], Path]


def go_live(stream: Stream, viewer: Viewer, clip: Clip, source: Source) -> tuple[Process, str]:
    """A real-time publisher with something to see already, and the address of the run's one video playlist."""
    publisher = publish(Publisher.FFMPEG, Pace.REALTIME, clip(source), stream.publish_url)
    try:
        eventually("the first segment", lambda: viewer.exists(stream.hls_url), 30)
        return publisher, viewer.multivariant(stream.hls_url).variants[0].url
    except BaseException:
        publisher.kill()
        raise


def ended(viewer: Viewer, url: str) -> Playlist | None:
    """The playlist at `url`, if it has its ENDLIST."""
    playlist = viewer.playlist(url)
    return playlist if playlist.ended else None


def in_order_from_zero(url: str, source: Source) -> int:
    """How many of the source's pictures are shown; fails unless they are its first ones, each in its place."""
    shown = numbers(url)
    assert source.begins_with(shown)
    return len(shown)


def test_an_encoder_that_says_goodbye_ends_the_run_at_once(stack: Stack, viewer: Viewer, clip: Clip) -> None:
    stream = stack.create("goodbye", "passthrough")
    publisher, url = go_live(stream, viewer, clip, MONO)
    with publisher:
        publisher.signal(signal.SIGINT)  # FFmpeg then ends the stream as it should
        publisher.wait(5)
        eventually("ENDLIST", lambda: ended(viewer, url), 2)
    assert in_order_from_zero(url, MONO) > 0


def test_a_lost_socket_ends_the_run_after_the_continuation_window(stack: Stack, viewer: Viewer, clip: Clip) -> None:
    stream = stack.create("lost", "passthrough")
    publisher, url = go_live(stream, viewer, clip, MONO)
    publisher.kill()
    lost = time.monotonic()
    eventually("the server noticed", lambda: stream.state == "ending", 3)
    eventually("ENDLIST", lambda: ended(viewer, url), CONTINUATION_S + 5)
    assert CONTINUATION_S - 1 <= time.monotonic() - lost <= CONTINUATION_S + 3
    assert in_order_from_zero(url, MONO) > 0
    eventually("idle", lambda: stream.state == "idle", 3)


def test_a_publish_after_a_lost_socket_goes_on_with_the_run(stack: Stack, viewer: Viewer, clip: Clip) -> None:
    stream = stack.create("lost and back", "passthrough")
    publisher, url = go_live(stream, viewer, clip, MONO)
    run = stream.run
    publisher.kill()
    with publish(Publisher.PYAV, Pace.REALTIME, clip(MONO), stream.publish_url) as again:
        eventually("live again", lambda: stream.state == "live", 10)
        assert stream.run == run
        assert again.wait(20) == 0, again.output
    playlist = eventually("ENDLIST", lambda: ended(viewer, url), 5)
    assert not any(segment.discontinuity for segment in playlist.segments)
    assert len(playlist.init_urls) == 1
    shown = numbers(url)
    back = max(pts for pts, number in shown.items() if number == 0)
    boundaries = accumulate(segment.extinf * 90_000 for segment in playlist.segments)
    assert min(abs(boundary - back) for boundary in boundaries) <= 1
    assert MONO.begins_with({pts: number for pts, number in shown.items() if pts < back})
    returned = {pts - back: number for pts, number in shown.items() if pts >= back}
    assert MONO.begins_with(returned)
    assert len(returned) == MONO.frames


def test_a_killed_worker_takes_its_own_run_with_it_and_no_other(stack: Stack, viewer: Viewer, clip: Clip) -> None:
    doomed = stack.create("doomed", {"rungs": [{"height": 240}]})
    spared = stack.create("spared", {"rungs": [{"height": 240}]})
    victim, dead = go_live(doomed, viewer, clip, BUNNY)
    with victim:
        worker = stack.worker(doomed.run)
        other, alive = go_live(spared, viewer, clip, MONO)
        with other:
            used = {worker, stack.worker(spared.run)}
            assert len(used) == 2
            os.kill(worker, signal.SIGKILL)
            eventually("the encoder hears of it", lambda: not victim.running, 10)
            eventually("ENDLIST", lambda: ended(viewer, dead), CONTINUATION_S + 5)
            assert other.wait(20) == 0, other.output
        eventually("the other's ENDLIST", lambda: ended(viewer, alive), 10)
    assert in_order_from_zero(alive, MONO) == MONO.frames
    assert stack.running
    eventually("no used worker is left", lambda: not used & set(stack.offspring()), 5)


def test_a_deleted_stream_ends_and_its_key_is_no_longer_taken(stack: Stack, viewer: Viewer, clip: Clip) -> None:
    stream = stack.create("deleted", "passthrough")
    publisher, url = go_live(stream, viewer, clip, MONO)
    with publisher:
        assert stack.http.delete(f"/v1/streams/{stream.id}").status_code == 204
        eventually("the encoder hears of it", lambda: not publisher.running, 10)
        eventually("ENDLIST", lambda: ended(viewer, url), 10)
    with publish(Publisher.FFMPEG, Pace.FAST, clip(MONO), stream.publish_url) as again:
        assert again.wait(10) != 0
