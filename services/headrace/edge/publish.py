"""Media of one publish: tag bodies in, frames in the replay buffer out.

Law: synchronous and cheap, every frame passes here; what cannot be used is dropped and counted, what cannot be served
is Refused. Frames are counted in `count`, now and then. Neighbours: `session` owns one, `describe` looks on, `replay`
holds the frames.
"""

from headrace.core import flv
from headrace.core.broadcast import MAX_CONFIG_BYTES, Refused, Source
from headrace.core.broadcast.refusals import Reason
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.media import Frame, Timeline
from headrace.edge import metrics
from headrace.edge.describe import Describer
from headrace.edge.replay import ReplayBuffer
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import OpenedSession

_VIDEO_FRAMES = metrics.FRAMES.labels("video")
_AUDIO_FRAMES = metrics.FRAMES.labels("audio")
_DROPPED = {reason: metrics.DROPPED.labels(reason) for reason in metrics.DROPS}


class Publish:
    """One publisher's media, from where its session starts on the run's timeline."""

    def __init__(self, opened: OpenedSession, buffer: ReplayBuffer) -> None:
        self.buffer = buffer
        self.anchor_ms = opened.anchor_ms
        self._opened = opened
        self._timeline = Timeline(opened.starts_at)
        self._describer: Describer | None = Describer(opened.profile, opened.starts_at, opened.plan)
        self._video_config = b""
        self._audio_config = b""
        self._repairs = 0
        self._pictures = self._sounds = 0  # held since `count`
        self.furthest = opened.starts_at

    def described(self, *, now: bool = False) -> Source | None:
        """The source once it can be told (see `Describer.source`); after that the describer looks no longer."""
        if self._describer is None:
            return None
        source = self._describer.source(now=now)
        if source is not None:
            self._describer = None
        return source

    def metadata(self, values: dict[str, object]) -> None:
        """onMetaData."""
        if self._describer is not None:
            self._describer.metadata(flv.read_metadata(values))

    def video(self, timestamp: int, body: bytes) -> None:
        """A video message at `timestamp` (ms mod 2^32). Raises Refused."""
        try:
            event = flv.decode_video(body)
        except flv.FlvError:
            return _dropped("unreadable_video")
        match event:
            case flv.VideoData():
                keyframe, cts_ms, data = event
                if not self._video_config:
                    return _dropped("before_configuration")
                frame = self._timeline.video(timestamp, cts_ms, keyframe=keyframe, data=data)
                if frame is None:
                    return _dropped("before_first_keyframe")
                if not self.anchor_ms:
                    self.anchor_ms = unix_ms()
                if frame.pts < self._opened.starts_at:  # the leading pictures of an open GOP
                    if self._describer is not None:
                        self._describer.gops_are_open()
                    return _dropped("before_first_keyframe")
                self._pictures += 1
                self._hold(frame)
            case flv.VideoConfig(config):
                if self._changed("video", config, self._video_config) and self._describer is not None:
                    self._describer.video_config(config)
                    self._video_config = config
            case flv.Unsupported(codec):
                raise _unsupported(codec)
            case flv.Ignored(reason):
                metrics.NOISE.labels(reason).inc()

    def audio(self, timestamp: int, body: bytes) -> None:
        """An audio message at `timestamp` (ms mod 2^32). Raises Refused."""
        try:
            event = flv.decode_audio(body)
        except flv.FlvError:
            return _dropped("unreadable_audio")
        match event:
            case flv.AudioData():
                frame = self._timeline.audio(timestamp, event.data)
                if frame is None:
                    return _dropped("before_first_keyframe")
                self._sounds += 1
                self._hold(frame)
            case flv.AudioConfig(config):
                if self._changed("audio", config, self._audio_config) and self._describer is not None:
                    aac = self._describer.audio_config(config)
                    self._audio_config = config
                    self._timeline.describe_audio(aac.sample_rate, aac.frame_samples, self._grid(aac))
            case flv.Unsupported(codec):
                raise _unsupported(codec)
            case flv.Ignored(reason):
                metrics.NOISE.labels(reason).inc()

    def count(self) -> None:
        """Let the metrics know what came since the last call."""
        _VIDEO_FRAMES.inc(self._pictures)
        _AUDIO_FRAMES.inc(self._sounds)
        metrics.REPAIRS.inc(self._timeline.repairs - self._repairs)
        self._pictures = self._sounds = 0
        self._repairs = self._timeline.repairs

    def _grid(self, aac: AudioSpecificConfig) -> int | None:
        """The grid that the run has for such sound."""
        rung = self._opened.plan.audio if self._opened.plan is not None else None
        if rung is None or (rung.sample_rate, rung.frame_samples) != (aac.sample_rate, aac.frame_samples):
            return None
        return rung.grid

    def _hold(self, frame: Frame) -> None:
        if self._describer is not None:
            self._describer.frame(frame)
        if frame.pts > self.furthest:
            self.furthest = frame.pts
        self.buffer.append(frame)

    def _changed(self, kind: str, config: bytes, known: bytes) -> bool:
        """Whether `config` is new; encoders repeat equal ones. Raises Refused where a run cannot follow a new one."""
        if config == known:
            return False
        if len(config) > MAX_CONFIG_BYTES:
            raise Refused(Reason.BAD_SOURCE, f"the {kind} configuration is larger than {MAX_CONFIG_BYTES >> 10} KiB")
        if known and (self._describer is None or self._timeline.started):
            raise Refused(Reason.BAD_SOURCE, f"the {kind} configuration changed while publishing; please publish again")
        if self._describer is None:
            metrics.NOISE.labels(f"late {kind} configuration").inc()
            return False
        return True


def _dropped(reason: str) -> None:
    _DROPPED[reason].inc()


def _unsupported(codec: str) -> Refused:
    return Refused(
        Reason.UNSUPPORTED_CODEC, f"{codec} is not supported yet: please send H.264 (AVC) video and AAC audio"
    )
