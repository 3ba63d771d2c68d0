"""Decoding by itself: whatever the source does not say or has damaged, no picture is lost that FFmpeg can give."""

import re
from dataclasses import replace
from fractions import Fraction

import av
import pytest
from av.codec.context import Flags

from headrace.core.bits import BitReader
from headrace.core.broadcast import VideoSource
from headrace.core.codec.h264 import AvcConfig, annexb_to_sample
from headrace.core.media import Frame, Kind
from headrace.transcoder.worker.decode import VideoDecoder
from tests.integration.transcoder.harness import numbered

FRAME = 3600
COUNT = 60


def encoded(params: str) -> tuple[AvcConfig, list[Frame]]:
    """COUNT pictures at 25 fps by x264, in decode order."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 160, 90, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.flags |= Flags.global_header
    context.thread_count = 1
    context.options = {"preset": "veryfast", "x264-params": params}
    context.open()
    packets = []
    for index in range(COUNT):
        picture = numbered(160, 90, index)
        picture.pts, picture.time_base = index, Fraction(1, 25)
        packets += context.encode(picture)
    packets += context.encode(None)
    frames = [
        Frame(Kind.VIDEO, one.is_keyframe, (one.dts or 0) * FRAME, (one.pts or 0) * FRAME, annexb_to_sample(bytes(one)))
        for one in packets
    ]
    return AvcConfig.from_annexb(context.extradata or b""), frames


def without_vui(config: AvcConfig) -> AvcConfig:
    """The same track, of which less is said."""
    unit = config.sps[0].replace(b"\x00\x00\x03", b"\x00\x00")
    reader = BitReader(unit)
    reader.skip(32)  # its head, profile, constraints and level
    for _ in range(4):  # its id, chroma format and depths
        reader.ue()
    reader.skip(2)
    for _ in range(4):  # frame numbers, order count of kind 0, references
        reader.ue()
    reader.skip(1)
    reader.ue()
    reader.ue()
    reader.skip(2)
    if reader.flag():
        for _ in range(4):
            reader.ue()
    bits = format(int.from_bytes(unit, "big"), f"0{8 * len(unit)}b")[: reader.position] + "01"
    data = bytes(int(bits[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(bits), 8))
    return replace(config, sps=(re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", data),))


def decoder(config: AvcConfig, counted: list[str]) -> VideoDecoder:
    return VideoDecoder(VideoSource("avc1", config.build(), 160, 90, Fraction(1), Fraction(25)), counted.append)


@pytest.mark.parametrize("params", ["bframes=3:b-pyramid=normal", "bframes=8:b-pyramid=normal:b-adapt=0"])
def test_every_picture_comes_out_though_the_source_does_not_say_how_it_reorders(params: str) -> None:
    config, frames = encoded(f"keyint=50:{params}")
    silent = without_vui(config)
    assert (silent.picture.reordered, silent.picture.width, silent.picture.height) == (None, 160, 90)
    counted: list[str] = []
    decoding = decoder(silent, counted)
    pictures = [picture for frame in frames for picture in decoding.decode(frame)] + decoding.flush()
    assert [picture.pts for picture in pictures] == [index * FRAME for index in range(COUNT)]
    assert counted == []
