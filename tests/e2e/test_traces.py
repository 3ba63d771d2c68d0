"""Every service its own process, and a collector beside them: the start of a run is one trace across all of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest

from headrace.core.broadcast import RunId
from headrace.runtime.telemetry.spans import Span
from headrace.runtime.telemetry.trace_ids import trace_id_of
from tests.e2e.sources import FILM
from tests.support.apart import Apart, Stream
from tests.support.collector import Collected, Collector
from tests.support.publishers import Pace, Publisher, publish
from tests.support.stack import eventually

pytestmark = pytest.mark.timeout(240)

WRONG_KEY = "hr-live-key-that-nobody-made"
PARENTS = {
    Span.PUBLISH: None,
    Span.CONNECT: Span.PUBLISH,
    Span.OPEN_SESSION: Span.PUBLISH,
    Span.CONTROL_OPEN: Span.OPEN_SESSION,
    Span.DESCRIBE: Span.PUBLISH,
    Span.ALLOCATE: Span.PUBLISH,
    Span.CONTROL_ALLOCATE: Span.ALLOCATE,
    Span.INGEST: Span.PUBLISH,
    Span.TAKE_RUN: Span.INGEST,
    Span.TAKEOVER: Span.TAKE_RUN,
    Span.TAKE_WORKER: Span.TAKE_RUN,
    Span.FIRST_OUTPUT: Span.TAKE_RUN,
    Span.FIRST_PART: Span.TAKE_RUN,
    Span.FIRST_PLAYLIST: Span.TAKE_RUN,
}
SEVEN = (
    *(Span.CONNECT, Span.OPEN_SESSION, Span.ALLOCATE, Span.TAKEOVER, Span.INGEST),
    *(Span.FIRST_PART, Span.FIRST_PLAYLIST),
)


@dataclass
class Told:
    """What was published and what the collector was sent; `shown` are an ended run's playlists by origin."""

    stream: Stream
    run: str
    secrets: list[str]
    spans: list[Collected]
    sent: bytes
    output: str
    shown: list[dict[str, bytes]] = field(default_factory=list)

    def of_run(self, which: Span) -> list[Collected]:
        """The run's spans of one name, the first to begin first."""
        named = [span for span in self.spans if span.name == which.value.name and span.trace == self.trace]
        return sorted(named, key=lambda span: span.start)

    @property
    def trace(self) -> str:
        """The run's."""
        return f"{trace_id_of(RunId(self.run)):032x}"


def playlists(url: str) -> dict[str, bytes]:
    """All playlists of a run, by name."""
    multivariant = httpx.get(url, trust_env=False, timeout=30)
    names = re.findall(r"^[^#\s]\S*$", multivariant.text, re.MULTILINE)
    children = {name: httpx.get(httpx.URL(url).join(name), trust_env=False).raise_for_status() for name in names}
    return {"": multivariant.content} | {name: answer.content for name, answer in children.items()}


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """One stream, watched at both origins from before its first playlist to its end; and a publish with a wrong key."""
    with Collector() as collector, Apart(otlp_endpoint=collector.endpoint) as apart:
        stream = apart.create("a stream", "passthrough")
        with publish(Publisher.FFMPEG, Pace.REALTIME, FILM, stream.publish_urls[0]) as encoder:
            for url in stream.hls_urls:
                eventually("it is on air", partial(shows, url), 30)
            run = str(stream.shown()["live"]["run"])
            wrong = stream.publish_urls[1].replace(stream.key, WRONG_KEY)
            with publish(Publisher.FFMPEG, Pace.REALTIME, FILM, wrong) as refused:
                refused.wait(30)
            assert encoder.wait(60) == 0, encoder.output
        eventually("it is over", lambda: all(b"ENDLIST" in last(playlists(url)) for url in stream.hls_urls), 20)
        shown = [playlists(url) for url in stream.hls_urls]
        apart.stop()
        output = "".join(pod.output for pod in apart.pods)
        secrets = [stream.key, WRONG_KEY, apart.api_key]
        yield Told(stream, run, secrets, collector.spans, b"".join(collector.requests), output, shown)


def shows(url: str) -> bool:
    """Whether a viewer sees it."""
    return httpx.get(url, trust_env=False, timeout=30).status_code == 200


def last(shown: dict[str, bytes]) -> bytes:
    """The last playlist."""
    return list(shown.values())[-1]


@pytest.mark.parametrize("which", PARENTS)
def test_every_step_is_there_below_the_one_that_caused_it(told: Told, which: Span) -> None:
    spans = told.of_run(which)
    assert len(spans) == (2 if which is Span.FIRST_PLAYLIST else 1)  # each origin has its own
    parent = PARENTS[which]
    for span in spans:
        assert span.parent == (told.of_run(parent)[0].id if parent else "")
        assert not span.failed


def test_nothing_else_is_in_the_trace(told: Told) -> None:
    in_trace = [span for span in told.spans if span.trace == told.trace]
    assert len(in_trace) == len(PARENTS) + 1


def test_the_steps_are_over_in_their_order(told: Told) -> None:
    ends = [told.of_run(which)[0].end for which in SEVEN]
    assert ends == sorted(ends)
    begins = [told.of_run(which)[0].start for which in SEVEN[:4]]
    assert begins == sorted(begins)


def test_every_span_says_whose_it_is(told: Told) -> None:
    for which in PARENTS:
        for span in told.of_run(which):
            service = span.service.removeprefix("headrace-")
            assert span.pod.startswith(f"{service}-")
            if which is not Span.CONTROL_ALLOCATE:
                assert span.attributes["headrace.run"] == told.run
            if service in ("edge", "transcoder"):
                assert span.attributes["headrace.session"] == 1
            if service == "edge":
                assert span.attributes["headrace.stream"] == told.stream.id
    assert {span.pod for span in told.of_run(Span.FIRST_PLAYLIST)} == {"origin-0", "origin-1"}
    assert told.of_run(Span.TAKE_RUN)[0].attributes["headrace.attempt"] == 1
    assert told.of_run(Span.INGEST)[0].attributes["headrace.attempt"] == 1


def test_a_publish_with_a_wrong_key_is_found_by_its_error(told: Told) -> None:
    (root,) = [span for span in told.spans if span.name == "publish" and span.failed]
    assert root.attributes == {"error.type": "bad_key"}
    (answered,) = [span for span in told.spans if span.name == "control open session" and span.failed]
    assert answered.trace == root.trace != told.trace


def test_no_key_is_in_anything_that_was_sent(told: Told) -> None:
    assert len(told.sent) > 1000
    for secret in told.secrets:
        assert secret.encode() not in told.sent


def test_both_origins_print_the_same_bytes_of_a_run_that_is_traced(told: Told) -> None:
    first, second = told.shown
    assert len(first) >= 2
    assert first == second
    for text in first.values():
        assert told.trace.encode() not in text
