"""Video decoding: a source's access units in, pictures in the order in which they are shown out.

Law: every unit has its picture, in its time and with its flag, so that the cuts of encoded rungs stay those of a
passed-through one. For what FFmpeg cannot give the picture before it stands in, and is counted; decoding goes on with
the next unit, after a keyframe that is lost with the next keyframe.
Neighbours: `video` feeds it and gives the pictures to the cutter.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import av
from av import VideoFrame
from av.error import FFmpegError

from headrace.core.broadcast import VideoSource
from headrace.core.codec.h264 import AvcConfig
from headrace.core.media import Frame
from headrace.transcoder.worker.encode import threads_for
from headrace.transcoder.worker.scale import share

MOST_DUE = 32  # units without their pictures: H.264 reorders over 16, and 8 threads hold one each


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
        self._due: dict[int, bool] = {}  # units whose pictures have not been shown: pts, keyframe
        self._last: Picture | None = None
        self._waiting = True  # for a keyframe: there is nothing that other units could be decoded from

    def decode(self, frame: Frame) -> list[Picture]:
        """Give one access unit; the pictures that can be shown now. Each pts is above the one before."""
        if self._last is None or frame.pts > self._last.pts:
            self._due[frame.pts] = frame.keyframe
        if frame.keyframe:
            self._waiting = False
        images: list[VideoFrame] = []
        if not self._waiting:
            packet = av.Packet(frame.data)
            packet.pts, packet.dts = frame.pts, frame.dts
            try:
                images = self._context.decode(packet)
            except FFmpegError:
                self._waiting = frame.keyframe
        return self._shown(images, MOST_DUE)

    def flush(self) -> list[Picture]:
        """The pictures that still wait for their order."""
        images: list[VideoFrame] = []
        with suppress(FFmpegError):
            images = self._context.decode(None)
        return self._shown(images, 0)

    def _shown(self, images: list[VideoFrame], most_due: int) -> list[Picture]:
        pictures: list[Picture] = []
        for image in images:
            if image.pts not in self._due:
                self._count("picture_out_of_order")
                continue
            share(image)
            while (missing := min(self._due)) < image.pts:
                pictures.append(self._stand_in(missing, image))
            self._last = Picture(image, image.pts, self._due.pop(image.pts))
            pictures.append(self._last)
        while len(self._due) > most_due:
            missing = min(self._due)
            if self._last is not None:
                pictures.append(self._stand_in(missing, self._last.image))
            else:
                self._count("video_undecodable")
                del self._due[missing]
        return pictures

    def _stand_in(self, pts: int, image: VideoFrame) -> Picture:
        """The last picture again for the one that did not come; `image` where there is none before it."""
        self._count("video_undecodable")
        self._last = Picture(self._last.image if self._last else image, pts, self._due.pop(pts))
        return self._last
