"""Every service its own process on a host of its own: six streams through two edges, seen at two origins, while things
die and cables are pulled. Every picture is accounted for.

Hosts of their own are network namespaces, which need root; without it all processes share loopback, where no cable can
be pulled and the tests that do so are skipped.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.sources import REORDER, Source
from tests.support.apart import Apart, Stream
from tests.support.hosts import LOOPBACK, NeedsRoot, Network
from tests.support.publishers import Pace, Publisher, publish
from tests.support.reader import Viewer, numbers
from tests.support.stack import eventually
from tests.support.watcher import Watcher

pytestmark = pytest.mark.timeout(180)

CLIP = Source("apart", 426, 240, Fraction(25), 20 * 25, 50)
LONGER = Source("apart-longer", 426, 240, Fraction(25), 26 * 25, 50)
LADDER = {"rungs": [{"height": 240}]}
BOTH = {"rungs": [{"height": 240}], "source": True}
SIX: list[tuple[str | dict[str, Any], set[str]]] = [
    ("passthrough", {"source"}),
    (LADDER, {"240p"}),
    ("passthrough", {"source"}),
    (BOTH, {"source", "240p"}),
    ("passthrough", {"source"}),
    ("passthrough", {"source"}),
]
TWO = SIX[:2]
UNTOUCHED_S = 1.0  # without news, on a machine that is busy with the tests themselves


@dataclass
class Shown:
    """One stream as one origin showed it after its end: the URL, the playlist and the media's digest by rendition."""

    video: dict[str, str] = field(default_factory=dict)
    playlists: dict[str, str] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)

    def pictures(self) -> dict[str, dict[int, int]]:
        """The number of every picture by its time, in each rendition that has any."""
        return {name: numbers(url) for name, url in self.video.items()}


@dataclass
class Told:
    """A story: the streams, their watchers by origin, and when what happened, by `time.monotonic`."""

    streams: list[Stream]
    watchers: list[list[Watcher]]
    at_s: dict[str, float] = field(default_factory=dict)
    not_ready: dict[str, str] = field(default_factory=dict)
    shown: list[list[Shown]] = field(default_factory=list)

    def now(self, what: str) -> None:
        """It happens now."""
        self.at_s[what] = time.monotonic()


@pytest.fixture(scope="module")
def network() -> Iterator[Network | None]:
    """Hosts, where there is a right to make them."""
    try:
        network = Network()
    except NeedsRoot:
        yield None
        return
    with network:
        yield network


@pytest.fixture(scope="module")
def apart(network: Network | None) -> Iterator[Apart]:
    """Everything, for this module's stories one after the other."""
    with Apart(network.host if network else lambda: LOOPBACK) as apart:
        yield apart


def tell(
    apart: Apart,
    viewer: Viewer,
    file: Path,
    profiles: Sequence[tuple[str | dict[str, Any], set[str]]],
    happen: Callable[[Told], None],
) -> Told:
    """Publish a stream in each profile, half of them through each edge; let things `happen`; read all of it."""
    with ExitStack() as live:
        streams = [apart.create(f"stream {number}", profile) for number, (profile, _) in enumerate(profiles)]
        told = Told(streams, [[Watcher(url) for url in stream.hls_urls] for stream in streams])
        for watchers in told.watchers:
            for watcher in watchers:
                live.enter_context(watcher)
        publishers = [
            live.enter_context(publish(Publisher.FFMPEG, Pace.REALTIME, file, stream.publish_urls[number % 2]))
            for number, stream in enumerate(streams)
        ]
        eventually("everybody sees every stream", lambda: all(w.news for ws in told.watchers for w in ws), 30)
        told.now("live")
        happen(told)
        for publisher in publishers:
            assert publisher.wait(40) == 0, publisher.output
            told.now("ended")
        eventually("every stream is over", lambda: all(w.ended for ws in told.watchers for w in ws), 20)
        told.shown = [[_shown(viewer, url) for url in stream.hls_urls] for stream in streams]
    return told


