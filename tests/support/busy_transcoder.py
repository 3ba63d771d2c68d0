"""Serves Ingest at a target, and holds Python's interpreter for some seconds at each batch of frames: no other line of
Python moves meanwhile. `python -m tests.support.busy_transcoder TARGET SECONDS`."""

import asyncio
import sys
import time
from itertools import repeat

import uvloop

from headrace.wire import media
from headrace.wire.channel import MEDIA, listen, make_server

ROUND = 20_000_000  # of a sum that lets go of the interpreter only at its end: a fraction of a second


def hold_interpreter(seconds: float) -> None:
    """Without a pause that another thread could use."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        sum(repeat(1, ROUND))


async def main(target: str, seconds: float) -> None:
    """Serve until killed."""

    async def handler(_: media.Open, stream: media.IngestStream) -> None:
        await stream.write(media.Accepted(0))
        while (step := await stream.read()) is not None:
            if isinstance(step, media.Frames):
                hold_interpreter(seconds)
                await stream.write(media.Progress(0, 0))

    server = make_server(MEDIA)
    media.add_ingest(server, handler)
    listen(server, target)
    await server.start()
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
