"""Scaling: a picture in the size and format of one rung.

Law: a rung is scaled from the smallest rung that is at least twice as wide and as high, else from the source. What that
loses an encoder's own noise hides (0.1 dB); a smaller step would cost the next rung up to 0.25 dB. One scaler lives as
long as its rung; it makes 8-bit 4:2:0 in limited range. Neighbours: `rung` owns it.
"""

from collections.abc import Sequence

from av import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc, Interpolation, VideoReformatter

from headrace.core.broadcast import VideoRung

BT470BG, SMPTE170M = 5, 6  # one matrix by two names, ISO/IEC 23091-2


def scaled_from(rungs: Sequence[VideoRung]) -> dict[str, str | None]:
    """By rung, the one whose pictures it is scaled from; None: the source's own."""
    above: dict[str, str | None] = {}
    for rung in rungs:
        larger = [r for r in rungs if r.width >= 2 * rung.width and r.height >= 2 * rung.height]
        above[rung.name] = min(larger, key=lambda r: r.width * r.height).name if larger else None
    return above


def share(picture: VideoFrame) -> None:
    """Let several rungs scale `picture` at the same time.

    While PyAV scales one, the picture itself says this of its colours, which is all that the scaler needs to know; it
    then gets back what it said before. Threads would take that from each other, and a scaler may refuse what it sees.
    """
    picture.color_trc = ColorTrc.UNSPECIFIED
    picture.color_primaries = ColorPrimaries.UNSPECIFIED
    if picture.colorspace == BT470BG:
        picture.colorspace = SMPTE170M


class Scaler:
    """Scales to `width` x `height` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._reformatter = VideoReformatter()

    def scale(self, picture: VideoFrame) -> VideoFrame:
        """The picture in this rung's size; the same object where nothing is to be done."""
        # Asked for a range that the picture does not name, the scaler would copy it for nothing.
        full_range = picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")
        return self._reformatter.reformat(
            picture,
            self._width,
            self._height,
            "yuv420p",
            interpolation=Interpolation.BICUBIC,
            dst_color_range=ColorRange.MPEG if full_range else None,
            threads=1,
        )