def _shown(viewer: Viewer, url: str) -> Shown:
    shown = Shown()
    multivariant = viewer.multivariant(url)
    for rendition in (*multivariant.variants, *filter(None, [multivariant.audio])):
        shown.playlists[rendition.name] = viewer.get(rendition.url).decode()
        playlist = viewer.playlist(rendition.url)
        digest = hashlib.sha256()
        for address in (*playlist.init_urls, *(segment.url for segment in playlist.segments)):
            digest.update(viewer.get(address))
        shown.media[rendition.name] = digest.hexdigest()
        if rendition is not multivariant.audio:
            shown.video[rendition.name] = rendition.url
    return shown


def sent(source: Source) -> dict[int, int]:
    """The number of every picture of a clip by its time."""
    return dict(zip(source.pts, range(source.frames), strict=True))


def begins(source: Source, shown: dict[int, int]) -> bool:
    """Whether the clip was shown from its beginning without a fault, but for the last pictures.

    Of those that come before the last one but are sent after it, a cut-off encoder has not sent all, and what is shown
    in their place is the one before.
    """
    last = source.pts[max(shown.values()) - REORDER - 1]
    return {pts: n for pts, n in shown.items() if pts < last} == {
        pts: n for pts, n in sent(source).items() if pts < last
    }


# ---- six streams; certificates are new; a control and an origin are killed, and come back ----


@pytest.fixture(scope="module")
def killed(apart: Apart, viewer: Viewer, clip: Callable[[Source], Path]) -> Told:
    """All get new certificates; then the first control and the second origin are killed and started again."""

    def happen(told: Told) -> None:
        apart.renew()
        told.now("killed")
        apart.controls[0].kill()
        apart.origins[1].kill()
        time.sleep(2)
        apart.controls[0].start()
        apart.origins[1].start()
        apart.controls[0].wait_ready(20)
        apart.origins[1].wait_ready(20)
        told.now("back")

    return tell(apart, viewer, clip(CLIP), SIX, happen)


@pytest.mark.parametrize("number", range(len(SIX)))
def test_every_picture_is_shown_once_in_every_rung(killed: Told, number: int) -> None:
    """At the first origin; the other one has the same bytes."""
    _, rungs = SIX[number]
    pictures = killed.shown[number][0].pictures()
    assert pictures.keys() == rungs
    for rung in rungs:
        assert pictures[rung] == sent(CLIP), rung


def test_both_origins_serve_the_same_though_one_of_them_began_in_the_middle(killed: Told) -> None:
    for first, second in killed.shown:
        assert first.playlists == second.playlists
        assert first.media == second.media


def test_who_watches_at_the_other_origin_sees_nothing_of_it(killed: Told) -> None:
    for watcher, _ in killed.watchers:
        assert watcher.trouble == []
        assert watcher.longest_silence_s(killed.at_s["live"], killed.at_s["ended"]) < UNTOUCHED_S


def test_who_watches_at_the_killed_origin_loses_it_and_goes_on_when_it_is_back(killed: Told) -> None:
    for _, watcher in killed.watchers:
        assert watcher.trouble
        assert all(killed.at_s["killed"] < trouble.at_s < killed.at_s["back"] + 1 for trouble in watcher.trouble)
        assert watcher.longest_silence_s(killed.at_s["back"] + 1, killed.at_s["ended"]) < UNTOUCHED_S


def test_every_publish_ends_well(apart: Apart, killed: Told) -> None:
    for edge in apart.edges:
        assert edge.output.count(" publish over ") == edge.output.count("reason=ENDED") == len(SIX) / 2, edge.output


# ---- cables are pulled ----


