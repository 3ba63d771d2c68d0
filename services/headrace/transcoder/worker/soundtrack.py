"""The audio rendition: access units in the parts of the leading video rung.

Law: sound is never waited for longer than `LATEST`; encoded sound then has silence, passed-through sound a gap. Sound
that runs further ahead of the pictures than `FURTHEST_S` is no sound of theirs.
Neighbours: `audio` encodes, the segmenter sorts units into parts.
"""

from collections import deque
from collections.abc import Callable, Sequence

from headrace.core import cmaf
from headrace.core.broadcast import AudioRung, AudioSource, Init
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.errors import HeadraceError
from headrace.core.hls.segmenter import AudioCutter, AudioPart, GapPart, Position, Span
from headrace.core.hls.segmenter.audio import first_unit
from headrace.core.media import TICKS_PER_S, Frame
from headrace.transcoder.pipe import Message
from headrace.transcoder.worker.audio import AacFrame, AudioTranscoder
from headrace.transcoder.worker.package import MEDIA_ORIGIN_S, gap, made, sequence
from headrace.transcoder.worker.threads import Box

INPUT_BYTES = 1 << 20
LATEST = 2 * TICKS_PER_S  # encoders interleave within a second
FURTHEST_S = 60


class SoundRunsAway(HeadraceError):
    """Sound comes without pictures."""

    code = "sound_runs_away"


class SoundPackager:
    """Units of the rendition in, parts out; also the whole of passed-through sound."""

    def __init__(
        self, rung: AudioRung, position: Position, encoder: str, config: bytes, send: Callable[[Message], None]
    ) -> None:
        self._rung = rung
        self._encoder = encoder
        self._config = config
        self._cutter = AudioCutter(rung, position)
        self._send = send
        self._units: deque[AacFrame] = deque()  # those that the cutter took, and has not given a part

    @property
    def init(self) -> Init:
        """The initialization section, by the encoder's own configuration."""
        rung = self._rung
        track = cmaf.AudioTrack(self._config, rung.sample_rate, rung.channels, rung.kbps * 1000)
        codecs = AudioSpecificConfig.parse(self._config).codec_string
        return Init(rung.name, codecs, cmaf.audio_init(track), channels=rung.channels)

    def push(self, unit: AacFrame, samples: int) -> None:
        """The next unit, `samples` long."""
        if self._cutter.takes(unit.sample):
            self._units.append(unit)
        if len(self._units) * self._rung.frame_samples > FURTHEST_S * self._rung.sample_rate:
            raise SoundRunsAway(f"sound is {FURTHEST_S} s ahead of the pictures")
        self._emit(self._cutter.push(unit.sample, samples))

    def follow(self, spans: Sequence[Span], reached: int) -> None:
        """The leading rung's next parts, if any, and how far it has come after the last of them."""
        for span in spans:
            self._emit(self._cutter.follow(span))
        self._emit(self._cutter.reach(reached))

    def finish(self) -> None:
        """There is nothing more to come."""
        self._emit(self._cutter.finish())

    def _emit(self, parts: list[AudioPart | GapPart]) -> None:
        for part in parts:
            if isinstance(part, GapPart):
                self._send(gap(self._rung.name, part, self._encoder))
            else:
                self._send(made(self._rung.name, part, True, self._encoder, self._fragment(part)))

    def _fragment(self, part: AudioPart) -> bytes:
        samples = [cmaf.Sample(self._units.popleft().data, unit.samples) for unit in part.units]
        base = part.units[0].sample + MEDIA_ORIGIN_S * self._rung.sample_rate
        return cmaf.fragment(sequence(part.msn, part.part), base, samples)


class EncodedSound:
    """The thread that encodes sound. `inbox` takes access units, spans to be followed, and the tick of the end.

    `starts_at`: where the source starts, ticks; beyond it the decoder starts amid sound.
    """

    def __init__(
        self,
        source: AudioSource,
        rung: AudioRung,
        position: Position,
        starts_at: int,
        encoder: str,
        send: Callable[[Message], None],
        count: Callable[[str], None],
    ) -> None:
        self.inbox: Box[Frame | tuple[Sequence[Span], int] | int] = Box(INPUT_BYTES)
        self._rung = rung
        first = first_unit(rung, position.start) * rung.frame_samples + rung.grid
        self._transcoder = AudioTranscoder(source, rung, first, position.start > starts_at, count)
        self._packager = SoundPackager(rung, position, encoder, self._transcoder.config, send)

    @property
    def init(self) -> Init:
        """The rendition's initialization section."""
        return self._packager.init

    def follow(self, spans: Sequence[Span], reached: int) -> None:
        """From the video's thread."""
        self.inbox.put((spans, reached), 0)

    def run(self) -> None:
        """Work until the end comes."""
        while not isinstance(step := self.inbox.get(), int):
            if isinstance(step, Frame):
                self._push(self._transcoder.transcode(step))
            else:
                if step[0]:
                    self._catch_up(step[0][-1].end - LATEST)
                self._packager.follow(*step)
        self._push(self._transcoder.flush(self._sample_at(step)))
        self._packager.finish()

    def _catch_up(self, tick: int) -> None:
        through = self._sample_at(tick)
        if self._transcoder.filled_through < through:
            self._push(self._transcoder.fill(through))

    def _push(self, units: list[AacFrame]) -> None:
        for unit in units:
            self._packager.push(unit, self._rung.frame_samples)

    def _sample_at(self, tick: int) -> int:
        return tick * self._rung.sample_rate // TICKS_PER_S
