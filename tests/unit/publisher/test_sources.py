"""The publisher's sources."""

from itertools import islice, pairwise
from pathlib import Path

import pytest

from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig, is_idr
from headrace.publisher.media import SourceError
from headrace.publisher.sources.clock_face import ClockFace
from headrace.publisher.sources.file import FileSource
from headrace.publisher.sources.picture import PictureSource

CLIP = Path(__file__).parents[2] / "media" / "bbb-1080p24.mp4"


def test_the_demos_picture_has_a_keyframe_a_second_and_sound_beside_it() -> None:
    source = PictureSource(lambda: 12 * 3_600_000 + 34 * 60_000 + 56_789)
    assert AvcConfig.parse(source.description.avc).picture.width == 1280
    assert AudioSpecificConfig.parse(source.description.aac).sample_rate == 48_000
    items = list(islice(source.items(), 80))
    video = [i for i in items if i.video]
    audio = [i for i in items if not i.video]
    assert [i.dts_ms for i in video][:3] == [0, 33, 66]
    assert [is_idr(i.data) for i in video] == [n % 30 == 0 for n in range(len(video))]
    assert abs(audio[-1].dts_ms - video[-1].dts_ms) < 60


def test_a_file_is_published_as_it_is_and_loops_without_a_seam() -> None:
    once = list(FileSource(CLIP).items())
    assert once[0].video
    assert once[0].keyframe
    assert once[0].dts_ms == 0
    video = [i.dts_ms for i in once if i.video]
    assert len(video) == 720
    assert video == sorted(video)
    twice = [i.dts_ms for i in islice(FileSource(CLIP, loop=True).items(), len(once) + 200) if i.video]
    steps = {b - a for a, b in pairwise(twice)}
    assert steps <= {41, 42}
    sound = [i.dts_ms for i in islice(FileSource(CLIP, loop=True).items(), len(once) + 200) if not i.video]
    assert max(b - a for a, b in pairwise(sound)) <= 32  # half an access unit at the seam
    assert sound == sorted(sound)


def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.mp4"):
        FileSource(tmp_path / "missing.mp4")
    (tmp_path / "text.mp4").write_text("not media")
    with pytest.raises(SourceError, match=r"text\.mp4"):
        FileSource(tmp_path / "text.mp4")


def test_the_clock_draws_every_digit_differently() -> None:
    face = ClockFace(36)
    drawn = set()
    for digit in "0123456789":
        luma = bytearray(64 * 64)
        face.draw(luma, 64, 12, 12, digit)
        drawn.add(bytes(luma))
    assert len(drawn) == 10