@pytest.fixture(scope="module")
def cut(apart: Apart, network: Network | None, viewer: Viewer, clip: Callable[[Source], Path]) -> Told:
    """Both controls lose everybody for ten seconds; later the log does for five."""
    if network is None:
        pytest.skip("cables are pulled on hosts of their own, which need root")

    def happen(told: Told) -> None:
        told.now("controls lost")
        for control in apart.controls:
            control.host.unplug()
        time.sleep(10)
        for control in apart.controls:
            control.host.plug_in()
        told.now("controls back")
        time.sleep(2)
        told.now("log lost")
        apart.log_host.unplug()
        time.sleep(4.5)
        told.not_ready = {pod.pod: pod.not_ready() for pod in apart.pods}
        time.sleep(max(0.0, told.at_s["log lost"] + 5 - time.monotonic()))
        apart.log_host.plug_in()
        told.now("log back")

    return tell(apart, viewer, clip(LONGER), TWO, happen)


def test_an_edge_that_loses_both_controls_for_ten_seconds_keeps_its_streams(cut: Told) -> None:
    for watchers in cut.watchers:
        for watcher in watchers:
            assert [each for each in watcher.trouble if each.at_s < cut.at_s["log lost"]] == []
            assert watcher.longest_silence_s(cut.at_s["controls lost"], cut.at_s["log lost"]) < UNTOUCHED_S


def test_a_log_that_is_cut_off_for_five_seconds_stops_everybody_and_loses_nothing(cut: Told) -> None:
    for (_, rungs), watchers, shown in zip(TWO, cut.watchers, cut.shown, strict=True):
        for watcher in watchers:
            assert watcher.longest_silence_s(cut.at_s["log lost"], cut.at_s["log back"]) > 3
        assert shown[0].pictures() == dict.fromkeys(rungs, sent(LONGER))
        assert shown[0].playlists == shown[1].playlists
        assert shown[0].media == shown[1].media


def test_without_a_log_transcoders_take_no_new_work_and_origins_go_on_with_what_they_have(cut: Told) -> None:
    for pod, why in cut.not_ready.items():
        assert why == ("the live log does not answer" if pod.startswith("transcoder") else ""), pod


# ---- services are stopped ----


@dataclass
class Stopped:
    """Two streams that are live, one through each edge."""

    streams: list[Stream]
    watchers: list[Watcher]

    def pictures(self, number: int) -> dict[int, int]:
        """What is shown of a stream once it is over."""
        watcher = self.watchers[number]
        eventually("the stream is over", lambda: watcher.ended, 20)
        return numbers(watcher.url)


@pytest.fixture(scope="module")
def stopped(apart: Apart, clip: Callable[[Source], Path]) -> Iterator[Stopped]:
    with ExitStack() as live:
        streams = [apart.create(f"stopped {number}", LADDER) for number in range(2)]
        watchers = [live.enter_context(Watcher(stream.hls_urls[0])) for stream in streams]
        for stream, url in zip(streams, apart.rtmp_urls, strict=True):
            live.enter_context(publish(Publisher.FFMPEG, Pace.REALTIME, clip(CLIP), f"{url}/{stream.key}"))
        eventually("both are seen", lambda: all(watcher.news for watcher in watchers), 30)
        yield Stopped(streams, watchers)


def test_a_stopped_edge_finishes_its_publishes(apart: Apart, stopped: Stopped) -> None:
    apart.edges[0].end()
    assert begins(CLIP, stopped.pictures(0))
    assert not stopped.watchers[1].ended


def test_what_a_stopped_transcoder_holds_goes_to_the_log(apart: Apart, stopped: Stopped) -> None:
    run = stopped.streams[1].shown()["live"]["run"]
    (pod,) = (pod for pod in apart.transcoders if f"run taken run={run}" in pod.output)
    stopped_at_s = time.monotonic()
    pod.end()
    shown = stopped.pictures(1)
    assert begins(CLIP, shown)
    # It is given 150 ms for what was under way; the watcher learned of the first part later than that was sent.
    watched_s = stopped_at_s - stopped.watchers[1].news[0][0]
    assert max(shown) / 90_000 > watched_s - 0.15


def test_all_of_it_ends_in_order(apart: Apart) -> None:
    for pod in apart.pods:
        if pod.running:
            pod.end()
        assert "Traceback" not in pod.output, pod.output
