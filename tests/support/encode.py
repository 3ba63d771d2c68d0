"""Tiny real encodes by FFmpeg: H.264 with B-frames and AAC, as samples and as a muxer would take them.

Made once: two encodes of the same pictures need not have equal bytes.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from headrace.core.codec import h264

WIDTH, HEIGHT = 96, 64
FRAMES = 40
FRAME = 3600
"""A frame's span in ticks: 25 frames/s."""
DELTA = 18_000
"""How far decode times lie before presentation times, ticks: above this encode's reordering."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One H.264 sample with 4-byte lengths. Times in ticks; `dts` is the i-th smallest pts less DELTA."""

    pts: int
    dts: int
    idr: bool
    data: bytes


@cache
def encode_video() -> tuple[bytes, list[AccessUnit]]:
    """FRAMES moving pictures, an IDR every 20: the encoder's Annex B header, and the access units in decode order."""
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base, codec.framerate = Fraction(1, 90_000), Fraction(25)
    codec.flags |= Flags.global_header
    codec.options = {"preset": "veryfast", "bf": "2", "g": "20", "x264-params": "scenecut=0"}
    packets = []
    for index in range(FRAMES):
        picture = np.full((HEIGHT, WIDTH, 3), index * 5, np.uint8)
        picture[:, index : index + 8] = 255
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts = index * FRAME
        packets += codec.encode(frame)
    packets += codec.encode(None)
    assert codec.extradata is not None
    units = []
    for packet, time in zip(packets, sorted(packet.pts or 0 for packet in packets), strict=True):
        data = h264.annexb_to_sample(bytes(packet))
        units.append(AccessUnit(packet.pts or 0, time - DELTA, h264.is_idr(data), data))
    return codec.extradata, units


@cache
def encode_audio() -> tuple[bytes, list[bytes]]:
    """A tone at 48 kHz in stereo: the AudioSpecificConfig, and access units of 1024 samples."""
    codec = av.CodecContext.create("aac", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = 48_000, "stereo", "fltp"
    codec.flags |= Flags.global_header
    packets = []
    for index in range(30):
        tone = np.sin(np.arange(1024, dtype=np.float32) / 20 + index).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48_000, index * 1024
        packets += codec.encode(frame)
    assert codec.extradata is not None
    return codec.extradata, [bytes(packet) for packet in packets]
