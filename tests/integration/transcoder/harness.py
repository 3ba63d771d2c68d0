"""Real media in, published parts back out: sources as an edge would send them, workers, and what FFmpeg reads.

Law: times are the milliseconds that RTMP would have carried; what is read back is the concatenation of init and parts.
"""

import io
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from headrace.core.broadcast import AudioSource, Gap, Init, Plan, Profile, Source, VideoSource, make_plan
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig
from headrace.core.media import TICKS_PER_S, Frame, Kind, Timeline
from headrace.livelog.base import RungPosition
from headrace.transcoder.pipe import Begin, Counted, Done, Failed, Flush, Made, Message, WorkerEnd, encode
from tests.support import barcode

CLIP = Path(__file__).parents[2] / "media" / "bbb-1080p24.mp4"
ORIGIN_S = 10
"""Media time at timeline 0."""


@dataclass(frozen=True)
class Clip:
    """A source and its frames in the order of arrival."""

    source: Source
    frames: list[Frame]

    @property
    def shown(self) -> list[int]:
        """The pictures' pts, ticks, in presentation order."""
        return sorted(frame.pts for frame in self.frames if frame.kind is Kind.VIDEO)

    @property
    def end(self) -> int:
        """Where the last picture ends."""
        return self.shown[-1] + round(TICKS_PER_S / self.source.video.frame_rate)

    def plan(self, profile: object) -> Plan:
        return make_plan(Profile.parse(profile), self.source)  # type: ignore[arg-type]


def clip_of(path: Path, seconds: float = 1e9) -> Clip:
    """What a publisher of `path` would send, by its first `seconds`."""
    with av.open(path) as container:
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        assert video.codec_context.extradata is not None
        timeline = Timeline()
        asc = None
        if audio is not None:
            assert audio.codec_context.extradata is not None
            asc = AudioSpecificConfig.parse(audio.codec_context.extradata)
            timeline.describe_audio(asc.sample_rate, asc.frame_samples)
        frames: list[Frame] = []
        for packet in container.demux([video, *([audio] if audio else [])]):
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue
            if packet.dts * packet.time_base >= seconds:
                continue
            dts_ms = round(1000 * (packet.dts * packet.time_base + 1))
            cts_ms = round(1000 * (packet.pts * packet.time_base + 1)) - dts_ms
            data = bytes(packet)
            if packet.stream is video:
                frame = timeline.video(dts_ms, cts_ms, keyframe=packet.is_keyframe, data=data)
            else:
                frame = timeline.audio(dts_ms, data)
            if frame is not None:
                frames.append(frame)
        config = bytes(video.codec_context.extradata)
        rate = Fraction(video.average_rate or 0)
        source = _source(config, rate, asc, bytes(audio.codec_context.extradata or b"") if audio else b"", frames)
    return Clip(source, frames)


def _source(config: bytes, rate: Fraction, asc: AudioSpecificConfig | None, aac: bytes, frames: list[Frame]) -> Source:
    picture = AvcConfig.parse(config).picture
    pictures = [frame for frame in frames if frame.kind is Kind.VIDEO]
    keys = [frame.pts for frame in pictures if frame.keyframe]
    shown = sorted(frame.pts for frame in pictures)[:31]
    first = next((pts for pts in keys if pts >= 2 * TICKS_PER_S - 22_500), 0)
    sound = None
    if asc is not None:
        grid = next(frame.sample for frame in frames if frame.kind is Kind.AUDIO)
        sound = AudioSource("mp4a", aac, asc.sample_rate, asc.channels, asc.frame_samples, grid=grid)
    delta = pictures[0].pts - pictures[0].dts
    intervals = tuple(b - a for a, b in pairwise(shown))
    return Source(
        VideoSource("avc1", config, picture.width, picture.height, picture.sar, rate, 0, delta, first, True, intervals),
        sound,
    )


@dataclass
class Output:
    """What was made, by rung."""

    inits: dict[str, Init] = field(default_factory=dict)
    parts: dict[str, list[Made]] = field(default_factory=lambda: defaultdict(list))
    gaps: dict[str, list[Gap]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failed: str = ""
    done: bool = False

    def stream(self, rung: str) -> bytes:
        """The rung's init and all its parts."""
        return self.inits[rung].data + b"".join(made.data for made in self.parts[rung])


def work(begin: Begin, frames: Iterable[Frame]) -> Output:
    """Run a worker process over `frames`, to its end."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "headrace.transcoder.worker", str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]), ours:
        theirs.close()

        def feed() -> None:
            messages: list[Message] = [begin, *frames, Flush()]
            try:
                for message in messages:
                    ours.sendall(b"".join(encode(message)))
            except OSError:
                pass  # the reader sees how it ended

        feeder = threading.Thread(target=feed)
        feeder.start()
        output = Output()
        pipe = WorkerEnd(ours)
        while (message := pipe.receive()) is not None:
            match message:
                case Init():
                    output.inits[message.rung] = message
                case Made(part):
                    output.parts[part.rung].append(message)
                case Gap():
                    output.gaps[message.rung].append(message)
                case Counted(what, times):
                    output.counted[what] += times
                case Failed(why):
                    output.failed = why
                case Done():
                    output.done = True
        feeder.join()
    return output


def begin_of(
    plan: Plan, source: Source, positions: dict[str, RungPosition] | None = None, encoder: str = "e1"
) -> Begin:
    return Begin(plan, source, positions or {}, dict.fromkeys(plan.rung_names, encoder))


def decoded_video(data: bytes) -> list[tuple[int, "av.VideoFrame"]]:
    """(pts in ticks on the timeline, picture) of each picture that FFmpeg decodes."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [
            (round((frame.pts or 0) * stream.time_base * TICKS_PER_S) - ORIGIN_S * TICKS_PER_S, frame)
            for frame in container.decode(stream)
        ]


