"""Live streams, followed in all their renditions by the keenest player there is, do nothing that a rule forbids.

Times of arrival are judged by their median, which a busy machine does not move, and by their 95th percentile with a
quarter of a second for such a machine: that parts come exactly when they should is proved in virtual time.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.sources import BUNNY, Source
from tests.support.conformance.judge import findings
from tests.support.publishers import Pace, Publisher, publish
from tests.support.recorder import Recording, record
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)

SMALL = Source("low-latency", 426, 240, Fraction(25), 28 * 25, 50)


@dataclass(frozen=True, slots=True)
class Case:
    """One stream. `leaves`: it lasts for longer than its window, or than its parts are listed."""

    name: str
    profile: str | dict[str, Any]
    source: Source
    renditions: frozenset[str]
    encoded: bool
    leaves: bool


CASES = [
    Case("passthrough", {"source": True, "window_s": 20}, SMALL, frozenset({"source", "audio"}), False, True),
    Case("auto", "auto", SMALL, frozenset({"240p", "audio"}), True, True),
    Case("the film, passthrough", "passthrough", BUNNY, frozenset({"source", "audio"}), False, False),
]


@pytest.fixture(scope="module")
def recordings(stack: Stack, clip: Callable[[Source], Path]) -> Iterator[dict[str, Recording]]:
    """All streams at the same time, in real time, from the first second to the end."""
    with ExitStack() as publishers:
        urls, published = {}, []
        for case in CASES:
            clip(case.source)
        for case in CASES:
            stream = stack.create(case.name, case.profile)
            publisher = publish(Publisher.FFMPEG, Pace.REALTIME, clip(case.source), stream.publish_url)
            published.append(publishers.enter_context(publisher))
            urls[case.name] = stream.hls_url
        recorded = asyncio.run(_record_all(urls))
        for publisher in published:
            assert publisher.wait(30) == 0, publisher.output
        yield recorded


async def _record_all(urls: dict[str, str]) -> dict[str, Recording]:
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        recording = {name: group.create_task(record(url)) for name, url in urls.items()}
    return {name: task.result() for name, task in recording.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_everything_was_asked_for(recordings: dict[str, Recording], case: Case) -> None:
    """Without which it would mean nothing that nothing was found."""
    renditions = recordings[case.name].renditions.values()
    assert {rendition.name for rendition in renditions} == case.renditions
    for rendition in renditions:
        assert len(rendition.refreshes) > 40
        assert len(rendition.resources) > 50
        assert sum(answer.status == 200 for answer in rendition.hinted.values()) > 40
        assert len(rendition.probes) == 10
        assert bool(rendition.kept) == case.leaves


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_rule_is_kept(recordings: dict[str, Recording], case: Case) -> None:
    assert [str(finding) for finding in findings(recordings[case.name], encoded=case.encoded)] == []
