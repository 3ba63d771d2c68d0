"""The log of a run: every line is one object, and says of which run, session and attempt it is."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.core import rtmp
from tests.e2e.sources import MONO, Source
from tests.support.publishers import Pace, Publisher, publish
from tests.support.publishers_raw import RawPublisher
from tests.support.stack import Stack, eventually

pytestmark = pytest.mark.timeout(90)

Line = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), log_format="json") as stack:
        yield stack


def lines(stack: Stack) -> list[Line]:
    """What its log says; what is for a person is no part of it."""
    said = stack.output.partition("Ctrl-C stops it.")
    logged = [line for line in [*said[0].splitlines()[:-1], *said[2].splitlines()] if line and line[:2] != "  "]
    return [json.loads(line) for line in logged]


def of(stack: Stack, message: str, run: str | None) -> Line:
    return eventually(
        f"{message} of {run}",
        lambda: next((line for line in lines(stack) if line["message"] == message and line.get("run") == run), None),
        20,
    )


def test_each_line_of_a_run_says_of_which_stream_run_session_and_attempt_it_is(
    stack: Stack, clip: Callable[[Source], Path]
) -> None:
    stream = stack.create("logged", {"rungs": [{"height": 180}]})
    with publish(Publisher.PYAV, Pace.REALTIME, clip(MONO), stream.publish_url):
        run = eventually("a run", lambda: stream.run, 20)
        taken = of(stack, "run taken", run)
        os.kill(taken["worker"], signal.SIGKILL)
        lost = of(stack, "worker lost", run)
        over = of(stack, "publish over", run)
    began = of(stack, "publish", run)
    ids = {"stream": stream.id, "run": run, "session": 1}
    assert began.items() >= ids.items()
    assert began["peer"].startswith("127.0.0.1:")
    assert over.items() >= {**ids, "attempt": 1}.items()
    assert of(stack, "session opened", run).items() >= ids.items()
    for line in (taken, lost, of(stack, "run left", run)):
        assert line.items() >= {"run": run, "session": 1, "attempt": 1, "service": "standalone"}.items()
    assert "killed by SIGKILL" in lost["ended"]


def test_a_refusal_is_a_line_with_its_code_and_its_encoders_address(stack: Stack) -> None:
    def refused_lines() -> list[Line]:
        """After one more: within the same second as another refusal one is only counted."""
        with RawPublisher(stack.rtmp_url, "live", "not-a-key") as publisher:
            while not isinstance(publisher.answer(), rtmp.PublishRefused):
                pass
        found = [line for line in lines(stack) if line.get("reason") == "bad_key"]
        return found if any("why" in line for line in found) else []

    refused = eventually("it", lambda: refused_lines() or None, 5, every_s=0.5)
    assert {line["message"] for line in refused} == {"publish refused"}
    assert all(line["peer"].startswith("127.0.0.1:") for line in refused)
    assert "This stream key is not valid." in {line.get("why") for line in refused}


def test_every_line_is_one_object_with_its_time_and_place(stack: Stack) -> None:
    found = lines(stack)
    assert found
    for line in found:
        assert {"time", "level", "logger", "message", "service", "pod"} <= line.keys()
        assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)
