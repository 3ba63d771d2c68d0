"""From glass to glass: how old a picture is when a player shows it, by the clock that is drawn into it.

Both players watch the same broadcast at once, straight from the origin. The figure is the median from ten seconds after
the start on, and it includes the encoder (x264, zerolatency), the network of this machine, and the browser up to the
moment at which a page can read the picture. The goals are for what it is beyond PART-HOLD-BACK, the distance that
players are told to keep. Wants an idle machine: the browser decodes by software.
"""

import tempfile
from pathlib import Path

from tests.bench.report import report
from tests.support.browser import chromium
from tests.support.clock import Clock
from tests.support.players import Player, Watched, hold_back_s, pages, watched
from tests.support.stack import Stack, eventually

GOALS_S = {"passthrough": 0.45, "auto": 0.75}
SETTLE_S = 10.0
PLAY_S = 35.0
NAMES = {Player.HLS_JS: "hls_js", Player.SHAKA: "shaka"}


def main() -> None:
    """Watch one broadcast in each profile."""
    figures: dict[str, float] = {}
    goals: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        for profile, goal_s in GOALS_S.items():
            hold_back, seen = played(stack, profile)
            figures[f"{profile}_part_hold_back_s"] = hold_back
            for player, one in seen.items():
                name = f"{profile}_{NAMES[player]}"
                delay_s = one.delay_s(SETTLE_S)
                figures |= {
                    f"{name}_delay_s": delay_s,
                    f"{name}_beyond_hold_back_s": delay_s - hold_back,
                    f"{name}_stalls": len(one.stalls(SETTLE_S)),
                    f"{name}_longest_freeze_s": one.longest_freeze_s(SETTLE_S),
                }
                goals[f"{name}_beyond_hold_back_s"] = f"<= {goal_s}"
    report("glass", figures, goals, "")


def played(stack: Stack, profile: str) -> tuple[float, dict[Player, Watched]]:
    """PART-HOLD-BACK, and what each player saw."""
    stream = stack.create(profile, profile)
    with Clock(stream.publish_url, PLAY_S + 60), pages() as served, chromium() as opened:
        hold_back = eventually("a low-latency playlist", lambda: hold_back_s(stream.hls_url), 30)
        tabs = {player: opened(served.url(player, stream.hls_url)) for player in Player}
        for tab in tabs.values():
            tab.until_playing(30)
        tab.page.wait_for_timeout(1000 * PLAY_S)
        return hold_back, {player: watched(tab) for player, tab in tabs.items()}


if __name__ == "__main__":
    main()
