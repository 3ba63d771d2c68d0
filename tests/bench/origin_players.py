"""The players of `bench-origin`, all in one process: each has one connection and always asks for the next part's list.

Usage: the port, how many, how many seconds, `gzip` or `identity`, the MSN to begin with, a file for what they saw, and
the playlists' paths, which they share evenly. What they saw is a line for each answer: the playlist's number, MSN and
part that were asked for, when, and when the last byte was here (monotonic seconds).
"""

import asyncio
import gc
import gzip
import re
import sys
import time
from functools import partial
from pathlib import Path

import uvloop

from tests.bench.origin_process import PARTS

HEAD = re.compile(rb"HTTP/1\.1 200 OK\r\n.*?content-length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL)
Seen = tuple[int, int, int, float, float]


class Player(asyncio.Protocol):
    """One player. The first of each playlist reads what it gets; the others only take it."""

    def __init__(self, playlist: int, path: str, coding: str, msn: int, seen: list[Seen], reads: bool) -> None:
        self._playlist, self._path, self._coding = playlist, path, coding
        self._msn, self._part = msn, 0
        self._seen, self._reads = seen, reads
        self._got = bytearray()
        self._wanted = 0
        self._asked_s = 0.0
        self._transport: asyncio.Transport | None = None

    def itself(self) -> "Player":
        """The protocol of a connection."""
        return self

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is no subclass
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        now_s = time.monotonic()
        self._got += data
        if not self._wanted:
            head = HEAD.match(self._got)
            if head is None:
                raise ValueError(f"void: a player got {bytes(self._got[:200])!r}")
            self._wanted = head.end() + int(head[1])
        if len(self._got) < self._wanted:
            return
        if self._reads:
            self._read(bytes(self._got).partition(b"\r\n\r\n")[2])
        self._seen.append((self._playlist, self._msn, self._part, self._asked_s, now_s))
        self._got.clear()
        self._wanted = 0
        self._msn, self._part = (self._msn, self._part + 1) if self._part + 1 < PARTS else (self._msn + 1, 0)
        self._ask()

    def _read(self, body: bytes) -> None:
        text = (gzip.decompress(body) if self._coding == "gzip" else body).decode()
        if not re.search(rf'#EXT-X-PART:.*URI="{self._msn}\.{self._part}-', text):
            raise ValueError(f"void: {self._msn}.{self._part} is not in the playlist that should have it")

    def _ask(self) -> None:
        assert self._transport is not None
        where = f"{self._path}?_HLS_msn={self._msn}&_HLS_part={self._part}"
        self._transport.write(
            f"GET {where} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (bench)\r\nAccept: */*\r\n"
            f"Accept-Encoding: {self._coding}\r\nOrigin: http://localhost:8000\r\n\r\n".encode()
        )
        self._asked_s = time.monotonic()


async def main(port: int, players: int, seconds: float, coding: str, msn: int, *paths: str) -> list[Seen]:
    """What was seen in `seconds`."""
    loop = asyncio.get_running_loop()
    seen: list[Seen] = []
    failed: list[BaseException] = []
    loop.set_exception_handler(
        lambda _, context: failed.append(context.get("exception") or ValueError(context["message"]))
    )
    for i in range(players):
        which = i % len(paths)
        player = Player(which, paths[which], coding, msn, seen, reads=i < len(paths))
        await loop.create_connection(partial(Player.itself, player), "127.0.0.1", port)
    gc.disable()
    await asyncio.sleep(seconds)
    if failed:
        raise failed[0]
    return seen


if __name__ == "__main__":
    port, players, seconds, coding, msn, result, *paths = sys.argv[1:]
    seen = uvloop.run(main(int(port), int(players), float(seconds), coding, int(msn), *paths))
    Path(result).write_text("\n".join(" ".join(map(str, answer)) for answer in seen))
