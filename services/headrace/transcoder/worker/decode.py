"""Video decoding: a source's access units in, pictures in the order in which they are shown out.

Law: a damaged unit never ends a run. It is counted, and decoding goes on at the next keyframe; the cutter fills the
hole with the last picture. Neighbours: `main` feeds it, `cut` decides about the pictures.
"""

from collections.abc import Callable
from typing import NamedTuple

import av
from av import VideoFrame
from av.error import FFmpegError

from headrace.core.broadcast import VideoSource
from headrace.core.codec.h264 import AvcConfig
from headrace.core.media import Frame
from headrace.transcoder.worker.encode import threads_for


class Picture(NamedTuple):
    """A decoded picture, its pts in ticks, and whether its access unit was a source keyframe."""

    image: VideoFrame
    pts: int
    keyframe: bool


class VideoDecoder:
    """H.264. `count` is told of access units that were lost."""

    def __init__(self, source: VideoSource, count: Callable[[str], None]) -> None:
        context = av.CodecContext.create("h264", "r")
        assert isinstance(context, av.VideoCodecContext)
        context.extradata = source.config
        if AvcConfig.parse(source.config).picture.reordered is None:
            # Else FFmpeg guesses low, and gives what then comes too late to nobody; this waits for the level's most.
            context.options = {"strict": "1"}
        context.thread_count = threads_for(source.width * source.height * source.frame_rate / 4)
        self._context = context
        self._count = count
        self._keyframes: set[int] = set()
        self._last_pts: int | None = None
        self._waiting = True  # for a keyframe

    def decode(self, frame: Frame) -> list[Picture]:
        """Give one access unit; the pictures that can be shown now. Each pts is above the one before."""
        if self._waiting and not frame.keyframe:
            self._count("video_undecodable")
            return []
        self._waiting = False
        if frame.keyframe:
            self._keyframes.add(frame.pts)
        packet = av.Packet(frame.data)
        packet.pts, packet.dts = frame.pts, frame.dts
        try:
            return self._shown(self._context.decode(packet))
        except FFmpegError:
            self._count("video_undecodable")
            self._waiting = True
            return []

    def flush(self) -> list[Picture]:
        """The pictures that still wait for their order."""
        try:
            return self._shown(self._context.decode(None))
        except FFmpegError:
            self._count("video_undecodable")
            return []

    def _shown(self, images: list[VideoFrame]) -> list[Picture]:
        pictures = []
        for image in images:
            pts = image.pts
            if pts is None or (self._last_pts is not None and pts <= self._last_pts):
                self._count("picture_out_of_order")
                continue
            self._last_pts = pts
            pictures.append(Picture(image, pts, pts in self._keyframes))
            self._keyframes = {key for key in self._keyframes if key > pts}
        return pictures
