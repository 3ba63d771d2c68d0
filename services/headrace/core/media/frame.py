"""Track and Frame: what a publisher sends, once it is on a run's timeline.

Law: plain values; codec configuration and payload are opaque bytes. Neighbours: `media.ticks` for the unit.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What a track carries. The numbers are those of the wire."""

    VIDEO = 1
    AUDIO = 2


@dataclass(frozen=True, slots=True)
class Track:
    """One elementary stream of a source.

    `codec` is the sample entry's FourCC ("avc1", "mp4a"); `config` its decoder configuration record (avcC,
    AudioSpecificConfig). Sizes are in pixels, `sample_rate` in Hz; what does not apply to the kind is 0.
    """

    kind: Kind
    codec: str
    config: bytes
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0
    frame_samples: int = 0


class Frame(NamedTuple):
    """One access unit on the run's timeline. Times are ticks; a NamedTuple because every frame passes here.

    Video: `dts` rises, `data` is length-prefixed NAL units, `sample` and `samples` are 0. `pts` is the picture's own,
    so it is before `dts` where a publisher's clock stepped back: too late to be shown where pictures are encoded.
    Audio: `sample` is the run's count of the unit's first sample, `samples` its span (the codec's frame length, give or
    take a 16-sample correction of drift), `pts == dts == floor(sample * 90000 / rate)`. `jump` says that time jumped
    just before this unit: the reader fills silence or trims.
    """

    kind: Kind
    keyframe: bool
    dts: int
    pts: int
    data: bytes
    sample: int = 0
    samples: int = 0
    jump: bool = False
