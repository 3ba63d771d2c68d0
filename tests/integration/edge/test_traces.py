"""What an edge tells of publishes that go another way than most do."""

import asyncio

import pytest

from headrace.core import rtmp
from headrace.core.broadcast import RunId
from headrace.runtime.telemetry import recording, traces
from headrace.runtime.telemetry.spans import Span
from headrace.runtime.telemetry.trace_ids import chosen, trace_id_of
from headrace.wire import media
from tests.integration.edge.harness import Encoder, Stack, until
from tests.support.spans import Memory, ids, recorded

NONE = 1e-9  # a ratio by which no run of these tests is chosen
START = {"publish", "rtmp connect", "open session", "describe source", "allocate", "ingest"}


@pytest.fixture(autouse=True)
def refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a test makes."""
    monkeypatch.setattr(recording, "REFUSALS_S", 1000)


def errors(memory: Memory) -> dict[str, object]:
    """Each span's error, None where it went well, by its name."""
    return {span.name: (span.attributes or {}).get("error.type") for span in memory.spans}


async def send(encoder: Encoder) -> None:
    """What it takes to be on air."""
    encoder.describe()
    for i in range(100):
        encoder.frame(i)
    await encoder.flush()


async def on_air(stack: Stack, key: str) -> Encoder:
    encoder = await Encoder.dial(stack)
    assert isinstance(await encoder.publish(key), rtmp.PublishStarted)
    await send(encoder)
    await until(lambda: len(stack.transcoder.frames.get(key, ())) > 100)
    return encoder


async def test_a_start_that_goes_well_is_told_of_as_soon_as_media_is_published(stack: Stack) -> None:
    with recorded() as memory:
        await on_air(stack, "a")
        await asyncio.sleep(0.1)  # for its progress to come back
        assert not stack.transcoder.ends
    assert errors(memory) == dict.fromkeys(START)


async def test_the_second_publish_of_a_connection_does_not_begin_with_the_socket(stack: Stack) -> None:
    with recorded() as memory:
        encoder = await on_air(stack, "a")
        encoder.command("createStream", 20, None)
        encoder.command("publish", 21, None, "b", "live", stream_id=2)
        await encoder.flush()
        await until(lambda: stack.control.opened == 2)
        encoder.command("deleteStream", 22, None, 2.0)
        await encoder.flush()
        await until(lambda: len(stack.control.released) == 2)
    first, second = (
        {span.name: span for span in memory.spans if ids(span)[0] == trace_id_of(RunId(run))} for run in "ab"
    )
    assert first.keys() - second.keys() >= {"rtmp connect"}
    assert (second["publish"].start_time or 0) > (first["rtmp connect"].end_time or 0)


@pytest.mark.parametrize(("key", "code"), [("wrong", "bad_key"), ("busy", "busy"), ("at a loss", "unavailable")])
async def test_a_publish_that_control_refuses_says_why_and_not_with_which_key(
    stack: Stack, key: str, code: str
) -> None:
    with recorded(NONE) as memory:
        encoder = await Encoder.dial(stack)
        assert isinstance(await encoder.publish(key), rtmp.PublishRefused)
    assert errors(memory) == {"publish": code, "rtmp connect": None, "open session": code}
    assert all(key not in str(span.attributes) or code == key for span in memory.spans)


async def test_a_publish_that_no_transcoder_takes_says_so_whichever_runs_are_chosen(stack: Stack) -> None:
    assert not chosen(trace_id_of(RunId("refused")), NONE)
    with recorded(NONE) as memory:
        encoder = await Encoder.dial(stack)
        await encoder.publish("refused")
        await send(encoder)
        await encoder.wait_for((rtmp.PublishRefused,))
    assert errors(memory) == dict.fromkeys(START) | {"publish": "no_capacity", "ingest": "no_capacity"}


async def test_what_befalls_a_publish_later_is_not_how_it_started(stack: Stack) -> None:
    with recorded() as memory:
        encoder = await Encoder.dial(stack)
        await encoder.publish("dies")
        await send(encoder)
        await encoder.wait_for((rtmp.PublishRefused,))
    assert errors(memory) == dict.fromkeys(START)


async def test_a_connection_that_does_not_publish_is_no_trace(stack: Stack) -> None:
    with recorded() as memory:
        silent = await Encoder.dial(stack)
        silent.writer.close()
        await silent.writer.wait_closed()
        browser = await Encoder.dial(stack)
        browser.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await browser.reader.read() == b""
    assert memory.spans == []


@pytest.mark.parametrize("ratio", [1.0, NONE])
async def test_a_transcoder_hears_of_the_runs_that_are_recorded(
    stack: Stack, ratio: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[object] = []
    serve = stack.transcoder.__call__

    async def listen(opened: media.Open, stream: media.IngestStream) -> None:
        heard.append(recording.UNDER_WAY.get())
        await serve(opened, stream)

    monkeypatch.setattr(type(stack.transcoder), "__call__", lambda _, *given: listen(*given))
    with recorded(ratio) as memory:
        await on_air(stack, "a")
        assert traces.on()
    assert heard == ([None] if ratio == NONE else [ids(memory.one(Span.INGEST))])
