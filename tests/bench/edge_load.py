"""The publishers of `bench-edge`, all in one process: each sends the clip at its own pace, message by message.

Bytes are made beforehand and shared, so that what this costs is the system calls. Prints `begun <monotonic s>` when the
clip begins; writes what it sent, and when, to a file at the end.
"""

import gc
import heapq
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from headrace.core import rtmp
from tests.bench.edge_clip import Sent, clip

SPREAD_S = 2.0  # publishers begin within a GOP of each other, so that keyframes are spread as well
GOLDEN = 0.618034  # multiples of it are spread evenly, however many there are
TIMEOUT_S = 10.0


class Publisher:
    """One encoder. `sent_us` are the times at which its pictures were written."""

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self.sock = socket.create_connection((address.hostname, address.port or 1935), TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rtmp = rtmp.ClientConnection(random=os.urandom(rtmp.RANDOM_BYTES))
        self._rtmp.connect(address.path[1:], url)
        self._rtmp.publish(key)
        self.sent_us: list[int] = []
        self.frames = 0
        self.payload_bytes = 0
        while True:
            self.flush()
            self._rtmp.receive_data(self.sock.recv(65_536), 0)
            while (event := self._rtmp.next_event()) is not None:
                if isinstance(event, rtmp.PublishStarted):
                    self.flush()
                    self.sock.settimeout(None)
                    return
                if isinstance(event, rtmp.PublishRefused):
                    raise SystemExit(f"the publish was refused: {event.description}")

    def flush(self) -> None:
        """What the dialogue has to say."""
        self.sock.sendall(self._rtmp.data_to_send())

    def end(self) -> None:
        """Unpublish and go."""
        self._rtmp.end()
        self.flush()
        self.sock.shutdown(socket.SHUT_WR)


def main(url: str, publishers: int, seconds: float, result: Path) -> None:
    """Publish for `seconds` of the clip and the spread."""
    messages = [message for message in clip() if message.at_ms < seconds * 1000]
    on = [Publisher(url, f"p{i}") for i in range(publishers)]
    begun = time.monotonic() + 0.2
    print(f"begun {begun}", flush=True)
    gc.disable()
    late_us = _send(on, messages, begun)
    for publisher in on:
        publisher.end()
    found = {
        "sent_us": {f"p{i}": publisher.sent_us for i, publisher in enumerate(on)},
        "frames": {f"p{i}": publisher.frames for i, publisher in enumerate(on)},
        "payload_bytes": sum(publisher.payload_bytes for publisher in on),
        "late_p99_ms": sorted(late_us)[len(late_us) * 99 // 100] / 1000,
    }
    result.write_text(json.dumps(found))
    print("ended", flush=True)
    sys.stdin.read()  # the sockets stay open until the server has had them read


def _send(on: list[Publisher], messages: list[Sent], begun: float) -> list[int]:
    """Write every message at its time; how late each was, microseconds."""
    monotonic, sleep, late_us = time.monotonic, time.sleep, []

    def timeline(i: int, publisher: Publisher) -> Iterator[tuple[float, int, Publisher, Sent]]:
        start = begun + SPREAD_S * (i * GOLDEN % 1)
        return ((start + message.at_ms / 1000, i, publisher, message) for message in messages)

    for due, _, publisher, (_, video, frame, size, wire) in heapq.merge(*(timeline(i, p) for i, p in enumerate(on))):
        now = monotonic()
        if now < due:
            sleep(due - now)
            now = monotonic()
        publisher.sock.sendall(wire)
        late_us.append(int((now - due) * 1e6))
        publisher.payload_bytes += size
        publisher.frames += frame
        if video and frame:
            publisher.sent_us.append(int(now * 1e6))
    return late_us


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
