"""`python -m headrace.transcoder.worker.measure`: what this node encodes, in pixels/s, printed as one number.

Law: about a second of real encoding on all cores, with the preset that plans use, of a picture that moves everywhere.
Neighbours: `capacity` runs it once and keeps the answer.
"""

import os
from fractions import Fraction

import av
from av import VideoFrame

from headrace.core.broadcast.plan import PRESET
from headrace.runtime.aio.clock import monotonic_s

WIDTH, HEIGHT, RATE = 1280, 720, 30
PICTURES = 30
LEAST_S = 1.0


def measure() -> int:
    """Pixels encoded in a second."""
    pictures = [_picture(index) for index in range(PICTURES)]
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, RATE), Fraction(RATE)
    context.thread_count = len(os.sched_getaffinity(0))
    context.options = {"preset": PRESET, "crf": "23"}
    context.open()
    encoded = 0
    start_s = monotonic_s()
    while (elapsed_s := monotonic_s() - start_s) < LEAST_S:
        for picture in pictures:
            picture.pts = encoded
            context.encode(picture)
            encoded += 1
    return int(encoded * WIDTH * HEIGHT / elapsed_s)


def _picture(index: int) -> VideoFrame:
    """Texture that moves by a few pixels from one picture to the next."""
    picture = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane in picture.planes:
        row = bytes((x * x // 7 + x) & 0xFF for x in range(2 * plane.line_size + 97))
        rows = (
            row[(shift := (3 * index + y * y // 5) % 97 + y % 31) : shift + plane.line_size]
            for y in range(plane.height)
        )
        plane.update(b"".join(rows))
    return picture


if __name__ == "__main__":
    print(measure())
