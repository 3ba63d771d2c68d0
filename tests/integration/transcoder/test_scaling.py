"""Which picture a rung is scaled from."""

from fractions import Fraction
from itertools import islice

import av
import pytest
from av import VideoFrame
from av.video.reformatter import Interpolation

from headrace.core.broadcast import Profile, Source, VideoSource, make_plan
from headrace.transcoder.worker.scale import Scaler, scaled_from
from tests.integration.transcoder.harness import CLIP, psnr

LADDER = {"rungs": [{"height": 720}, {"height": 480}, {"height": 360}]}


@pytest.fixture(scope="module")
def pictures() -> list[VideoFrame]:
    with av.open(CLIP) as container:
        return list(islice(container.decode(video=0), 30, 35))


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
