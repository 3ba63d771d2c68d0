"""Decoding by itself: whatever the source does not say or has damaged, no picture is lost that FFmpeg can give."""

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import av
import pytest
from av.codec.context import Flags
from av.video.reformatter import ColorPrimaries, ColorTrc

from headrace.core.bits import BitReader
from headrace.core.broadcast import VideoSource
from headrace.core.codec.h264 import AvcConfig, annexb_to_sample
from headrace.core.media import Frame, Kind
from headrace.transcoder.worker.decode import VideoDecoder
from headrace.transcoder.worker.scale import Scaler
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


@pytest.mark.parametrize(("matrix", "told"), [("bt709", 1), ("bt470bg", 6)])
def test_pictures_say_of_their_colours_what_they_say_while_several_rungs_scale_them(matrix: str, told: int) -> None:
    config, frames = encoded(f"colorprim=bt709:transfer=bt709:colormatrix={matrix}")
    decoding = decoder(config, [])
    pictures = [picture for frame in frames for picture in decoding.decode(frame)] + decoding.flush()
    assert len(pictures) == COUNT
    seen = set()
    for picture in pictures:
        scaling = threading.Thread(target=Scaler(1920, 1080).scale, args=(picture.image,))
        scaling.start()
        while scaling.is_alive():
            seen.add((picture.image.color_trc, picture.image.color_primaries, picture.image.colorspace))
        seen.add((picture.image.color_trc, picture.image.color_primaries, picture.image.colorspace))
    assert seen == {(ColorTrc.UNSPECIFIED, ColorPrimaries.UNSPECIFIED, told)}


def bad_lengths(data: bytes) -> bytes:
    return b"\xff\xff\xff\xff" + data[4:]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def damaged(frames: list[Frame], index: int, damage: Callable[[bytes], bytes]) -> list[Frame]:
    return [frame._replace(data=damage(frame.data)) if i == index else frame for i, frame in enumerate(frames)]


@pytest.mark.parametrize("damage", [bad_lengths, half, lambda data: data[:5] + bytes(len(data) - 5)])
def test_decoding_goes_on_after_a_damaged_picture(damage: Callable[[bytes], bytes]) -> None:
    config, frames = encoded("keyint=infinite:bframes=2")
    counted: list[str] = []
    decoding = decoder(config, counted)
    pictures = [picture for frame in damaged(frames, 10, damage) for picture in decoding.decode(frame)]
    pictures += decoding.flush()
    assert [picture.pts for picture in pictures] == [index * FRAME for index in range(COUNT)]
    assert [picture.pts for picture in pictures if picture.keyframe] == [0]
    assert len({id(picture.image) for picture in pictures}) >= COUNT - 1
    assert counted == ["video_undecodable"]


@pytest.mark.parametrize("keyframe", [0, 1, 2])
def test_a_lost_keyframe_keeps_its_place_and_all_others_theirs(keyframe: int) -> None:
    config, frames = encoded("keyint=20:min-keyint=20:bframes=2:scenecut=0")
    index = [i for i, frame in enumerate(frames) if frame.keyframe][keyframe]
    counted: list[str] = []
    decoding = decoder(config, counted)
    pictures = [picture for frame in damaged(frames, index, bad_lengths) for picture in decoding.decode(frame)]
    pictures += decoding.flush()
    assert [picture.pts for picture in pictures] == [index * FRAME for index in range(COUNT)]
    assert [picture.pts // FRAME for picture in pictures if picture.keyframe] == [0, 20, 40]
    assert Counter(counted) == {"video_undecodable": 20}


def test_the_last_picture_goes_on_for_as_long_as_no_keyframe_comes() -> None:
    config, frames = encoded("keyint=20:min-keyint=20:bframes=2:scenecut=0")
    decoding = decoder(config, [])
    late = 0
    shown = 0
    for i, frame in enumerate(damaged(frames[:21], 20, bad_lengths) + frames[21:40] * 50):
        for picture in decoding.decode(frame._replace(pts=frame.pts if i < 21 else i * FRAME)):
            shown = picture.pts
        late = max(late, i * FRAME - shown)
    assert late <= 33 * FRAME
