"""A newcomer's two minutes: the demo, the login link, a real Chromium, a moving picture."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.browser import browse
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(120)

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
WATCH_S = 20.0
FASTEST = 1.5
"""How fast the console's player plays at most, to catch up."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, "--demo", capacity_pixels_s=0) as stack:
        yield stack


def test_chromium_plays_the_demo_for_20_seconds_without_a_stall(demo: Stack) -> None:
    login = re.search(r"http://\S+login=\S+", demo.output)
    assert login is not None
    with browse(login[0]) as tab:
        tab.until_playing(45)
        seen = tab.watch(WATCH_S)
        ARTIFACTS.mkdir(exist_ok=True)
        tab.page.screenshot(path=ARTIFACTS / "demo-in-chromium.png")
        complaints = tab.complaints
    assert seen.error is None
    assert seen.events == [], (seen.samples[0], seen.samples[-1])
    assert complaints == []
    assert seen.width > 0
    clock = [(at - seen.samples[0][0]) / 1000 for at, _, _ in seen.samples]
    shown = [time - seen.samples[0][1] for _, time, _ in seen.samples]
    assert 0.95 * clock[-1] <= shown[-1] <= (FASTEST + 0.05) * clock[-1]
    assert all(b > a for a, b in pairwise(shown))
    pictures = seen.samples[-1][2] - seen.samples[0][2]
    assert pictures >= 10 * shown[-1]
