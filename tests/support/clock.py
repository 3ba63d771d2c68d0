"""A publisher whose pictures say when they were made, so that a player's delay can be read off its screen.

The top strip of each picture is a bar code of the wall clock's milliseconds below 4096, the one under it of the rest,
up to four and a half hours. FFmpeg's RTMP client sends them as they are made, sound a little before its time: its muxer
would hold each picture back until sound of the same time has come.

Run as `python -m tests.support.clock URL SECONDS [HEIGHT]`: it says when it began to connect, and when it handed over
each picture, as lines of two or three numbers (see `Clock`).
"""

import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support import barcode
from tests.support.stack import Process

REPO = Path(__file__).resolve().parents[2]
RATE, GOP = 30, 30
"""Pictures a second, and from one keyframe to the next."""
SAMPLE_RATE, ACCESS_UNIT = 48_000, 1024
SOUND_AHEAD_S = 3 * ACCESS_UNIT / SAMPLE_RATE
WRAP_MS = 1 << 2 * barcode.BITS


class Clock(Process):
    """The publisher in a process of its own, for `seconds`."""

    def __init__(self, url: str, seconds: float, height: int = 360) -> None:
        command = [sys.executable, "-m", "tests.support.clock", url, str(seconds), str(height)]
        super().__init__(command, PYTHONPATH=str(REPO))

    def __enter__(self) -> "Clock":
        return self

    @property
    def began_ms(self) -> int | None:
        """The wall clock when it began to connect."""
        return next((int(line.split()[1]) for line in tuple(self.lines) if line.startswith("began ")), None)

    @property
    def sent_ms(self) -> dict[int, float]:
        """The wall clock when each picture was handed to the connection, by its time in milliseconds from the first."""
        sent = (line.split() for line in tuple(self.lines) if line.startswith("sent "))
        return {int(at): float(wall) for _, at, wall in sent}


def main(url: str, seconds: float, height: int) -> None:
    """Publish for `seconds`, in real time."""
    width = height * 16 // 9
    print("began", time.time_ns() // 1_000_000)
    with av.open(url, "w", format="flv", timeout=30, options={"flush_packets": "1"}) as out:
        video = out.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = Fraction(1, RATE)
        video.gop_size = GOP
        video.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "threads": "1",
            "crf": "26",
            "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0",
        }
        audio = out.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        audio.bit_rate = 64_000
        audio.options = {"aac_coder": "fast"}
        out.start_encoding()  # connects
        sound = _sound()
        slope = np.tile((60 + np.arange(2 * width) % 120).astype(np.uint8), (height, 1))
        picture = np.full((height * 3 // 2, width), 128, np.uint8)
        begun = time.monotonic()
        heard_s = 0.0
        for number in range(round(seconds * RATE)):
            at_s = number / RATE
            while heard_s < at_s + SOUND_AHEAD_S:
                heard, heard_s = next(sound)
                out.mux([packet for packet in audio.encode(heard) if (packet.pts or 0) >= 0])
            time.sleep(max(0.0, begun + at_s - time.monotonic()))
            shift = 2 * number % 120
            picture[:height] = slope[:, shift : shift + width]
            stamp(picture[:height], time.time_ns() // 1_000_000)
            frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            packets = video.encode(frame)
            print("sent", round(at_s * 1000), time.time_ns() / 1e6)
            out.mux(packets)


def stamp(luma: barcode.Luma, wall_ms: int) -> None:
    """Draw the time into the picture."""
    high, low = divmod(wall_ms % WRAP_MS, 1 << barcode.BITS)
    barcode.draw(luma, low)
    barcode.draw(luma[luma.shape[0] // barcode.STRIP :], high)


def _sound() -> Iterator[tuple[av.AudioFrame, float]]:
    """A quiet hum, and when each piece of it ends."""
    number = 0
    while True:
        times = np.arange(number, number + ACCESS_UNIT) / SAMPLE_RATE
        frame = av.AudioFrame.from_ndarray(
            (0.05 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)[None], "fltp", "mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, number, Fraction(1, SAMPLE_RATE)
        number += ACCESS_UNIT
        yield frame, number / SAMPLE_RATE


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
