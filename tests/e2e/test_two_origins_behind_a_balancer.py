"""Two origins take turns, request by request, and a keen low-latency player notices nothing: no rule is broken.

Every service is a process of its own; nginx hands each request to the origin whose turn it is, and keeps nothing.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.sources import Source
from tests.support.apart import Apart
from tests.support.conformance.judge import findings
from tests.support.nginx import Nginx
from tests.support.publishers import Pace, Publisher, publish
from tests.support.recorder import Recording, record

pytestmark = pytest.mark.timeout(150)

CLIP = Source("balanced", 426, 240, Fraction(25), 20 * 25, 50)
PROFILES: dict[str, dict[str, Any]] = {
    "passthrough": {"source": True},
    "encoded": {"rungs": [{"height": 240}]},
}


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    with Apart() as apart:
        yield apart


@pytest.fixture(scope="module")
def recordings(
    apart: Apart, clip: Callable[[Source], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Recording]]:
    """Both streams at the same time, from the first second to the end."""
    file = clip(CLIP)
    balancer = Nginx(tmp_path_factory.mktemp("nginx"), *(origin.url for origin in apart.origins), cache=False)
    with ExitStack() as running:
        running.enter_context(balancer)
        streams = {name: apart.create(name, profile) for name, profile in PROFILES.items()}
        published = [
            running.enter_context(publish(Publisher.FFMPEG, Pace.REALTIME, file, stream.publish_urls[0]))
            for stream in streams.values()
        ]
        recorded = asyncio.run(
            _record_all({name: balancer.behind(stream.hls_urls[0]) for name, stream in streams.items()})
        )
        for publisher in published:
            assert publisher.wait(30) == 0, publisher.output
        yield recorded


async def _record_all(urls: dict[str, str]) -> dict[str, Recording]:
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        recording = {name: group.create_task(record(url)) for name, url in urls.items()}
    return {name: task.result() for name, task in recording.items()}


@pytest.mark.parametrize("name", PROFILES)
def test_no_rule_is_broken_between_two_origins(recordings: dict[str, Recording], name: str) -> None:
    assert [str(each) for each in findings(recordings[name], encoded=name == "encoded")] == []
    for rendition in recordings[name].renditions.values():
        assert len(rendition.refreshes) > 40
        assert sum(answer.status == 200 for answer in rendition.hinted.values()) > 40


def test_both_had_their_share(apart: Apart, recordings: dict[str, Recording]) -> None:
    for origin in apart.origins:
        metrics = httpx.get(f"{origin.url}/metrics", trust_env=False).text
        parts = re.findall(r'headrace_origin_requests_total\{kind="part",status="2xx"\} (\S+)', metrics)
        assert [float(count) > 50 for count in parts] == [True]
