"""Passed-through video: the source's own samples in parts, nothing decoded.

Law: a sample's bytes and times go out as they came in, but for a DTS that did not grow. Any worker that packages the
same samples makes the same bytes, so all of them are one encoder.
Neighbours: the segmenter cuts, `package` has the clock.
"""

from collections.abc import Callable

from headrace.core import cmaf
from headrace.core.broadcast import Init, Plan, VideoRung, VideoSource
from headrace.core.codec.h264 import AvcConfig
from headrace.core.hls.segmenter import GapPart, PassthroughCutter, PassthroughPart, Position
from headrace.core.media import TICKS_PER_S, Frame
from headrace.transcoder.pipe import Message
from headrace.transcoder.worker.package import MEDIA_ORIGIN_S, gap, made, sequence
from headrace.transcoder.worker.video import Follower

SOURCE_ENCODER = "source"
"""The encoder of everything that is passed through."""


REORDER = 2 * TICKS_PER_S
"""How much later than its DTS + delta a sample may still open a segment."""


class PassthroughVideo:
    """One passed-through rung. `follower` follows its cuts where no encoded rung leads.

    `own` is the rung's position; the cuts are known from `start`, which may be before it.
    """

    def __init__(
        self,
        plan: Plan,
        rung: VideoRung,
        source: VideoSource,
        start: Position,
        own: Position,
        follower: Follower | None,
        send: Callable[[Message], None],
    ) -> None:
        self._rung = rung
        self._source = source
        self._cutter = PassthroughCutter(plan, rung, start)
        self._from = (own.msn, own.part)
        self._follower = follower
        self._send = send
        self._data: dict[int, tuple[int, bytes]] = {}  # dts and bytes by the cutter's count; those not in a part yet
        self._pushed = 0

    @property
    def init(self) -> Init:
        """The initialization section, by the source's own configuration: equal in all sessions, so without a rate."""
        config = AvcConfig.parse(self._source.config)
        picture = config.picture
        track = cmaf.VideoTrack(self._source.config, picture.width, picture.height, picture.sar, picture.colour)
        size = (self._rung.width, self._rung.height)
        return Init(self._rung.name, config.codec_string, cmaf.video_init(track), *size, self._rung.frame_rate)

    def push(self, frame: Frame) -> None:
        """The next access unit, in decode order."""
        self._data[self._pushed] = frame.dts, frame.data
        self._pushed += 1
        self._emit(self._cutter.push(frame.dts, frame.pts, frame.keyframe))

    def finish(self, end: int) -> None:
        """The run ends at tick `end`."""
        self._emit(self._cutter.finish(end))

    def _emit(self, parts: list[PassthroughPart | GapPart]) -> None:
        for part in parts:
            if (part.msn, part.part) >= self._from:
                self._make(part)
        if self._follower is not None:
            self._follower.follow(parts, self._cutter.reached)

    def _make(self, part: PassthroughPart | GapPart) -> None:
        if isinstance(part, GapPart):
            self._send(gap(self._rung.name, part, SOURCE_ENCODER))
            self._forget(part.start - self._rung.delta - REORDER)
        else:
            self._send(made(self._rung.name, part, part.independent, SOURCE_ENCODER, self._fragment(part)))

    def _forget(self, before: int) -> None:
        """Samples that no part can hold any more: a rung may wait for its next keyframe for ever."""
        for index in [index for index, (dts, _) in self._data.items() if dts < before]:
            del self._data[index]

    def _fragment(self, part: PassthroughPart) -> bytes:
        # Samples before these were published by somebody else, or lie in a gap.
        for index in [index for index in self._data if index < part.samples[0].source]:
            del self._data[index]
        samples = [
            cmaf.Sample(self._data.pop(one.source)[1], one.duration, one.cts, one.keyframe) for one in part.samples
        ]
        base = part.samples[0].dts + MEDIA_ORIGIN_S * TICKS_PER_S
        return cmaf.fragment(sequence(part.msn, part.part), base, samples)
