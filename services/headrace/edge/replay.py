"""The replay buffer: a publisher's media until the log has it for good.

Law: bounded in bytes. Only what is not yet published stops the reading of the socket; what is published but not durable
gives way, oldest first. Trimmed by `durable_through` alone: to the keyframe before it, and 1.5 s of audio before that.
Neighbours: `session` appends, `forwarder` takes and trims.
"""

import math
from collections import deque

from headrace.core.media import TICKS_PER_S, Frame, Kind
from headrace.edge import metrics
from headrace.edge.budget import Budget

FRAME_BYTES = 256  # what a frame costs besides its data, so that empty ones count as well
AUDIO_LEAD = 3 * TICKS_PER_S // 2  # what an audio decoder and encoder need before a splice is clean

_DROPPED = metrics.DROPPED.labels("published_beyond_bound")


class ReplayBuffer:
    """Frames in the order of arrival, of at most `max_bytes` (and one read of the socket more).

    `unpublished_bytes` and `unsent_bytes` count a frame's own costs as well, as the bound does.
    """

    def __init__(self, max_bytes: int, budget: Budget) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self.unpublished_bytes = 0
        self._budget = budget
        self._video: deque[Frame] = deque()
        self._audio: deque[Frame] = deque()
        self._delta: int | None = None
        self._keyframes: deque[tuple[int, Frame]] = deque()
        self._unsent: deque[Frame] = deque()
        self.unsent_bytes = 0
        self._unpublished: deque[Frame] = deque()
        self._durable_through: int | None = None
        budget.buffers.add(self)

    @property
    def full(self) -> bool:
        """Whether the socket must wait: the bound is reached by bytes that are not published."""
        return self.unpublished_bytes >= self.max_bytes

    @property
    def replayable(self) -> bool:
        """Whether what is held starts at a keyframe, so that another transcoder could go on from here."""
        return not self._video or self._video[0].keyframe

    @property
    def unpublished(self) -> int:
        """How much media is not published, ticks."""
        return max(0, self._newest - self._unpublished[0].pts) if self._unpublished else 0

    @property
    def undurable(self) -> int:
        """How much media is not durable, ticks."""
        if not self:
            return 0
        durable = self._durable_through
        return max(0, self._newest - (self._oldest if durable is None else durable))

    def __len__(self) -> int:
        return len(self._video) + len(self._audio)

    def append(self, frame: Frame) -> None:
        """Hold `frame` and queue it for sending."""
        if frame.kind is Kind.VIDEO:
            self._video.append(frame)
            if self._delta is None:
                self._delta = frame.pts - frame.dts
            if frame.keyframe:
                # Cuts of a passed-through rung lie at DTS + delta, so a keyframe covers what is after both.
                self._keyframes.append((max(frame.pts, frame.dts + self._delta), frame))
        else:
            self._audio.append(frame)
        size = len(frame.data) + FRAME_BYTES
        self._count(size)
        self.unpublished_bytes += size
        self.unsent_bytes += size
        self._unpublished.append(frame)
        self._unsent.append(frame)
        if self.held_bytes > self.max_bytes:
            self._drop_published()

    def take(self, max_bytes: int) -> list[Frame]:
        """The unsent frames, in order, up to `max_bytes` (at least one frame if there is any)."""
        if self.unsent_bytes <= max_bytes:
            taken = list(self._unsent)
            self._unsent.clear()
            self.unsent_bytes = 0
            return taken
        taken = []
        size = 0
        while self._unsent and (not taken or size + _size(self._unsent[0]) <= max_bytes):
            taken.append(self._unsent.popleft())
            size += _size(taken[-1])
        self.unsent_bytes -= size
        return taken

    def published(self, through: int) -> None:
        """Everything before `through` (ticks) is published."""
        while self._unpublished and self._unpublished[0].pts < through:
            self.unpublished_bytes -= _size(self._unpublished.popleft())
        self._drop_published()

    def trim(self, durable_through: int) -> None:
        """Forget whole GOPs that end before `durable_through` (ticks), keeping the audio lead-in."""
        self._durable_through = durable_through
        while len(self._keyframes) > 1 and self._keyframes[1][0] <= durable_through:
            self._keyframes.popleft()
        if not self._keyframes or self._keyframes[0][0] > durable_through:
            return
        keyframe = self._keyframes[0][1]
        freed = 0
        while self._video[0] is not keyframe:
            freed += _size(self._video.popleft())
        audio_from = keyframe.pts - AUDIO_LEAD
        while self._audio and self._audio[0].pts < audio_from:
            freed += _size(self._audio.popleft())
        self._count(-freed)

    def clear(self) -> None:
        """Forget everything: the publish is over."""
        self._budget.buffers.discard(self)
        self._count(-self.held_bytes)
        self.unpublished_bytes = self.unsent_bytes = 0
        for held in (self._video, self._audio, self._keyframes, self._unsent, self._unpublished):
            held.clear()

    @property
    def _newest(self) -> int:
        return max(held[-1].pts for held in (self._video, self._audio) if held)

    @property
    def _oldest(self) -> int:
        return min(held[0].pts for held in (self._video, self._audio) if held)

    def _drop_published(self) -> None:
        """Make room among the published frames: a GOP longer than the bound cannot be kept whole."""
        horizon = self._unpublished[0].pts if self._unpublished else math.inf
        for held in (self._video, self._audio):
            while held and self.held_bytes > self.max_bytes and held[0].pts < horizon:
                frame = held.popleft()
                if frame.kind is Kind.VIDEO and frame.keyframe:
                    self._keyframes.popleft()
                self._count(-_size(frame))
                _DROPPED.inc()

    def _count(self, size: int) -> None:
        self.held_bytes += size
        self._budget.hold(size)


def _size(frame: Frame) -> int:
    return len(frame.data) + FRAME_BYTES