def packets(data: bytes) -> list[tuple[int, int, int]]:
    """(dts, pts, duration) of each packet, in the track's time scale, 10 s taken off."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams[0]
        assert stream.time_base is not None
        zero = round(ORIGIN_S / stream.time_base)
        return [
            (p.dts - zero, p.pts - zero, p.duration or 0)
            for p in container.demux(stream)
            if p.dts is not None and p.pts is not None
        ]


def decoded_audio(data: bytes) -> tuple[int, npt.NDArray[np.float32]]:
    """The first sample's place on the timeline, and the sound (channels x samples)."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        assert stream.time_base is not None
        first = frames[0]
        zero = round(ORIGIN_S * first.sample_rate)
        start = round((first.pts or 0) * stream.time_base * first.sample_rate) - zero
        return start, np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def psnr(a: "av.VideoFrame", b: "av.VideoFrame") -> float:
    """Of luma, dB; `b` is scaled to `a`."""
    x = a.to_ndarray(format="gray").astype(np.float64)
    y = b.reformat(a.width, a.height, "gray", interpolation="BICUBIC").to_ndarray().astype(np.float64)
    error = float(np.mean((x - y) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255 * 255 / error))


@dataclass(frozen=True)
class Recipe:
    """A made-up source: numbered pictures, and a tone of 440 Hz."""

    rate: Fraction = Fraction(25)
    width: int = 320
    height: int = 180
    seconds: float = 5.0
    gop: int = 30
    audio_rate: int = 48_000
    channels: int = 2
    """0: no sound."""
    audio_seconds: float = 1e9


def tone(rate: int, start: int, samples: int) -> npt.NDArray[np.float32]:
    """The recipe's sound by the sample's place."""
    return (0.4 * np.sin(2 * np.pi * 440 * (np.arange(samples) + start) / rate)).astype(np.float32)


def made(recipe: Recipe, path: Path) -> Clip:
    """Encode the recipe into `path` and read it as a publisher would send it."""
    count = round(recipe.rate * Fraction(recipe.seconds))
    with av.open(path, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=recipe.rate)
        video.width, video.height, video.pix_fmt = recipe.width, recipe.height, "yuv420p"
        x264 = f"keyint={recipe.gop}:min-keyint={recipe.gop}:scenecut=0:bframes=2:open-gop=0"
        video.options = {"preset": "veryfast", "crf": "18", "x264-params": x264}
        layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(recipe.channels, "")
        audio = container.add_stream("aac", rate=recipe.audio_rate, layout=layout) if recipe.channels else None
        at = 0
        for index in range(count):
            picture = numbered(recipe.width, recipe.height, index)
            picture.pts, picture.time_base = index, 1 / recipe.rate
            container.mux(video.encode(picture))
            until = min(float((index + 1) / recipe.rate), recipe.audio_seconds) * recipe.audio_rate
            while audio is not None and at < until:
                sound = np.stack([tone(recipe.audio_rate, at, 1024)] * recipe.channels)
                frame = av.AudioFrame.from_ndarray(sound, "fltp", layout)
                frame.sample_rate, frame.pts, frame.time_base = recipe.audio_rate, at, Fraction(1, recipe.audio_rate)
                container.mux(audio.encode(frame))
                at += 1024
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return clip_of(path)


def numbered(width: int, height: int, index: int) -> av.VideoFrame:
    """A picture that says its number, with a texture that moves."""
    picture = av.VideoFrame(width, height, "yuv420p")
    y, x = np.mgrid[0:height, 0:width]
    luma = (128 + 60 * np.sin((x + 3 * index) / 17) * np.cos((y + index) / 11)).astype(np.uint8)
    barcode.draw(luma, index)
    planes = [luma, np.full((height // 2, width // 2), 100 + index % 50, np.uint8)]
    planes.append(planes[1])
    for plane, values in zip(picture.planes, planes, strict=True):
        padded = np.zeros((values.shape[0], plane.line_size), np.uint8)
        padded[:, : values.shape[1]] = values
        plane.update(padded.tobytes())
    return picture


def numbers(pictures: list[tuple[int, av.VideoFrame]]) -> list[int]:
    """What the pictures say."""
    return [barcode.read(picture.to_ndarray(format="gray").astype(np.uint8)) for _, picture in pictures]
