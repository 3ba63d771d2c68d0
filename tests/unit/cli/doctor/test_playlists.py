"""What the doctor makes of playlists."""

import pytest

from headrace.cli.doctor.playlists import BadPlaylist, Edge, first_rendition, is_late, live_edge, verdict
from headrace.cli.doctor.results import Outcome

NOON_MS = 1_700_000_000_000  # 2023-11-14T22:13:20Z
HEAD = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n"
WHOLE = "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:16.000Z\n#EXT-X-PART:DURATION=1.0,URI=p\n#EXTINF:2.00000,\ns.m4s\n"
OPEN = "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:18.000Z\n#EXT-X-PART:DURATION=1.00000,URI=p\n"
EDGE = Edge(NOON_MS, 2000, False)


def test_the_live_edge_is_the_end_of_the_newest_part() -> None:
    assert live_edge(HEAD + WHOLE) == Edge(NOON_MS - 2000, 2000, False)
    assert live_edge(HEAD + WHOLE + OPEN) == Edge(NOON_MS - 1000, 2000, False)
    assert live_edge(HEAD + WHOLE + OPEN + "#EXT-X-ENDLIST\n").over


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        HEAD,
        WHOLE,
        "#EXTM3U\n" + WHOLE,
        HEAD.replace(":2", ":two") + WHOLE,
        HEAD + WHOLE.replace("2023", "x"),
    ],
)
def test_what_is_no_playlist_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadPlaylist):
        live_edge(text)


def test_the_first_rendition_is_looked_at() -> None:
    assert first_rendition("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nrun/720p/index.m3u8\n") == "run/720p/index.m3u8"
    with pytest.raises(BadPlaylist):
        first_rendition("#EXTM3U\n")


def test_late_is_what_is_older_than_three_target_durations() -> None:
    assert not is_late(EDGE, NOON_MS + 6000)
    assert is_late(EDGE, NOON_MS + 6001)


def test_a_playlist_in_time_is_fine() -> None:
    assert verdict("s", EDGE, None, NOON_MS + 900).outcome is Outcome.OK


def test_one_that_stands_still_is_a_failure() -> None:
    found = verdict("s", EDGE, EDGE, NOON_MS + 9000)
    assert found.outcome is Outcome.FAILURE
    assert "stands still" in found.wrong
    assert "9.0 s old" in found.seen


def test_one_that_moves_late_is_a_warning_about_clocks_and_capacity() -> None:
    found = verdict("s", EDGE, Edge(NOON_MS + 2000, 2000, False), NOON_MS + 9000)
    assert found.outcome is Outcome.WARNING
    assert "clock" in found.wrong


def test_one_that_has_ended_meanwhile_is_fine() -> None:
    assert verdict("s", EDGE, Edge(NOON_MS, 2000, True), NOON_MS + 9000).outcome is Outcome.OK
