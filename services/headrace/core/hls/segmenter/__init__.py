"""Where segments and parts end, and which media they hold.

Law: pure functions of the plan, the media's times and keyframe flags, and a `Position` from the log: any worker that
sees the same media makes the same cuts. Times are ticks on the run's timeline. Neighbours: `broadcast.plan` sets the
constants, the transcoder's worker feeds the cutters and packages what they say, `cmaf` writes it.
"""

from headrace.core.hls.segmenter.audio import AudioCutter, AudioPart, AudioUnit, first_unit
from headrace.core.hls.segmenter.dts import decode_times
from headrace.core.hls.segmenter.encoded import EncodedCutter, PartClosed, Planned
from headrace.core.hls.segmenter.passthrough import PassthroughCutter, PassthroughPart, Sample
from headrace.core.hls.segmenter.position import GapPart, Position, Span

__all__ = [
    "AudioCutter",
    "AudioPart",
    "AudioUnit",
    "EncodedCutter",
    "GapPart",
    "PartClosed",
    "PassthroughCutter",
    "PassthroughPart",
    "Planned",
    "Position",
    "Sample",
    "Span",
    "decode_times",
    "first_unit",
]
