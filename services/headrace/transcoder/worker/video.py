"""Encoded video: the thread that decodes the source and decides, once for all rungs, what becomes of each picture.

Law: every rung hears the same decisions in the same order, and whoever follows the cuts (sound) hears of a part when it
is closed. Neighbours: `decode` gives pictures, the segmenter decides, `rung` obeys.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from av import VideoFrame

from headrace.core.broadcast import Plan, VideoSource
from headrace.core.errors import HeadraceError
from headrace.core.hls.segmenter import EncodedCutter, PartClosed, Planned, Position, Span
from headrace.core.media import TICKS_PER_S, Frame
from headrace.transcoder.worker.decode import Picture, VideoDecoder
from headrace.transcoder.worker.rung import Rung, Shot, Step
from headrace.transcoder.worker.threads import Box

INPUT_BYTES = 4 << 20  # access units that wait for the decoder: 5 s of 6 Mbit/s
LONGEST_GAP = 60 * TICKS_PER_S  # an edge calls a source lost after 5 s, so this is no gap that is to be filled


class TimeJump(HeadraceError):
    """Two pictures are further apart than any hole that is to be filled."""

    code = "time_jump"


class Follower(Protocol):
    """Whoever follows the cuts: it hears of each part of the leading rung, and how far the open one is known to go.

    It hears so after every picture: a part may have to wait until the next one is known to hold something.
    """

    def follow(self, spans: Sequence[Span], reached: int) -> None:
        """`spans` are whole, all that became so at once; the part after the last ends after tick `reached`."""


class EncodedVideo:
    """Takes access units from `inbox` (`Frame`), then the tick at which the run ends (`int`)."""

    def __init__(
        self,
        plan: Plan,
        source: VideoSource,
        position: Position,
        tops: Sequence[Rung],
        follower: Follower,
        count: Callable[[str], None],
    ) -> None:
        self.inbox: Box[Frame | int] = Box(INPUT_BYTES)
        self._decoder = VideoDecoder(source, count)
        self._cutter = EncodedCutter(plan, position)
        self._tops = tops
        self._follower = follower
        self._images: dict[int, VideoFrame] = {}  # by the cutter's count of pictures; those it may still ask for
        self._pushed = 0
        self._last: int | None = None

    def run(self) -> None:
        """Work until the end comes; then all rungs are told."""
        while isinstance(frame := self.inbox.get(), Frame):
            self._show(self._decoder.decode(frame))
        self._show(self._decoder.flush())
        self._obey(self._cutter.finish(frame))
        self._hand_on(None, 0)

    def _show(self, pictures: list[Picture]) -> None:
        for picture in pictures:
            if self._last is not None and picture.pts - self._last > LONGEST_GAP:
                raise TimeJump(f"{(picture.pts - self._last) / TICKS_PER_S:.1f} s without a picture")
            self._last = picture.pts
            self._images[self._pushed] = picture.image
            self._pushed += 1
            self._obey(self._cutter.push(picture.pts, picture.keyframe))

    def _obey(self, decided: list[Planned | PartClosed]) -> None:
        for one in decided:
            if isinstance(one, PartClosed):
                self._hand_on(one, 0)
            else:
                for index in [index for index in self._images if index < one.source]:
                    del self._images[index]
                self._hand_on(Shot(one, self._images[one.source]), 1)
        self._follower.follow([one for one in decided if isinstance(one, PartClosed)], self._cutter.reached)

    def _hand_on(self, step: Step, size: int) -> None:
        for rung in self._tops:
            rung.inbox.put(step, size)
