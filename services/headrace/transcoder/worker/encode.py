"""Video encoding: pictures in, coded samples of one rung out.

Law: the encoder decides nothing about where a GOP or a part ends (`keyint=infinite`, no scene cuts, closed GOPs); each
picture comes with its own decision. Capped CRF, because at a splice ABR falls by 1.9 dB and this does not. The declared
rate and time base come from the plan, so that equal plans give equal SPS. Source: docs on media time, §2.
Neighbours: `rung` feeds it, `package` takes the samples; its DTS are never used.
"""

from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from typing import Any, NamedTuple

import av
from av import VideoFrame
from av.codec.context import Flags
from av.video.frame import PictureType

from headrace.core.broadcast import VideoRung
from headrace.core.codec.h264 import AvcConfig, Colour, annexb_to_sample
from headrace.core.media import TICKS_PER_S

LOOKAHEAD_S = Fraction(14, 100)  # every part leaves later by as much
LEAST_LOOKAHEAD, MOST_LOOKAHEAD = 4, 10  # pictures: with 3 the bits grow by 6 % at equal PSNR; the preset has 10
PIXELS_PER_THREAD = 1920 * 1080 * 30  # pixels/s that one slow core encodes with x264's veryfast
MAX_THREADS = 8
GBR, UNSPECIFIED = 0, 2  # matrices, ISO/IEC 23091-2; the first is for 4:4:4 alone (H.264 §E.2.1)


class Force(Enum):
    """What is decided about a picture's type before it is encoded."""

    NOTHING = PictureType.NONE
    IDR = PictureType.I  # `forced-idr` makes it one
    P = PictureType.P  # the last of a part: nothing before it is shown after it


class Coded(NamedTuple):
    """One sample: its pts in ticks, length-prefixed NAL units, whether it is an IDR picture."""

    pts: int
    data: bytes
    idr: bool


class VideoEncoder:
    """libx264 for one rung. `config` is its avcC record, known before the first picture.

    `colour` is what the source says of its colours; they are not changed, so the rung says the same, but of a source in
    GBR, which its pictures are not any more.
    """

    def __init__(self, rung: VideoRung, colour: Colour | None) -> None:
        encoding = rung.encoding
        assert encoding is not None
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = rung.width, rung.height
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, TICKS_PER_S)
        context.framerate = rung.frame_rate
        context.flags |= Flags.global_header
        context.thread_count = threads_for(rung.width * rung.height * rung.frame_rate)
        if colour is not None:
            context.color_primaries = colour.primaries
            context.color_trc = colour.transfer
            context.colorspace = UNSPECIFIED if colour.matrix == GBR else colour.matrix
        context.options = {
            "preset": encoding.preset,
            "profile": "high",
            "crf": str(encoding.crf),
            "maxrate": f"{encoding.maxrate_kbps}k",
            "bufsize": f"{encoding.bufsize_kbps}k",
            "forced-idr": "1",
            "x264-params": x264_params(rung.frame_rate),
        }
        context.open()
        self._context = context
        self.config = AvcConfig.from_annexb(context.extradata or b"")

    def encode(self, picture: VideoFrame, pts: int, force: Force) -> list[Coded]:
        """Give one picture, shown at `pts`; what comes out belongs to earlier ones, as a rule."""
        picture.pts = pts
        picture.time_base = Fraction(1, TICKS_PER_S)
        picture.pict_type = force.value  # always set: the source's own types survive scaling
        return self._coded(self._context.encode(picture))

    def flush(self) -> list[Coded]:
        """All that is still inside; the encoder is spent."""
        return self._coded(self._context.encode(None))

    def _coded(self, packets: "Sequence[av.Packet[Any]]") -> list[Coded]:
        coded = []
        for packet in packets:
            assert packet.pts is not None
            coded.append(Coded(packet.pts, annexb_to_sample(bytes(packet)), packet.is_keyframe))
        return coded


def threads_for(pixels_per_s: Fraction) -> int:
    """Threads for a codec that has this much to do."""
    return min(MAX_THREADS, 1 + int(pixels_per_s / PIXELS_PER_THREAD))


def x264_params(frame_rate: Fraction) -> str:
    """What a rung of this rate wants of x264 beside its preset. Its threads share each picture, so they hold none."""
    lookahead = max(LEAST_LOOKAHEAD, min(MOST_LOOKAHEAD, round(frame_rate * LOOKAHEAD_S)))
    return f"keyint=infinite:scenecut=0:open-gop=0:bframes=2:rc-lookahead={lookahead}"
