"""hls.js and shaka-player play low latency for a minute, straight from the origin and behind a caching proxy.

All four watch the same broadcast at the same time. How old its pictures are when they are shown is kept in
tests/artifacts; on a busy machine that is bounded loosely, `make bench-glass` measures it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.browser import chromium
from tests.support.clock import Clock
from tests.support.nginx import Nginx, Seen
from tests.support.players import Player, Watched, hold_back_s, pages, watched
from tests.support.stack import Stack, Stream, eventually

pytestmark = pytest.mark.timeout(240)

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
PLAY_S = 60.0
START_S = 5.0
"""What a player may take to find its place: the browser opens four pages, and hls.js may run dry once and step back."""
LONGEST_DELAY_S = {Player.HLS_JS: 1.5, Player.SHAKA: 2.5}
"""Beyond PART-HOLD-BACK, on a machine that does everything at once. shaka waits for the playlists of all its renditions
before it knows a new end, and what made it begin late, it catches up with slowly.
"""
HUNG_UP = 499  # nginx's word for a client that left while it waited, as pages do that are closed
PARTS_PER_S = 3
RENDITIONS = 2


@pytest.fixture(scope="module")
def nginx(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx"), stack.http_url) as nginx:
        yield nginx


@pytest.mark.parametrize("profile", ["passthrough", "auto"])
def test_players_stay_at_the_live_edge_for_a_minute_without_a_stall(profile: str, stack: Stack, nginx: Nginx) -> None:
    stream = stack.create(f"low latency, {profile}", profile)
    with Clock(stream.publish_url, PLAY_S + 60):
        hold_back = eventually("a low-latency playlist", lambda: hold_back_s(stream.hls_url), 30)
        before = len(nginx.requests())
        seen = played(stream, nginx)
    keep(profile, hold_back, seen)
    for (player, place), one in seen.items():
        told = f"{player} {place}"
        assert one.media_error is None, told
        assert one.failures(START_S) == [], told
        assert one.stalls(START_S) == [], told
        assert one.unreadable == 0, told
        assert moved_with_the_clock(one), told
        assert one.delay_s(START_S) - hold_back < LONGEST_DELAY_S[player], told
        asked_for_low_latency(player, place, one)
    answered = nginx.requests()[before:]
    assert [request for request in answered if not served(request)] == []
    parts = [request for request in answered if request.part]
    hits = sum(request.cache == "HIT" for request in parts)
    assert hits > len(parts) / 5  # a half at best, of two players; what both ask for at once is asked for twice


def served(request: Seen) -> bool:
    """Whether the player got what it asked for, or left; a playlist may be the one that it had."""
    playlist = urlsplit(request.uri).path.endswith(".m3u8")
    return request.status in (200, HUNG_UP) or (request.status == 304 and playlist)


def played(stream: Stream, nginx: Nginx) -> dict[tuple[Player, str], Watched]:
    """All four players' minute."""
    places = {"direct": stream.hls_url, "behind nginx": nginx.behind(stream.hls_url)}
    with pages() as served, chromium() as opened:
        tabs = {(player, place): opened(served.url(player, url)) for place, url in places.items() for player in Player}
        for tab in tabs.values():
            tab.until_playing(30)
        tab.page.wait_for_timeout(1000 * PLAY_S)
        return {which: watched(tab) for which, tab in tabs.items()}


def moved_with_the_clock(one: Watched) -> bool:
    """Whether the player's time went by as the wall's did, give or take what it catches up."""
    first, *_, last = one.since(one.began_ms + 1000 * START_S)
    wall_s = (last.at_ms - first.at_ms) / 1000
    return wall_s > 0.9 * (PLAY_S - START_S) and last.time_s - first.time_s == pytest.approx(wall_s, rel=0.05)


def asked_for_low_latency(player: Player, place: str, one: Watched) -> None:
    """Parts, not segments; reloads that wait; and from shaka parts that were not there yet."""
    late = [request for request in one.requests if request.start_ms > one.began_ms + 1000 * START_S]
    parts = [request for request in late if request.part]
    assert len(parts) > 0.8 * RENDITIONS * PARTS_PER_S * (PLAY_S - START_S)
    assert [request.name for request in late if request.segment] == []
    reloads = [request for request in late if request.name == "index.m3u8"]
    # A change of rungs begins with a plain one.
    assert sum("_HLS_part" in reload.directives for reload in reloads) > 0.95 * len(reloads)
    if player is Player.SHAKA and place == "direct":
        assert sum(part.took_s > 0.05 for part in parts) > len(parts) / 2


def keep(profile: str, hold_back: float, seen: dict[tuple[Player, str], Watched]) -> None:
    """Write the delays down, for people."""
    told = {
        f"{player} {place}": {
            "delay_s": round(one.delay_s(START_S), 3),
            "beyond_hold_back_s": round(one.delay_s(START_S) - hold_back, 3),
            "longest_freeze_s": round(one.longest_freeze_s(START_S), 3),
            "stalls": [f"{event.name} at {(event.at_ms - one.began_ms) / 1000:.1f} s" for event in one.stalls()],
            "errors": [f"{what} at {(at_ms - one.began_ms) / 1000:.1f} s" for at_ms, _, what in one.errors],
            "dropped": one.dropped,
            "requests": len(one.requests),
        }
        for (player, place), one in seen.items()
    }
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / f"low-latency-{profile}.json").write_text(json.dumps(told, indent=1))
    print(json.dumps(told, indent=1))
