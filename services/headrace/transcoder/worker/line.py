"""The line: all that one plan asks for, put together, and fed by one thread.

Law: without an encoded rung nothing is decoded and the feeding thread does all the work; otherwise it only sorts, and
waits for whoever is slow. Neighbours: `main` feeds it from the pipe.
"""

from collections.abc import Callable, Sequence

from headrace.core.broadcast import AudioRung, AudioSource, VideoRung
from headrace.core.codec.h264 import AvcConfig
from headrace.core.hls.segmenter import Position, Span
from headrace.core.media import TICKS_PER_S, Frame, Kind
from headrace.transcoder.pipe import Begin, Message
from headrace.transcoder.worker.audio import AacFrame
from headrace.transcoder.worker.gathers import avoid_slow_gathers
from headrace.transcoder.worker.passthrough import SOURCE_ENCODER, PassthroughVideo
from headrace.transcoder.worker.rung import Rung
from headrace.transcoder.worker.scale import scaled_from
from headrace.transcoder.worker.soundtrack import EncodedSound, SoundPackager
from headrace.transcoder.worker.threads import Crew
from headrace.transcoder.worker.video import EncodedVideo, Follower

FRAME_BYTES = 256  # what an access unit costs beside its bytes
LONGEST_REORDER = 10 * TICKS_PER_S  # a picture shown later after its decoding than this has no sane time


class Nobody:
    """Follows no cuts: the source has no sound."""

    def follow(self, spans: Sequence[Span], reached: int) -> None:
        """Nothing."""


class Line:
    """One run's work. `send` and `count` are called from several threads."""

    def __init__(self, begin: Begin, crew: Crew, send: Callable[[Message], None], count: Callable[[str], None]) -> None:
        self._begin = begin
        self._crew = crew
        self._send = send
        self._count = count
        self._latest_pts: int | None = None
        audio, source = begin.plan.audio, begin.source.audio
        self._sound = self._make_sound(audio, source) if audio is not None and source is not None else None
        follower = self._sound or Nobody()
        passed = begin.plan.passthrough
        self._passed = self._make_passed(passed, None if begin.plan.encoded else follower) if passed else None
        if begin.plan.encoded:
            self._encoded = self._make_encoded(follower)
            self._decoding = crew.start("decode", self._encoded.run)
        if isinstance(self._sound, EncodedSound):
            crew.start("sound", self._sound.run)

    def feed(self, frame: Frame) -> None:
        """One access unit, in the encoder's order."""
        if frame.kind is Kind.AUDIO:
            if isinstance(self._sound, EncodedSound):
                self._sound.inbox.put(frame, len(frame.data) + FRAME_BYTES)
            elif self._sound is not None:
                self._sound.push(AacFrame(frame.sample, frame.data), frame.samples)
            return
        if frame.pts - frame.dts > LONGEST_REORDER:
            self._count("video_bad_time")
            return
        self._latest_pts = max(frame.pts, self._latest_pts or frame.pts)
        if self._passed is not None:
            # A picture whose time has passed is shown at once here; where pictures are encoded it is decoded only.
            self._passed.push(frame._replace(pts=max(frame.pts, frame.dts)))
        if self._begin.plan.encoded:
            self._encoded.inbox.put(frame, len(frame.data) + FRAME_BYTES)

    def finish(self) -> None:
        """There is no more: everything becomes whole. The last picture is shown for one frame at the declared rate."""
        end = 0
        if self._latest_pts is not None:
            end = self._latest_pts + round(TICKS_PER_S / self._begin.plan.source_rate)
        if self._passed is not None:
            self._passed.finish(end)
        if self._begin.plan.encoded:
            self._encoded.inbox.put(end, 0)
            self._decoding.join()  # sound ends after the last part that it follows
        if isinstance(self._sound, EncodedSound):
            self._sound.inbox.put(end, 0)
        elif self._sound is not None:
            self._sound.finish()
        self._crew.join()

    def _make_sound(self, rung: AudioRung, source: AudioSource) -> EncodedSound | SoundPackager:
        position = self._position(rung)
        sound: EncodedSound | SoundPackager
        if rung.passthrough:
            sound = SoundPackager(rung, position, SOURCE_ENCODER, source.config, self._send)
        else:
            encoder = self._begin.encoders[rung.name]
            starts_at = self._begin.starts_at
            sound = EncodedSound(source, rung, position, starts_at, encoder, self._send, self._count)
        self._send(sound.init)
        return sound

    def _make_passed(self, rung: VideoRung, follower: Follower | None) -> PassthroughVideo:
        begin = self._begin
        own = self._position(rung)
        start = own if follower is None else self._oldest([rung])
        passed = PassthroughVideo(begin.plan, rung, begin.source.video, start, own, follower, self._send)
        self._send(passed.init)
        return passed

    def _make_encoded(self, follower: Follower) -> EncodedVideo:
        """The rungs from the smallest up, since each hands its pictures on to those that scale from it."""
        avoid_slow_gathers()
        begin = self._begin
        colour = AvcConfig.parse(begin.source.video.config).picture.colour
        above = scaled_from(begin.plan.encoded)
        rungs: dict[str, Rung] = {}
        for plan in sorted(begin.plan.encoded, key=lambda rung: rung.width * rung.height):
            below = [rung for name, rung in rungs.items() if above[name] == plan.name]
            rung = Rung(plan, self._position(plan), begin.encoders[plan.name], colour, below, self._send)
            self._send(rung.init)
            self._crew.start(plan.name, rung.run)
            rungs[plan.name] = rung
        tops = [rung for name, rung in rungs.items() if above[name] is None]
        oldest = self._oldest(begin.plan.encoded)
        return EncodedVideo(begin.plan, begin.source.video, oldest, tops, follower, self._count)

    def _oldest(self, rungs: Sequence[VideoRung]) -> Position:
        """Where the cuts of `rungs` must be known from: sound, which follows them, may be behind."""
        audio = self._begin.plan.audio
        positions = [self._position(rung) for rung in rungs] + ([self._position(audio)] if audio is not None else [])
        return min(positions, key=lambda at: (at.msn, at.part))

    def _position(self, rung: VideoRung | AudioRung) -> Position:
        at = self._begin.positions.get(rung.name)
        if at is None:
            return Position.initial()
        return Position(at.msn, at.part, at.start, at.segment_start, at.opened)
