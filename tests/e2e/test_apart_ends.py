"""`make run-apart` as people use it: it says where everything is, and whenever it is stopped nothing is left behind."""

import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.publishers import REPO
from tests.support.reader import Viewer
from tests.support.stack import Process, eventually

pytestmark = pytest.mark.timeout(120)

START_S = 60.0
STOP_S = 25.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where everything that it makes is; a database that is run by somebody else reaches it too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def start(folder: Path) -> Process:
    """`make run-apart`, without make."""
    return Process([sys.executable, "-m", "tests.support.run_apart"], TMPDIR=str(folder), PYTHONPATH=str(REPO))


def living(folder: Path) -> list[str]:
    """Processes that were started for `folder`, or are in it: some servers write over their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = f"TMPDIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0")
            if is_ours or (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def assert_nothing_is_left(folder: Path) -> None:
    assert living(folder) == []
    assert list(folder.iterdir()) == []


def test_what_it_says_can_be_used_and_ctrl_c_leaves_nothing_behind(folder: Path, viewer: Viewer) -> None:
    with start(folder) as process:
        eventually("its words", lambda: not process.running or "watch" in process.output, START_S)
        said = process.output
        key = re.findall(r"API key: +(\S+)", said)[0]
        (console,) = re.findall(r"Console: +(\S+)", said)
        controls = re.findall(r"Control: +(\S+)", said)
        assert len(set(controls)) == 2
        for url in (console, *controls):
            assert "Headrace" in httpx.get(url, trust_env=False).text
            listed = httpx.get(f"{url}v1/streams", headers={"authorization": f"Bearer {key}"}, trust_env=False)
            assert [stream["name"] for stream in listed.json()["streams"]] == ["Demo"]
        assert len(set(re.findall(r"RTMP: +(rtmp://\S+)", said))) == 2
        watched = re.findall(r"watch +(http\S+)", said)
        assert len(set(watched)) == 2
        command = shlex.split(re.findall(r"(ffmpeg .*)", said)[0])
        with Process([*command[:1], "-nostdin", "-loglevel", "warning", *command[1:]]):
            for url in watched:
                eventually("the demo", partial(viewer.exists, url), 30)
            assert viewer.multivariant(console + urlsplit(watched[0]).path[1:]).variants
            assert len(living(folder)) > 11
            process.interrupt()
            assert process.wait(STOP_S) == 0, process.output
    assert "Traceback" not in process.output
    assert_nothing_is_left(folder)


@pytest.mark.parametrize("sign", ["Starting", "redis-server", "headrace.edge"])
def test_stopped_while_it_starts_it_leaves_nothing_behind(folder: Path, sign: str) -> None:
    """At its first word, and as soon as a process is seen whose command has the word in it."""
    with start(folder) as process:
        eventually(
            sign,
            lambda: sign in process.output or any(sign in command for command in living(folder)),
            START_S,
            every_s=0.01,
        )
        process.signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0, process.output
    assert "Traceback" not in process.output
    assert_nothing_is_left(folder)


def test_killed_it_takes_every_process_along_and_the_next_one_removes_its_folder(folder: Path) -> None:
    with start(folder) as process:
        eventually("an edge", lambda: any("headrace.edge" in command for command in living(folder)), START_S)
        process.signal(signal.SIGKILL)
        process.wait(5)
        eventually("nothing lives", lambda: not living(folder), STOP_S)
    (left,) = folder.iterdir()
    with start(folder) as process:
        eventually("its first word", lambda: "Starting" in process.output, START_S)
        assert left not in list(folder.iterdir())
        process.interrupt()
        assert process.wait(STOP_S) == 0
    assert_nothing_is_left(folder)
