"""Encoded audio: a source's access units in, AAC frames on the run's grid out.

Law: sound is placed by counting samples, never by a clock. Decoded units that follow one another go through one
resampler, which starts at a source sample that is a whole output sample; what is missing between two such stretches
is silence, what overlaps is trimmed. The encoder is fed whole grid frames from `PRIMED` before the first wanted one,
so its first wanted frame is the one it would have made had it never been stopped.
Source: docs on media time, §1 and §5. Neighbours: `sound` is the grid, `main` feeds units in, `package` cuts.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from math import gcd
from typing import Any, NamedTuple

import av
from av import AudioFrame, AudioResampler
from av.codec.context import Flags
from av.error import FFmpegError

from headrace.core.broadcast import AudioRung, AudioSource
from headrace.core.media import Frame
from headrace.transcoder.worker.sound import SAMPLE_BYTES, Grid

PRIMED = 8  # grid frames after which `aac_coder=fast` no longer knows where it was started
UNPRIMED_UNITS = 2  # a decoder's first units lack what came before them
_LAYOUTS = {1: "mono", 2: "stereo"}


class AacFrame(NamedTuple):
    """One access unit: its first sample on the timeline, and its bytes."""

    sample: int
    data: bytes


class AudioTranscoder:
    """AAC to AAC-LC at the rung's rate and channels. `count` is told of what was lost.

    `first` is the first wanted sample (on the grid); `continuing`: the decoder starts amid sound.
    """

    def __init__(
        self, source: AudioSource, rung: AudioRung, first: int, continuing: bool, count: Callable[[str], None]
    ) -> None:
        self._source = source
        self._rung = rung
        self._first = first
        self._count = count
        self._discard = UNPRIMED_UNITS if continuing else 0
        self._decoder = _decoder(source)
        self._encoder = _encoder(rung)
        self._grid = Grid(rung.channels, rung.frame_samples, first - PRIMED * rung.frame_samples)
        self._stretch: _Stretch | None = None

    @property
    def config(self) -> bytes:
        """The encoder's AudioSpecificConfig."""
        return bytes(self._encoder.extradata or b"")

    @property
    def filled_through(self) -> int:
        """Every sample before this one has been given to the grid."""
        return self._grid.cursor

    def transcode(self, unit: Frame) -> list[AacFrame]:
        """Give one access unit of the source; the frames that are whole now."""
        try:
            decoded = self._decoder.decode(av.Packet(unit.data))
        except FFmpegError:
            self._count("audio_undecodable")
            return []
        made: list[AacFrame] = []
        sample = unit.sample
        for frame in decoded:
            if self._discard:
                self._discard -= 1
            else:
                made += self._place(frame, sample, unit.samples)
            sample += unit.samples
        return made

    def fill(self, through: int) -> list[AacFrame]:
        """There is no more sound before sample `through`: silence where none came; the frames that are whole now."""
        made = self._end_stretch()
        return made + self._encoded(self._grid.fill(through))

    def flush(self, through: int) -> list[AacFrame]:
        """The sound ends before sample `through`; all frames that start before it."""
        size = self._rung.frame_samples
        whole = -(-(through - self._rung.grid) // size) * size + self._rung.grid
        made = self.fill(whole)
        return made + self._wanted(self._encoder.encode(None))

    def _place(self, frame: AudioFrame, sample: int, span: int) -> list[AacFrame]:
        rate = frame.sample_rate
        # With implicit SBR the decoder gives twice the rate that the source was described with.
        sample = sample * rate // self._source.sample_rate
        span = span * rate // self._source.sample_rate
        made: list[AacFrame] = []
        if self._stretch is None or not self._stretch.continues(frame, sample):
            made += self._end_stretch()
            self._stretch = _Stretch(frame, sample, self._rung)
        at = self._stretch.next_output
        for piece in self._stretch.resample(_spanning(frame, span)):
            made += self._encoded(self._grid.put(at, _planes(piece)))
            at += piece.samples
        self._stretch.next_output = at
        return made

    def _end_stretch(self) -> list[AacFrame]:
        stretch, self._stretch = self._stretch, None
        made: list[AacFrame] = []
        if stretch is not None:
            for piece in stretch.end():
                made += self._encoded(self._grid.put(stretch.next_output, _planes(piece)))
                stretch.next_output += piece.samples
        return made

    def _encoded(self, frames: Iterable[tuple[int, list[bytes]]]) -> list[AacFrame]:
        made: list[AacFrame] = []
        for sample, planes in frames:
            frame = _frame(planes, _LAYOUTS[self._rung.channels], self._rung.sample_rate)
            frame.pts = sample
            frame.time_base = Fraction(1, self._rung.sample_rate)
            made += self._wanted(self._encoder.encode(frame))
        return made

    def _wanted(self, packets: "Sequence[av.Packet[Any]]") -> list[AacFrame]:
        # A packet's pts is the first sample that a decoder gives for it, the encoder's own delay already taken off.
        return [AacFrame(p.pts, bytes(p)) for p in packets if p.pts is not None and p.pts >= self._first]


class _Stretch:
    """Decoded units without a hole between them, and the resampler that they share."""

    def __init__(self, frame: AudioFrame, sample: int, rung: AudioRung) -> None:
        rate = frame.sample_rate
        step = rate // gcd(rate, rung.sample_rate)
        self._lead = sample % step
        self._next_sample = sample
        self._kind = (rate, frame.layout.name, frame.format.name)
        self._resampler = AudioResampler("fltp", _LAYOUTS[rung.channels], rung.sample_rate)
        self.next_output = (sample - self._lead) * rung.sample_rate // rate

    def continues(self, frame: AudioFrame, sample: int) -> bool:
        """Whether a unit at `sample` follows without a hole, an overlap or a change of format."""
        return (frame.sample_rate, frame.layout.name, frame.format.name) == self._kind and sample == self._next_sample

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        """Give the next unit, which spans all its samples."""
        given = [frame]
        if self._lead:
            silence = [bytes(self._lead * SAMPLE_BYTES) for _ in frame.planes]
            given.insert(0, _frame(silence, frame.layout.name, frame.sample_rate))
            self._lead = 0
        self._next_sample += frame.samples
        pieces: list[AudioFrame] = []
        for one in given:
            one.pts = None
            pieces += self._resampler.resample(one)
        return pieces

    def end(self) -> list[AudioFrame]:
        """What the resampler still holds."""
        return self._resampler.resample(None)


def _decoder(source: AudioSource) -> av.AudioCodecContext:
    context = av.CodecContext.create("aac", "r")
    assert isinstance(context, av.AudioCodecContext)
    context.extradata = source.config
    return context


def _encoder(rung: AudioRung) -> av.AudioCodecContext:
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = rung.sample_rate
    context.layout = _LAYOUTS[rung.channels]
    context.format = "fltp"
    context.bit_rate = rung.kbps * 1000
    context.time_base = Fraction(1, rung.sample_rate)
    context.flags |= Flags.global_header
    context.options = {"aac_coder": "fast"}
    context.open()
    return context


def _planes(frame: AudioFrame) -> list[bytes]:
    return [bytes(plane)[: frame.samples * SAMPLE_BYTES] for plane in frame.planes]


def _frame(planes: list[bytes], layout: str, rate: int) -> AudioFrame:
    samples = len(planes[0]) // SAMPLE_BYTES
    frame = AudioFrame("fltp", layout, samples, align=1)
    frame.sample_rate = rate
    for plane, data in zip(frame.planes, planes, strict=True):
        plane.update(data.ljust(plane.buffer_size, b"\0"))
    return frame


def _spanning(frame: AudioFrame, span: int) -> AudioFrame:
    """`frame` stretched or shrunk to `span` samples: how drift is corrected, 16 samples at a time."""
    if frame.samples == span or frame.format.name != "fltp":
        return frame
    step = frame.samples / span
    planes = []
    for plane in _planes(frame):
        given = array("f", plane)
        given.append(given[-1])
        places = [index * step for index in range(span)]
        at = [(int(place), place - int(place)) for place in places]
        planes.append(array("f", [given[i] + (given[i + 1] - given[i]) * part for i, part in at]).tobytes())
    return _frame(planes, frame.layout.name, frame.sample_rate)
