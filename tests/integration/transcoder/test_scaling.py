"""Which picture a rung is scaled from, and that the fast way to scale is the same picture."""

import ctypes
import ctypes.util
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from av import VideoFrame, _core
from av.video.reformatter import Interpolation

from headrace.core.broadcast import Profile, Source, VideoSource, make_plan
from headrace.transcoder.worker import gathers
from headrace.transcoder.worker.gathers import SLOW_GATHER
from headrace.transcoder.worker.scale import Scaler, scaled_from
from tests.integration.transcoder.harness import CLIP, psnr

LADDER = {"rungs": [{"height": 720}, {"height": 480}, {"height": 360}]}


@pytest.fixture(scope="module")
def pictures() -> list[VideoFrame]:
    with av.open(CLIP) as container:
        return list(islice(container.decode(video=0), 30, 35))


@pytest.fixture
def libavutil() -> Iterator[ctypes.CDLL]:
    library = ctypes.CDLL(_core.__file__)
    flags = library.av_get_cpu_flags()
    yield library
    library.av_force_cpu_flags(flags)


def above(profile: object, width: int, height: int) -> dict[str, str | None]:
    source = Source(VideoSource("avc1", b"", width, height, Fraction(1), Fraction(30)))
    return scaled_from(make_plan(Profile.parse(profile), source).encoded)  # type: ignore[arg-type]


def test_a_rung_is_scaled_from_the_smallest_that_is_twice_its_size_else_from_the_source() -> None:
    assert above(LADDER, 1920, 1080) == {"720p": None, "480p": None, "360p": "720p"}
    assert above("auto", 1920, 1080) == {
        "1080p": None,
        "720p": None,
        "540p": "1080p",
        "360p": "720p",
        "240p": "540p",
    }


def test_the_rungs_of_an_upright_source_are_scaled_in_the_same_way() -> None:
    assert above(LADDER, 1080, 1920) == above(LADDER, 1920, 1080)


def test_what_is_scaled_by_way_of_a_larger_rung_is_what_the_source_gives_directly(pictures: list[VideoFrame]) -> None:
    larger = Scaler(1280, 720).scale(pictures[0])
    direct = pictures[0].reformat(640, 360, "yuv420p", interpolation=Interpolation.BICUBIC)
    # An encoder's own noise is at 35 to 42 dB.
    assert psnr(direct, Scaler(640, 360).scale(larger)) > 50


@pytest.mark.parametrize("size", [(1280, 720), (852, 480), (640, 360), (426, 240)])
def test_without_gathers_a_picture_is_scaled_to_the_same_pixels(
    size: tuple[int, int], pictures: list[VideoFrame], libavutil: ctypes.CDLL
) -> None:
    flags = libavutil.av_get_cpu_flags()
    libavutil.av_force_cpu_flags(flags & ~SLOW_GATHER)
    with_gathers = [Scaler(*size).scale(picture).to_ndarray() for picture in pictures]
    libavutil.av_force_cpu_flags(flags | SLOW_GATHER)
    without = [Scaler(*size).scale(picture).to_ndarray() for picture in pictures]
    assert all(np.array_equal(a, b) for a, b in zip(with_gathers, without, strict=True))


def test_gathers_are_avoided_on_amd_and_left_alone_elsewhere(
    libavutil: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = libavutil.av_get_cpu_flags() & ~SLOW_GATHER
    for vendor, avoided in ("GenuineIntel", 0), ("AuthenticAMD", SLOW_GATHER):
        libavutil.av_force_cpu_flags(flags)
        cpuinfo = tmp_path / vendor
        cpuinfo.write_text(f"vendor_id\t: {vendor}\n")
        monkeypatch.setattr(gathers, "CPUINFO", cpuinfo)
        gathers.avoid_slow_gathers()
        assert libavutil.av_get_cpu_flags() == flags | avoided


def test_where_ffmpeg_cannot_be_asked_its_gathers_are_left_alone(
    libavutil: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = libavutil.av_get_cpu_flags()
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("vendor_id\t: AuthenticAMD\n")
    monkeypatch.setattr(gathers, "CPUINFO", cpuinfo)
    static = tmp_path / "_core.so"  # no library at all
    static.touch()
    for library in static, ctypes.util.find_library("c"):  # and one that has no such function
        monkeypatch.setattr(_core, "__file__", str(library))
        gathers.avoid_slow_gathers()
    assert libavutil.av_get_cpu_flags() == flags
