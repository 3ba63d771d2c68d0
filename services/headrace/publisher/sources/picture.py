"""The demo's source: a moving picture, the time of day in milliseconds, and a beep each second.

Law: never ends, and its clock is the wall clock at the moment a picture is made, so that delay can be read off a
screen.
"""

import math
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import cast

import av
import av.filter
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from headrace.core.codec.h264 import AvcConfig, annexb_to_sample
from headrace.core.flv import Metadata
from headrace.publisher.media import Description, Item, SourceError
from headrace.publisher.sources.clock_face import ClockFace

WIDTH, HEIGHT, RATE = 1280, 720, 30
KBPS = 3000
SAMPLE_RATE, AAC_SAMPLES = 48_000, 1024
BEEP_S, BEEP_HZ = 0.08, 880.0
DAY_MS = 86_400_000


class PictureSource:
    """H.264 1280×720 at 30 frames/s with a keyframe each second, and AAC. `wall_ms` is the Unix clock."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._video = _video_encoder()
        self._audio = _audio_encoder()
        self.description = Description(
            metadata=Metadata(
                width=WIDTH,
                height=HEIGHT,
                frame_rate=RATE,
                video_kbps=KBPS,
                audio_kbps=128,
                sample_rate=SAMPLE_RATE,
                channels=1,
                video_codec="avc1",
                audio_codec="mp4a",
                encoder="headrace demo",
            ),
            avc=AvcConfig.from_annexb(self._video.extradata or b"").build(),
            aac=self._audio.extradata or b"",
        )

    def items(self) -> Iterator[Item]:
        """Pictures and sound, in DTS order, as fast as they are asked for."""
        background = _background()
        face = ClockFace(HEIGHT // 6)
        sound = 0
        for n in _count():
            now_ms = n * 1000 // RATE
            while sound * 1000 <= now_ms * SAMPLE_RATE:
                yield from self._sound(sound)
                sound += AAC_SAMPLES
            frame = background()
            self._draw_clock(frame, face)
            frame.pict_type = PictureType.NONE  # the filter's own would make every picture an IDR
            frame.pts = n
            frame.time_base = Fraction(1, RATE)
            for packet in self._video.encode(frame):
                at_ms = (packet.pts or 0) * 1000 // RATE
                yield Item(True, packet.is_keyframe, at_ms, at_ms, annexb_to_sample(bytes(packet)))

    def _draw_clock(self, frame: av.VideoFrame, face: ClockFace) -> None:
        wall = self._wall_ms() % DAY_MS
        text = f"{wall // 3_600_000:02}:{wall // 60_000 % 60:02}:{wall // 1000 % 60:02}.{wall % 1000:03}"
        plane = frame.planes[0]
        luma = bytearray(plane)
        face.draw(luma, plane.line_size, (WIDTH - face.width(text)) // 2, (HEIGHT - face.height) // 2, text)
        plane.update(bytes(luma))

    def _sound(self, first: int) -> Iterator[Item]:
        samples = array("f", (_beep(first + i) for i in range(AAC_SAMPLES)))
        frame = av.AudioFrame(format="fltp", layout="mono", samples=AAC_SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = SAMPLE_RATE
        frame.pts = first
        frame.time_base = Fraction(1, SAMPLE_RATE)
        for packet in self._audio.encode(frame):
            if (packet.pts or 0) >= 0:  # the encoder's priming comes before 0
                at_ms = round((packet.pts or 0) * 1000 / SAMPLE_RATE)
                yield Item(False, True, at_ms, at_ms, bytes(packet))


def _count() -> Iterator[int]:
    n = 0
    while True:
        yield n
        n += 1


def _beep(sample: int) -> float:
    at = sample % SAMPLE_RATE / SAMPLE_RATE
    if at >= BEEP_S:
        return 0.0
    return 0.25 * math.sin(math.pi * at / BEEP_S) * math.sin(2 * math.pi * BEEP_HZ * at)


def _background() -> Callable[[], av.VideoFrame]:
    """Slowly turning colours: cheap to make, and motion in every frame."""
    graph = av.filter.Graph()
    colours = graph.add("gradients", f"size={WIDTH}x{HEIGHT}:rate={RATE}:speed=0.02:nb_colors=4:seed=7")
    as_yuv = graph.add("format", "yuv420p")
    sink = graph.add("buffersink")
    graph.link_nodes(colours, as_yuv, sink).configure()
    return lambda: cast(av.VideoFrame, graph.pull())


def _video_encoder() -> VideoCodecContext:
    try:
        encoder = VideoCodecContext.create("libx264", "w")
    except av.FFmpegError as error:
        raise SourceError("this build of FFmpeg has no libx264") from error
    encoder.width, encoder.height = WIDTH, HEIGHT
    encoder.pix_fmt = "yuv420p"
    encoder.framerate = Fraction(RATE)
    encoder.time_base = Fraction(1, RATE)
    encoder.bit_rate = KBPS * 1000
    encoder.gop_size = RATE
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "threads": "1"}
    encoder.open()
    return encoder


def _audio_encoder() -> AudioCodecContext:
    encoder = AudioCodecContext.create("aac", "w")
    encoder.sample_rate = SAMPLE_RATE
    encoder.layout = "mono"
    encoder.format = "fltp"
    encoder.bit_rate = 128_000
    encoder.time_base = Fraction(1, SAMPLE_RATE)
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.options = {"aac_coder": "fast"}
    encoder.open()
    return encoder
