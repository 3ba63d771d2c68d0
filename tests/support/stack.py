"""`headrace up` as its users run it: a process of its own, found through what it prints, stopped by a signal.

Everything below it carries a mark in its environment, so that nothing can be left behind unnoticed. What is ours must
not say a key: `kept` searches what it said.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urljoin

import httpx

from tests.support import kept

HEADRACE = Path(sys.executable).with_name("headrace")
MARK = "HEADRACES_TESTS"
START_S = 30.0
STOP_S = 8.0

T = TypeVar("T")


class TooLate(AssertionError):
    """What should have happened did not, in its time."""


def eventually(what: str, probe: Callable[[], T | None], within_s: float, every_s: float = 0.05) -> T:
    """The first answer of `probe` that is neither None nor False. Raises TooLate."""
    until = time.monotonic() + within_s
    while True:
        found = probe()
        if found is not None and found is not False:
            return found
        if time.monotonic() >= until:
            raise TooLate(f"after {within_s:g} s still not: {what}")
        time.sleep(every_s)


class Process:
    """A command whose output is kept, in a group of its own; on leaving the block all that it started is gone."""

    alive: ClassVar[list["Process"]] = []

    def __init__(self, command: list[str], **environment: str) -> None:
        self.name = Path(command[0]).name
        self.ours = any(part.startswith("headrace.") or "headrace.cli" in part for part in command) or (
            str(HEADRACE) in command
        )
        self.mark = uuid.uuid4().hex
        self.lines: list[str] = []
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **environment, MARK: self.mark},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.alive.append(self)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process's own id."""
        return self._popen.pid

    @property
    def output(self) -> str:
        """What it has said so far, both streams."""
        return "\n".join(self.lines)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._popen.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C: as a terminal does it, to the whole group."""
        os.killpg(self.pid, signal.SIGINT)

    def wait(self, within_s: float) -> int:
        """Its exit code. Raises TooLate."""
        try:
            code = self._popen.wait(within_s)
        except subprocess.TimeoutExpired:
            raise TooLate(f"after {within_s:g} s still running; its last words:\n{self.output[-2000:]}") from None
        self._reader.join(2)
        return code

    def kill(self) -> None:
        """End the process and everything that carries the mark, at once."""
        self._popen.kill()
        while left := self.offspring():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._popen.poll()
            time.sleep(0.02)
        self._popen.wait()
        self._reader.join(2)
        self.search()
        if self in self.alive:
            self.alive.remove(self)
        assert self._popen.stdout is not None
        self._popen.stdout.close()

    def search(self) -> None:
        """Look for keys in what it has said; `kept.told` raises what was found."""
        if self.ours:
            kept.search_lines(self.name, self.lines)

    def offspring(self) -> list[int]:
        """Every living process that carries the mark, this one included."""
        return [pid for pid in _processes() if _has_mark(pid, self.mark)]

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.lines.append(line.rstrip("\n"))


class Stack(Process):
    """A running `headrace up`. It believes in a `capacity_pixels_s` that no test fills; 0 has it measure.

    `settings` are those of the services, by their names; `first` is Python that the process runs before anything else.
    """

    def __init__(
        self, data: Path, *options: str, capacity_pixels_s: int = 10**12, first: str = "", **settings: float | str
    ) -> None:
        given = ["--data", str(data), "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
        command = [str(HEADRACE)]
        if first:
            command = [sys.executable, "-c", f"{first}; from headrace.cli import main; main()"]
        settings = {"capacity_pixels_s": capacity_pixels_s, **settings}
        variables = {f"HEADRACE_{name.upper()}": str(value) for name, value in settings.items()}
        super().__init__([*command, "up", *given], **variables)
        self.data = data
        try:
            self.rtmp_url, self.http_url = eventually("the start's words", self._addresses, START_S)
            self.http = httpx.Client(
                base_url=self.http_url,
                headers={"authorization": f"Bearer {kept.keep((data / 'api-key').read_text().strip())}"},
                event_hooks={"response": [kept.search_answer]},
                timeout=30,
                trust_env=False,
            )
            kept.keep(re.findall(r"[?]login=(\S+)", self.output)[-1])
            eventually("ready", self._ready, START_S)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ctrl-C; raises AssertionError if it does not end cleanly, in time, with nothing left behind."""
        try:
            if self.running:
                with suppress(httpx.TransportError):
                    self.http.get("/metrics")
            self.http.close()
            if self.running:
                self.interrupt()
                code = self.wait(STOP_S)
                assert code in (0, 130), f"exit code {code}; its last words:\n{self.output[-2000:]}"
            assert self.offspring() == [], "processes were left behind"
        finally:
            self.kill()
            for file in self.data.rglob("*"):
                if file.is_file() and file.name != "api-key":
                    kept.search(str(file), file.read_bytes().decode("latin-1"))

    def create(self, name: str, profile: str | dict[str, Any] = "auto") -> "Stream":
        """A new stream, over the API."""
        answer = self.http.post("/v1/streams", json={"name": name, "profile": profile})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return Stream(
            self,
            made["id"],
            made["stream_key"],
            f"{made['ingest']['rtmp_url']}/{made['stream_key']}",
            urljoin(self.http_url, made["playback"]["hls_url"]),
        )

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry `labels`; 0 where there is none."""
        return self.metric_in(self.http.get("/metrics").text, name, **labels)

    @staticmethod
    def metric_in(exposition: str, name: str, **labels: str) -> float:
        """The same, in what `/metrics` said at some time."""
        total = 0.0
        for line in exposition.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? ([-+.\deE]+|NaN)(?: \d+)?", line)
            if (
                match
                and match[1] == name
                and labels.items() <= dict(re.findall(r'(\w+)="(.*?)"', match[2] or "")).items()
            ):
                total += float(match[3])
        return total

    def worker(self, run: str | None) -> int:
        """The process that `run` was given to last; others may wait for runs to come."""
        return int(re.findall(rf"run taken run={run} .*worker=(\d+)", self.output)[-1])

    def _addresses(self) -> tuple[str, str] | None:
        if not self.running:
            raise TooLate(f"`headrace up` ended at once:\n{self.output}")
        rtmp = re.search(r"(rtmp://[\w.]+:\d+)/", self.output)
        http = re.search(r"(http://[\w.]+:\d+)/", self.output)
        return (rtmp[1], http[1]) if rtmp and http else None

    def _ready(self) -> bool:
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


class Stream:
    """A stream of a stack. `publish_url` is what FFmpeg wants, `hls_url` what players want."""

    def __init__(self, stack: Stack, id: str, key: str, publish_url: str, hls_url: str) -> None:
        self.stack, self.id, self.key = stack, id, key
        self.publish_url, self.hls_url = publish_url, hls_url

    @property
    def state(self) -> str:
        """`idle`, `live` or `ending`."""
        return str(self._shown()["state"])

    @property
    def run(self) -> str | None:
        """The run that is on the air."""
        live = self._shown()["live"]
        return live["run"] if live else None

    def _shown(self) -> dict[str, Any]:
        answer = self.stack.http.get(f"/v1/streams/{self.id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _file(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _has_mark(pid: int, mark: str) -> bool:
    """A zombie's environment is empty, so what is only waiting to be reaped does not count."""
    return f"{MARK}={mark}".encode() in _file(pid, "environ").split(b"\0")
