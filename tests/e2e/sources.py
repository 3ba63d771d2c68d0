"""What the tests publish: the film, and small clips made when first asked for, each awkward in its own way.

Every clip's pictures carry their number as a bar code, starting from 0. The made clips also have sound that says when
it is: a short tone at each whole second, silence between.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support import barcode

FILM = Path(__file__).parents[1] / "media" / "bbb-1080p24.mp4"
REORDER = 2
"""How many pictures x264 sends after one that is shown after them."""
TONE_S = 0.1
TONE_HZ = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """A clip. `gop`: frames between keyframes (0: uneven); `sample_rate` 0: no sound; `tones`: sound as made here."""

    name: str
    width: int
    height: int
    rate: Fraction
    frames: int
    gop: int
    sample_rate: int = 48_000
    channels: int = 2
    tones: bool = True

    @property
    def pts(self) -> list[int]:
        """When each picture is shown after RTMP's rounding to milliseconds, in ticks from the first."""
        return [90 * int(Fraction(1000 * n) / self.rate + Fraction(1, 2)) for n in range(self.frames)]

    @property
    def end(self) -> int:
        """When the last picture has been shown, ticks."""
        return int(90_000 * self.frames / self.rate)

    @property
    def frame_span(self) -> int:
        """How long a picture is shown, ticks, rounded up with the millisecond that RTMP may add."""
        return int(90_000 / self.rate) + 91

    def begins_with(self, shown: dict[int, int]) -> bool:
        """Whether pictures by pts are this clip's first ones, none missing and each in its place.

        Where an encoder was cut off, of the last pictures one may be there whose predecessors, which are sent after it,
        are not.
        """
        places = dict(zip(self.pts, range(self.frames), strict=True))
        whole = set(range(len(shown) - REORDER))
        return shown.items() <= places.items() and whole <= set(shown.values())


NTSC_60 = Fraction(60_000, 1001)
BUNNY = Source("film", 1920, 1080, Fraction(24), 720, 0, tones=False)
WIDE = Source("25fps-640x272", 640, 272, Fraction(25), 200, 50)
FAST = Source("59.94fps", 640, 360, NTSC_60, 480, 60)
SILENT = Source("no-sound", 640, 360, Fraction(30), 210, 45, sample_rate=0)
MONO = Source("44.1kHz-mono", 426, 240, Fraction(30), 240, 54, sample_rate=44_100, channels=1)


def file_of(source: Source, folder: Path) -> Path:
    """The clip as an MP4 file, made in `folder` unless it is there."""
    if source is BUNNY:
        return FILM
    path = folder / f"{source.name}.mp4"
    if not path.exists():
        made = path.with_suffix(".part.mp4")
        _make(source, made)
        made.rename(path)
    return path


def _make(source: Source, path: Path) -> None:
    with av.open(path, "w") as out:
        video = out.add_stream("libx264", rate=source.rate)
        video.width, video.height, video.pix_fmt = source.width, source.height, "yuv420p"
        video.codec_context.time_base = 1 / source.rate
        video.options = {
            "preset": "veryfast",
            "crf": "25",
            "x264-params": f"keyint={source.gop}:min-keyint={source.gop}:scenecut=0:open-gop=0:bframes=2",
        }
        audio = None
        if source.sample_rate:
            layout = "mono" if source.channels == 1 else "stereo"
            audio = out.add_stream("aac", rate=source.sample_rate, layout=layout)
            audio.bit_rate = 96_000
        for number in range(source.frames):
            frame = av.VideoFrame.from_ndarray(_picture(source, number), "yuv420p")
            frame.pts, frame.time_base = number, 1 / source.rate
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            for start in range(0, round(source.frames / source.rate * source.sample_rate), 1024):
                sound = av.AudioFrame.from_ndarray(_sound(source, start), "fltp", layout)
                sound.sample_rate, sound.pts, sound.time_base = (
                    source.sample_rate,
                    start,
                    Fraction(1, source.sample_rate),
                )
                out.mux(audio.encode(sound))
            out.mux(audio.encode(None))


def _picture(source: Source, number: int) -> np.ndarray:
    """A moving grey slope under noise, without which no bitrate would be worth a ladder, and the bar code. 4:2:0."""
    picture = np.full((source.height * 3 // 2, source.width), 128, np.uint8)
    slope = 60 + (np.arange(source.width) + 2 * number) % 120
    noise = np.random.default_rng(number).integers(0, 24, (source.height, source.width))
    picture[: source.height] = (slope + noise).astype(np.uint8)
    barcode.draw(picture[: source.height], number)
    return picture


def _sound(source: Source, start: int) -> np.ndarray:
    seconds = (start + np.arange(1024)) / source.sample_rate
    tone = np.where(seconds % 1 < TONE_S, 0.5 * np.sin(2 * np.pi * TONE_HZ * seconds), 0)
    return np.tile(tone.astype(np.float32), (source.channels, 1))
