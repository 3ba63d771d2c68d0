"""Media as the house speaks of it: tracks, frames and their place on a run's timeline.

Law: times are integer ticks of 1/90000 s; media bytes are opaque here. Neighbours: `flv` makes frames from tag bodies,
`hls` cuts them, `wire` carries them.
"""

from headrace.core.media.frame import Frame, Kind, Track
from headrace.core.media.ticks import (
    TICKS_PER_MS,
    TICKS_PER_S,
    samples_to_ticks,
    ticks_from_ms,
    ticks_from_ns,
)
from headrace.core.media.timeline import Timeline

__all__ = [
    "TICKS_PER_MS",
    "TICKS_PER_S",
    "Frame",
    "Kind",
    "Timeline",
    "Track",
    "samples_to_ticks",
    "ticks_from_ms",
    "ticks_from_ns",
]
