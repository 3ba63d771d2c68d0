"""`python -m headrace.transcoder.worker.measure`: what this node encodes, in pixels/s, printed as one number.

Law: real encoding on one thread, with the preset that plans use, until it has cost a second of processor time; times
the processors that this process may use. Processor time, because what else runs meanwhile must not make the node look
small.
Neighbours: `capacity` runs it once and keeps the answer.
"""

import os
import resource
from contextlib import suppress
from fractions import Fraction
from math import cos, sin

import av
from av import VideoFrame

from headrace.core.broadcast.plan import PRESET

WIDTH, HEIGHT, RATE = 1280, 720, 30
PICTURES = 15
LEAST_S = 1.0


def measure() -> int:
    """Pixels encoded in a second by all processors."""
    pictures = [_picture(index) for index in range(PICTURES)]
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, RATE), Fraction(RATE)
    context.thread_count = 1
    context.options = {"preset": PRESET, "crf": "23"}
    context.open()
    encoded = 0
    start_s = _used_s()
    while (used_s := _used_s() - start_s) < LEAST_S:
        for picture in pictures:
            picture.pts = encoded
            context.encode(picture)
            encoded += 1
    return int(encoded * WIDTH * HEIGHT / used_s * processors())


def processors() -> float:
    """How many this process may use at once: by affinity, and by the quota of its control group."""
    allowed = float(len(os.sched_getaffinity(0)))
    with suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max") as file:
        quota, period = file.read().split()
        allowed = min(allowed, int(quota) / int(period))  # "max" is no number: no quota
    return allowed


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _picture(index: int) -> VideoFrame:
    """Waves and some grain that move by a few pixels from one picture to the next."""
    picture = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane in picture.planes:
        width = plane.line_size
        wave = bytes(int(120 + 80 * sin(x / 40) * cos(x / 90) + x * x % 7) for x in range(2 * width + 64))
        starts = (3 * index + int(30 + 30 * sin(y / 50)) for y in range(plane.height))
        plane.update(b"".join(wave[start : start + width] for start in starts))
    return picture


if __name__ == "__main__":
    print(measure())
