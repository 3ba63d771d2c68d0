"""All services in one process, a real encoder and a viewer: the start of a run is one trace, from hand to hand.

Where each service is a process of its own: `tests/e2e/test_traces.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan

from headrace.core.broadcast import RunId
from headrace.runtime.telemetry.spans import Span
from headrace.runtime.telemetry.trace_ids import chosen, trace_id_of
from headrace.standalone import up as standalone
from headrace.standalone.settings import Address, UpSettings
from tests.e2e.sources import Source, file_of
from tests.support.publishers import Pace, Publisher, publish
from tests.support.spans import Memory, ids, recorded

ANY = Address("127.0.0.1", 0)
CLIP = Source("traces", 426, 240, Fraction(25), 30 * 25, 50)
WITHIN_S = 60.0
# Whose child each span is, and whose work.
PARENTS: Mapping[Span, tuple[Span | None, str]] = {
    Span.PUBLISH: (None, "edge"),
    Span.CONNECT: (Span.PUBLISH, "edge"),
    Span.OPEN_SESSION: (Span.PUBLISH, "edge"),
    Span.CONTROL_OPEN: (Span.OPEN_SESSION, "control"),
    Span.DESCRIBE: (Span.PUBLISH, "edge"),
    Span.ALLOCATE: (Span.PUBLISH, "edge"),
    Span.CONTROL_ALLOCATE: (Span.ALLOCATE, "control"),
    Span.INGEST: (Span.PUBLISH, "edge"),
    Span.TAKE_RUN: (Span.INGEST, "transcoder"),
    Span.TAKEOVER: (Span.TAKE_RUN, "transcoder"),
    Span.TAKE_WORKER: (Span.TAKE_RUN, "transcoder"),
    Span.FIRST_OUTPUT: (Span.TAKE_RUN, "transcoder"),
    Span.FIRST_PART: (Span.TAKE_RUN, "transcoder"),
    Span.FIRST_PLAYLIST: (Span.TAKE_RUN, "origin"),
}


@dataclass
class Up:
    """A `headrace up` in this process."""

    rtmp_url: str
    http: httpx.AsyncClient
    clip: Path

    async def create(self) -> Mapping[str, Any]:
        """A new stream, as the API shows it."""
        answer = await self.http.post("/v1/streams", json={"name": "a stream", "profile": "passthrough"})
        made: Mapping[str, Any] = answer.raise_for_status().json()
        return made

    async def play(self, stream: Mapping[str, Any]) -> str:
        """The run's name, once a viewer has its multivariant playlist."""
        url = stream["playback"]["hls_url"]
        while (answer := await self.http.get(url)).status_code != 200:  # noqa: ASYNC110 - HTTP has no event
            await asyncio.sleep(0.1)
        shown = (await self.http.get(f"/v1/streams/{stream['id']}")).json()
        assert shown["live"]["run"] in answer.text
        return str(shown["live"]["run"])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is published."""
    return file_of(CLIP, tmp_path_factory.mktemp("clips"))


@asynccontextmanager
async def everything(data: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Up]:
    """Everything, ready; at the end it has stopped."""
    monkeypatch.setenv("HEADRACE_CAPACITY_PIXELS_S", str(10**12))
    stopping = asyncio.Event()
    started: asyncio.Queue[standalone.Started] = asyncio.Queue()
    async with asyncio.timeout(2 * WITHIN_S), asyncio.TaskGroup() as group:
        group.create_task(standalone.up(UpSettings(data, ANY, ANY), stopping, started.put_nowait))
        up = await started.get()
        try:
            key = {"authorization": f"Bearer {up.new_api_key}"}
            base_url = up.console_url.partition("/?")[0]
            async with httpx.AsyncClient(base_url=base_url, headers=key, trust_env=False, timeout=30) as http:
                while (await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.1)
                yield Up(up.rtmp_url, http, clip)
        finally:
            stopping.set()


@asynccontextmanager
async def live(up: Up, stream: Mapping[str, Any]) -> AsyncIterator[None]:
    """FFmpeg publishes the clip."""
    with publish(Publisher.FFMPEG, Pace.REALTIME, up.clip, f"{up.rtmp_url}/{stream['stream_key']}") as encoder:
        try:
            yield
        except BaseException as error:
            error.add_note(encoder.output)
            raise


def everything_in(memory: Memory) -> str:
    """All that would be sent, as text."""
    return "\n".join(span.to_json() for span in memory.spans)


async def test_the_start_of_a_run_is_one_trace_from_hand_to_hand(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded() as memory:
        async with everything(tmp_path, clip, monkeypatch) as up:
            stream = await up.create()
            async with live(up, stream):
                run = await up.play(stream)
    assert {ids(span)[0] for span in memory.spans} == {trace_id_of(RunId(run))}
    found: dict[Span, ReadableSpan] = {which: memory.one(which) for which in PARENTS}
    assert len(memory.spans) == len(found)
    for which, (parent, service) in PARENTS.items():
        span = found[which]
        assert span.resource.attributes["service.name"] == f"headrace-{service}", which
        assert (span.parent.span_id if span.parent else None) == (ids(found[parent])[1] if parent else None), which
        assert span.attributes is not None
        if which is not Span.CONTROL_ALLOCATE:
            assert span.attributes["headrace.run"] == run, which
            if service != "origin":
                assert span.attributes["headrace.session"] == 1, which
            if service == "transcoder":
                assert span.attributes["headrace.attempt"] == 1, which
            elif service in ("edge", "control"):
                assert span.attributes["headrace.stream"] == stream["id"], which
        assert span.status.is_ok or span.status.status_code.name == "UNSET", which
    assert dict(found[Span.TAKE_WORKER].attributes or {})["headrace.worker"] in {"ready", "starting", "new"}
    # In one process there is one clock: what begins later began later, and what waits ends later.
    begins = [Span.CONNECT, Span.OPEN_SESSION, Span.CONTROL_OPEN, Span.DESCRIBE, Span.ALLOCATE, Span.CONTROL_ALLOCATE]
    begins += [Span.INGEST, Span.TAKE_RUN, Span.TAKEOVER, Span.TAKE_WORKER, Span.FIRST_PART]
    starts = [found[which].start_time or 0 for which in begins]
    assert starts == sorted(starts)
    ends = [Span.CONNECT, Span.OPEN_SESSION, Span.DESCRIBE, Span.ALLOCATE, Span.TAKEOVER, Span.TAKE_WORKER]
    ends += [Span.INGEST, Span.FIRST_OUTPUT, Span.FIRST_PART, Span.FIRST_PLAYLIST]
    stops = [found[which].end_time or 0 for which in ends]
    assert stops == sorted(stops)
    assert found[Span.PUBLISH].start_time == found[Span.CONNECT].start_time
    assert (found[Span.PUBLISH].end_time or 0) > (found[Span.FIRST_PART].end_time or 0)
    assert stream["stream_key"] not in everything_in(memory)


async def test_an_encoder_that_comes_back_goes_on_with_its_run_s_trace(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded() as memory:
        async with everything(tmp_path, clip, monkeypatch) as up:
            stream = await up.create()
            async with live(up, stream):  # whose end is a killed encoder's
                run = await up.play(stream)
            async with live(up, stream):
                while len(memory.named(Span.FIRST_PART)) < 2:  # noqa: ASYNC110 - it comes from another thread
                    await asyncio.sleep(0.1)
    assert {ids(span)[0] for span in memory.spans} == {trace_id_of(RunId(run))}
    for which in (Span.PUBLISH, Span.CONNECT, Span.INGEST, Span.TAKE_RUN, Span.TAKEOVER, Span.FIRST_PART):
        first, second = (dict(span.attributes or {})["headrace.session"] for span in memory.named(which))
        assert first == 1, which
        assert int(str(second)) > 1, which
    assert [span.parent for span in memory.named(Span.PUBLISH)] == [None, None]


async def test_a_run_that_is_not_chosen_is_recorded_by_nobody(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded(1e-9) as memory:
        async with everything(tmp_path, clip, monkeypatch) as up:
            stream = await up.create()
            async with live(up, stream):
                run = await up.play(stream)
    assert not chosen(trace_id_of(RunId(run)), 1e-9)
    assert memory.spans == []


async def test_a_refused_publish_is_found_with_why_and_without_its_key(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded(1e-9) as memory:
        async with everything(tmp_path, clip, monkeypatch) as up:
            unknown = {"stream_key": "a-key-that-nobody-has-made"}
            async with live(up, unknown):
                while not memory.named(Span.PUBLISH):  # noqa: ASYNC110 - it comes from another thread
                    await asyncio.sleep(0.1)
    refused = {Span.PUBLISH, Span.CONNECT, Span.OPEN_SESSION, Span.CONTROL_OPEN}
    assert {span.name for span in memory.spans} >= {which.value.name for which in refused}
    for which in refused - {Span.CONNECT}:
        for span in memory.named(which):
            assert span.attributes == {"error.type": "bad_key"}
    root, asked, answered = (memory.named(which)[0] for which in (Span.PUBLISH, Span.OPEN_SESSION, Span.CONTROL_OPEN))
    assert ids(root)[0] == ids(asked)[0] == ids(answered)[0]
    assert answered.parent is not None
    assert answered.parent.span_id == ids(asked)[1]
    assert "a-key-that" not in everything_in(memory)
