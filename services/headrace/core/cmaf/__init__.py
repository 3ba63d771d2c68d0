"""CMAF: init sections and fragments, by our own box writer.

Law: one track a file, absolute time, no edit lists, nothing patched afterwards. Video counts in 1/90000 s, audio in
its samples. Neighbours: `codec` gives configuration records, `hls` names and times what is written here.
"""

from headrace.core.cmaf.errors import CmafError
from headrace.core.cmaf.fragment import Sample, fragment
from headrace.core.cmaf.init import VIDEO_TIMESCALE, AudioTrack, VideoTrack, audio_init, video_init

__all__ = [
    "VIDEO_TIMESCALE",
    "AudioTrack",
    "CmafError",
    "Sample",
    "VideoTrack",
    "audio_init",
    "fragment",
    "video_init",
]
