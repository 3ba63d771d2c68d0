"""Makes bbb-1080p24.mp4, the tests' real film, from the 30 s 1080p24 excerpt of Big Buck Bunny.

`python tests/media/cut.py SOURCE.mp4` from the repository's root. The source's keyframe positions are kept to the
frame: its long, uneven GOPs (10.4, 1.5, 3.9, 7.3 and 7.0 s) are what a live server must cope with.
"""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from tests.support import barcode

TARGET = Path(__file__).with_name("bbb-1080p24.mp4")
RATE = 24
KEYFRAMES = {0, 250, 285, 378, 553}
AUDIO_SAMPLES = 30 * 48_000


def cut(source: Path, target: Path) -> None:
    """Encode the whole of `source` anew, with a bar code over each picture and the sound in stereo."""
    with av.open(source) as given, av.open(target, "w", options={"movflags": "faststart"}) as made:
        video = made.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = 1920, 1080, "yuv420p"
        video.bit_rate = 1_000_000
        video.codec_context.time_base = Fraction(1, RATE)
        video.options = {
            "preset": "slow",
            "forced-idr": "1",
            "x264-params": "keyint=infinite:scenecut=0:open-gop=0:bframes=3:vbv-maxrate=2000:vbv-bufsize=4000",
        }
        audio = made.add_stream("aac", rate=48_000, layout="stereo")
        audio.bit_rate = 96_000
        resampler = av.AudioResampler("fltp", "stereo", 48_000, frame_size=1024)
        number = samples = 0
        for frame in given.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                picture = frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False)
                barcode.draw(picture[:1080], number)
                anew = av.VideoFrame.from_ndarray(picture, "yuv420p")
                anew.pts, anew.time_base = number, Fraction(1, RATE)
                anew.pict_type = PictureType.I if number in KEYFRAMES else PictureType.NONE
                made.mux(video.encode(anew))
                number += 1
            elif isinstance(frame, av.AudioFrame) and samples < AUDIO_SAMPLES:
                for block in resampler.resample(frame):
                    if samples < AUDIO_SAMPLES:
                        samples += block.samples
                        made.mux(audio.encode(block))
        made.mux(video.encode(None))
        made.mux(audio.encode(None))


if __name__ == "__main__":
    cut(Path(sys.argv[1]), TARGET)
