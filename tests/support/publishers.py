"""Encoders as they are out there: FFmpeg's own RTMP client, inside PyAV and as Debian's command, each a process.

A process, because then it can be killed as an encoder dies, and because nothing of it is ours.
Run as `python -m tests.support.publishers URL FILE realtime|fast`.
"""

import os
import socket
import sys
import time
from enum import StrEnum
from pathlib import Path

from tests.support.stack import Process

FFMPEG = "/usr/bin/ffmpeg"
DELIVER_S = 120.0
REPO = Path(__file__).resolve().parents[2]


class Publisher(StrEnum):
    """Which client."""

    PYAV = "pyav"
    FFMPEG = "ffmpeg"


class Pace(StrEnum):
    """How fast media is sent: as an encoder makes it, or faster (PyAV: as fast as the server takes it)."""

    REALTIME = "realtime"
    FAST = "fast"


def publish(publisher: Publisher, pace: Pace, file: Path, url: str) -> Process:
    """Start to publish `file`, samples untouched, to `url`."""
    if publisher is Publisher.PYAV:
        command = [sys.executable, "-m", "tests.support.publishers", url, str(file), pace.value]
        return Process(command, PYTHONPATH=str(REPO))
    # Without any limit FFmpeg would be gone before its connection is: see `_until_delivered`.
    throttle = ["-readrate", "1" if pace is Pace.REALTIME else "8"]
    quiet = ["-hide_banner", "-nostdin", "-loglevel", "warning"]
    return Process([FFMPEG, *quiet, *throttle, "-i", str(file), "-c", "copy", "-f", "flv", url])


def main(url: str, file: str, pace: str) -> None:
    """PyAV's publish, in this process."""
    import av

    with av.open(file) as given, av.open(url, "w", format="flv", timeout=30) as sent:
        streams = {stream.index: sent.add_stream_from_template(stream) for stream in given.streams}
        begun = time.monotonic()
        for packet in given.demux():
            if packet.dts is None:
                continue
            if pace == Pace.REALTIME:
                time.sleep(max(0.0, begun + float(packet.dts * packet.time_base) - time.monotonic()))
            packet.stream = streams[packet.stream.index]
            sent.mux(packet)
        _until_delivered()


def _until_delivered() -> None:
    """Wait until the server, on this machine, has read all that was sent, and let the goodbye wait for nothing.

    Closing a socket on which something lies unread, such as an acknowledgement, throws away what is not delivered.
    """
    (fd,) = [int(entry.name) for entry in Path("/proc/self/fd").iterdir() if entry.is_socket()]
    with socket.socket(fileno=os.dup(fd)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = f":{connection.getsockname()[1]:04X}"
    until = time.monotonic() + DELIVER_S
    while time.monotonic() < until and _on_the_way(port):
        time.sleep(0.02)


def _on_the_way(port: str) -> bool:
    """Whether anything sent from `port` is not acknowledged yet, or not read yet at the other end."""
    for row in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        _, here, there, _, queues, *_ = row.split()
        to_send, to_read = (int(queue, 16) for queue in queues.split(":"))
        if (here.endswith(port) and to_send) or (there.endswith(port) and to_read):
            return True
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
