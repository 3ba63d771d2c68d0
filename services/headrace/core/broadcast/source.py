"""What the encoder sends, as described to control before a plan is made.

Law: only what sequence headers, metadata and the first frames tell; no promise that metadata made and media did not
keep.
"""

from dataclasses import dataclass
from fractions import Fraction

MAX_CONFIG_BYTES = 16 << 10
"""A decoder configuration: real ones have some dozens of bytes, and each renewal of a session carries both of its."""


@dataclass(frozen=True, slots=True)
class VideoSource:
    """The video track. `frame_rate` in frames/s (0: unknown), `kbps` in kbit/s (0: unknown), sizes in pixels.

    `delta`: first keyframe's pts - dts, ticks. `first_segment`: duration in ticks of the first segment that keyframes
    give (0: not whole within the profile's `max_gop_s`, or nobody asked). `closed`: no picture after the first
    keyframes is shown before them. `intervals`: the first frames' pts differences in presentation order, ticks.
    """

    codec: str
    config: bytes
    width: int
    height: int
    sar: Fraction
    frame_rate: Fraction
    kbps: int = 0
    delta: int = 0
    first_segment: int = 0
    closed: bool = True
    intervals: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioSource:
    """The audio track: Hz, channels, samples per access unit, kbit/s (0: unknown).

    `grid`: the run's sample count at the first access unit (n0), below `frame_samples` only by chance.
    """

    codec: str
    config: bytes
    sample_rate: int
    channels: int
    frame_samples: int
    kbps: int = 0
    grid: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """All that a run's plan is made from."""

    video: VideoSource
    audio: AudioSource | None = None
