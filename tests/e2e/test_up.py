"""`headrace up` at its ends: stopped once, stopped twice, and unable to start."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.sources import MONO, Source
from tests.support.publishers import Pace, Publisher, publish
from tests.support.reader import Viewer, numbers, parse_playlist
from tests.support.stack import HEADRACE, Process, Stack, eventually

pytestmark = pytest.mark.timeout(60)

STOP_S = 5.0
LADDER = {"rungs": [{"height": 240}]}


@pytest.fixture
def live(tmp_path: Path, viewer: Viewer, clip: Callable[[Source], Path]) -> Iterator[tuple[Stack, str]]:
    """A stack of its own with a publisher and a worker at work, and the address of a rendition."""
    with Stack(tmp_path / "data") as stack:
        stream = stack.create("live", LADDER)
        with publish(Publisher.FFMPEG, Pace.REALTIME, clip(MONO), stream.publish_url):
            eventually("the first segment", lambda: viewer.exists(stream.hls_url), 30)
            assert stack.worker(stream.run) in stack.offspring()
            yield stack, viewer.multivariant(stream.hls_url).variants[0].url


def test_ctrl_c_ends_the_playlists_and_then_the_process_within_5_seconds(live: tuple[Stack, str]) -> None:
    stack, url = live
    last = ""
    with httpx.Client(trust_env=False) as http:
        stack.interrupt()
        asked = time.monotonic()
        while stack.running and time.monotonic() - asked < STOP_S:
            try:
                answer = http.get(url)
            except httpx.TransportError:
                break
            last = answer.text if answer.status_code == 200 else last
            time.sleep(0.05)
    code = stack.wait(STOP_S - (time.monotonic() - asked))
    assert parse_playlist(url, last).ended
    assert code == 0
    assert "Traceback" not in stack.output
    assert stack.offspring() == []


def test_what_was_received_before_ctrl_c_is_shown_to_the_end(live: tuple[Stack, str]) -> None:
    stack, url = live
    stack.interrupt()

    def final_pictures() -> dict[int, int] | None:
        text = httpx.get(url, trust_env=False).text
        return numbers(url) if parse_playlist(url, text).ended else None

    shown = eventually("ENDLIST", final_pictures, STOP_S)
    assert MONO.begins_with(shown)
    assert len(shown) > MONO.rate  # more than a second was sent
    stack.wait(STOP_S)


def test_a_second_ctrl_c_stops_at_once(live: tuple[Stack, str]) -> None:
    stack, _ = live
    stack.interrupt()
    eventually("it has begun to stop", lambda: not reachable(stack.rtmp_url), 2, every_s=0.01)
    stack.interrupt()
    asked = time.monotonic()
    stack.wait(1)
    assert time.monotonic() - asked < 1
    eventually("nothing is left behind", lambda: stack.offspring() == [], 2)


def test_a_restart_keeps_the_key_and_the_streams(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        made = stack.create("kept")
        assert "API key:" in stack.output
        key = (tmp_path / "api-key").read_text()
        assert (tmp_path / "api-key").stat().st_mode & 0o777 == 0o600
    with Stack(tmp_path) as stack:
        assert (tmp_path / "api-key").read_text() == key
        assert "API key:" not in stack.output
        assert [stream["id"] for stream in stack.http.get("/v1/streams").json()["streams"]] == [made.id]


@pytest.mark.parametrize(("option", "names"), [("--rtmp", "RTMP"), ("--http", "HTTP")])
def test_a_port_in_use_is_one_sentence(tmp_path: Path, option: str, names: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        options = {"--rtmp": "127.0.0.1:0", "--http": "127.0.0.1:0", option: address}
        sentence = refusal("--data", str(tmp_path), *(word for pair in options.items() for word in pair))
    assert address in sentence
    assert names in sentence
    assert "in use" in sentence


def test_a_data_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "data"
    sentence = refusal("--data", str(folder), "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0")
    assert str(folder) in sentence


def test_a_data_directory_that_another_headrace_uses_is_one_sentence(live: tuple[Stack, str]) -> None:
    stack, _ = live
    sentence = refusal("--data", str(stack.data), "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0")
    assert str(stack.data) in sentence


@pytest.mark.parametrize(("module", "extra"), [("av", "transcoder"), ("fastapi", "control"), ("sqlalchemy", "control")])
def test_a_missing_extra_is_one_sentence(tmp_path: Path, module: str, extra: str) -> None:
    """A module that is None in sys.modules is, to the import statement, not installed."""
    without = f"import sys; sys.modules[{module!r}] = None; from headrace.cli import main; main()"
    options = ["up", "--data", str(tmp_path), "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    sentence = refusal(*options, command=[sys.executable, "-c", without])
    assert f"headrace[{extra}]" in sentence


def test_what_a_service_finds_out_in_its_task_is_a_sentence_too(tmp_path: Path) -> None:
    """Sockets with a name that no socket can have; gRPC adds words of its own."""
    long = f"from headrace.standalone import sockets; sockets.PREFIX = {'x' * 120!r}; "
    start = [sys.executable, "-c", long + "from headrace.cli import main; main()", "up"]
    with Process([*start, "--data", str(tmp_path), "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]) as process:
        assert process.wait(20) == 1
        assert process.lines[-1].startswith("headrace: cannot listen for gRPC")
    assert "Traceback" not in process.output


def refusal(*options: str, command: list[str] | None = None) -> str:
    """What a start that must fail says; it fails soon, in one line."""
    with Process([*command, *options] if command else [str(HEADRACE), "up", *options]) as process:
        assert process.wait(20) not in (0, None)
        lines = [line for line in process.lines if line.strip()]
    assert len(lines) == 1, process.output
    return lines[0]


def reachable(url: str) -> bool:
    """Whether the RTMP port still takes connections."""
    host, _, port = url.removeprefix("rtmp://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
