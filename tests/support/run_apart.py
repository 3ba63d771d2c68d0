"""`make run-apart`: every service its own process, on loopback, until Ctrl-C: `python -m tests.support.run_apart`.

Law: leaves no process, socket or folder behind, whenever it is stopped; what one that was killed left is removed by the
next one. Neighbours: `apart` starts and ends everything.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.support.apart import Apart, free_port
from tests.support.door import open_door
from tests.support.hosts import LOOPBACK

PREFIX = "headrace-apart-"
LOOK_S = 0.5
SOURCE = "-re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000"
ENCODING = "-c:v libx264 -preset veryfast -tune zerolatency -g 60 -pix_fmt yuv420p -c:a aac -f flv"


class Stopped(BaseException):
    """A signal came."""


def main() -> int:
    """Run until a signal comes; 0, or 1 where something ended by itself."""
    with _folder() as folder:
        port = free_port(LOOPBACK, 0)
        apart = Apart(public_http_url=f"http://127.0.0.1:{port}")
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, _stop)
            print(
                "Starting: PostgreSQL, Redis and its replica, 2 controls, 3 transcoders, 2 origins, 2 edges …",
                flush=True,
            )
            apart.start()
            open_door(folder, port, [pod.url for pod in apart.controls], [pod.url for pod in apart.origins])
            _announce(apart, f"http://127.0.0.1:{port}")
            while all(pod.running for pod in apart.pods):
                time.sleep(LOOK_S)
            print("\n".join(f"{pod.pod} has ended:\n{pod.output}" for pod in apart.pods if not pod.running))
            return 1
        except Stopped:
            print("Stopping …", flush=True)
            return 0
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # it is ending, and within seconds
            apart.stop()
            _end_children()


def _end_children() -> None:
    """The door, and what was being started when the signal came and nobody had a name for yet."""
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
        os.waitpid(int(pid), 0)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder, where everybody else's temporary ones go: they are gone with it, whenever this ends."""
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{PREFIX}*"):
        found = re.match(rf"{PREFIX}(\d+)-", left.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    folder.chmod(0o711)  # PostgreSQL's is somebody else's, where this is run by root
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _announce(apart: Apart, door_url: str) -> None:
    stream = apart.create("Demo")
    lines = [
        "Headrace runs, every service its own process. Ctrl-C stops it.",
        "",
        f"  API key:  {apart.api_key}",
        f"  Console:  {door_url}/",
        *(f"  Control:  {control.url}/" for control in apart.controls),
        *(f"  RTMP:     {url}" for url in apart.rtmp_urls),
        *(f"  HLS:      {origin.url}/live/" for origin in apart.origins),
        "",
        f"  Demo:     a stream with the key {stream.key}; publish to it with",
        f"            ffmpeg {SOURCE} {ENCODING} {stream.publish_urls[0]}",
        *(f"            and watch   {url}" for url in stream.hls_urls),
        "",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
