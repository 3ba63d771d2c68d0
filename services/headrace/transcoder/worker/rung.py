"""One encoded rung: the thread that scales, hands the picture on to the rungs that scale from it, and encodes it.

Law: what was decided about a picture is decided for all rungs; a rung only leaves out what its stride does not keep and
what is already in the log. Neighbours: `video` plans the pictures, `package` makes the parts.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from av import VideoFrame

from headrace.core.broadcast import Init, VideoRung
from headrace.core.cmaf import VideoTrack, video_init
from headrace.core.codec.h264 import Colour
from headrace.core.hls.segmenter import PartClosed, Planned, Position
from headrace.transcoder.pipe import Made, Message
from headrace.transcoder.worker.encode import Force, VideoEncoder
from headrace.transcoder.worker.package import VideoPackager
from headrace.transcoder.worker.scale import Scaler
from headrace.transcoder.worker.threads import Box

PICTURES = 4  # waiting before a rung: 12 MB at 1080p


class Shot(NamedTuple):
    """A picture and what is planned for it."""

    planned: Planned
    image: VideoFrame


Step = Shot | PartClosed | None
"""What a rung is given; None after the last."""


class Rung:
    """Runs one rung from `inbox`; `below` scale from its pictures. `send` may be called from any thread."""

    def __init__(
        self,
        rung: VideoRung,
        position: Position,
        encoder: str,
        colour: Colour | None,
        below: "Sequence[Rung]",
        send: Callable[[Message], None],
    ) -> None:
        self.inbox: Box[Step] = Box(PICTURES)
        self._rung = rung
        self._from = (position.msn, position.part)
        self._begun = False
        self._below = below
        self._strides: frozenset[int] = frozenset({rung.stride}).union(*(one._strides for one in below))
        self._send = send
        self._scaler = Scaler(rung.width, rung.height)
        self._encoder = VideoEncoder(rung, colour)
        self._packager = VideoPackager(rung, encoder)

    @property
    def init(self) -> Init:
        """The rung's initialization section, by what the encoder really does."""
        rung, config = self._rung, self._encoder.config
        assert rung.encoding is not None
        picture = config.picture
        track = VideoTrack(
            config.build(), rung.width, rung.height, picture.sar, picture.colour, rung.encoding.maxrate_kbps * 1000
        )
        return Init(rung.name, config.codec_string, video_init(track), rung.width, rung.height, rung.frame_rate)

    def run(self) -> None:
        """Work until None comes, then empty the encoder."""
        while (step := self.inbox.get()) is not None:
            if isinstance(step, PartClosed):
                self._pass_on(step, 0)
                self._close(step)
            elif any(step.planned.kept(stride) for stride in self._strides):
                self._show(step)
        self._pass_on(None, 0)
        self._emit(self._packager.add(self._encoder.flush()))

    def _show(self, shot: Shot) -> None:
        planned = shot.planned
        image = self._scaler.scale(shot.image)
        self._pass_on(Shot(planned, image), 1)
        stride = self._rung.stride
        if (planned.msn, planned.part) < self._from or not planned.kept(stride):
            return
        force = Force.NOTHING
        if planned.idr or not self._begun:
            force = Force.IDR
        elif planned.last(stride):
            force = Force.P
        self._begun = True
        self._emit(self._packager.add(self._encoder.encode(image, planned.pts, force)))

    def _close(self, part: PartClosed) -> None:
        if (part.msn, part.part) >= self._from:
            self._emit(self._packager.close(part))

    def _pass_on(self, step: Step, size: int) -> None:
        for rung in self._below:
            rung.inbox.put(step, size)

    def _emit(self, made: list[Made]) -> None:
        for one in made:
            self._send(one)
