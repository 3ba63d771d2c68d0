"""Describing a source: what is believed, and how long is waited for what."""

from fractions import Fraction

import pytest

from headrace.core.broadcast import Profile, Refused
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig
from headrace.core.flv import Metadata
from headrace.core.media import TICKS_PER_S, Frame, Kind, ticks_from_ms
from headrace.edge.describe import Describer, nearest_rate
from tests.support.encode import encode_video

S = TICKS_PER_S
AAC = AudioSpecificConfig(44_100, 2).build()
AVC = AvcConfig.from_annexb(encode_video()[0]).build()
AUTO, PASS, BOTH = (Profile.parse(name) for name in ("auto", "passthrough", "source+auto"))


def picture(ms: int, *, key: bool = False, shown_ms: int | None = None) -> Frame:
    pts = ticks_from_ms(ms if shown_ms is None else shown_ms)
    return Frame(Kind.VIDEO, key, ticks_from_ms(ms), pts, bytes(1000))


def sound(ms: int) -> Frame:
    return Frame(Kind.AUDIO, True, ms * 90, ms * 90, b"a", ms * 441 // 10, 1024)


def describer(profile: Profile, metadata: Metadata | None = None) -> Describer:
    made = Describer(profile)
    if metadata:
        made.metadata(metadata)
    made.video_config(AVC)
    return made


def test_auto_is_described_by_the_first_frames_when_metadata_tells_the_rate() -> None:
    it = describer(AUTO, Metadata(frame_rate=29.97, video_kbps=2500.4, audio_codec="mp4a"))
    it.audio_config(AAC)
    assert it.source() is None
    it.frame(picture(0, key=True))
    source = it.source()
    assert source is not None
    assert source.video.frame_rate == Fraction(30_000, 1001)
    assert source.video.kbps == 2500
    assert source.audio is not None
    assert (source.audio.sample_rate, source.audio.frame_samples) == (44_100, 1024)


def test_without_a_declared_rate_thirty_intervals_tell_it() -> None:
    it = describer(AUTO)
    it.audio_config(AAC)
    for i in range(34):
        assert it.source() is None or i > 30
        it.frame(picture(round(i * 1000 / 30), key=i == 0))
    source = it.source()
    assert source is not None
    assert source.video.frame_rate in (Fraction(30), Fraction(30_000, 1001))


def test_sound_is_waited_for_half_a_second_or_two_if_it_was_promised() -> None:
    silent = describer(AUTO, Metadata(frame_rate=25.0))
    promised = describer(AUTO, Metadata(frame_rate=25.0, audio_codec="mp4a"))
    for ms in range(0, 560, 40):
        silent.frame(picture(ms, key=ms == 0))
        promised.frame(picture(ms, key=ms == 0))
    source = silent.source()
    assert source is not None
    assert source.audio is None
    assert promised.source() is None
    for ms in range(560, 2040, 40):
        promised.frame(picture(ms))
    assert promised.source() is not None


def test_passthrough_waits_for_its_first_segment_and_tells_its_length() -> None:
    it = describer(PASS, Metadata(frame_rate=25.0))
    it.audio_config(AAC)
    it.frame(picture(0, key=True, shown_ms=80))
    it.frame(sound(10))
    for ms in range(40, 3000, 40):
        it.frame(picture(ms))
    assert it.source() is None
    it.frame(picture(3000, key=True))
    assert it.source() is None  # its leading pictures would come next
    it.frame(picture(3040))
    source = it.source()
    assert source is not None
    assert source.video.first_segment == 3 * S
    assert source.video.delta == 80 * 90
    assert len(source.video.intervals) == 30
    assert source.audio is not None
    assert source.audio.grid == 441


def test_a_gop_beyond_the_longest_is_told_as_none() -> None:
    it = describer(PASS, Metadata(frame_rate=25.0))
    it.audio_config(AAC)
    it.frame(picture(0, key=True))
    it.frame(sound(0))
    for ms in range(40, 10_080, 40):
        it.frame(picture(ms))
    source = it.source()
    assert source is not None
    assert source.video.first_segment == 0


def test_source_plus_auto_does_not_wait_for_a_gop_that_cannot_be_a_segment() -> None:
    it = describer(BOTH, Metadata(frame_rate=25.0))
    it.audio_config(AAC)
    it.frame(sound(0))
    for ms in range(0, 2320, 40):
        it.frame(picture(ms, key=ms == 0))
    assert it.source() is not None


def test_a_picture_shown_before_its_keyframe_makes_the_gops_open() -> None:
    it = describer(PASS, Metadata(frame_rate=25.0))
    it.audio_config(AAC)
    it.frame(picture(0, key=True))
    it.frame(sound(0))
    for ms in range(40, 2000, 40):
        it.frame(picture(ms))
    it.frame(picture(2000, key=True, shown_ms=2080))
    it.frame(picture(2040, shown_ms=2040))
    it.frame(picture(2080, shown_ms=2200))
    source = it.source()
    assert source is not None
    assert not source.video.closed


def test_leading_pictures_of_the_first_keyframe_make_the_gops_open() -> None:
    it = describer(BOTH, Metadata(frame_rate=25.0))
    it.audio_config(AAC)
    it.frame(picture(0, key=True))
    it.gops_are_open()
    it.frame(sound(0))
    for ms in range(40, 2100, 40):
        it.frame(picture(ms, key=ms == 2000))
    source = it.source()
    assert source is not None
    assert not source.video.closed


def test_the_bitstreams_rate_is_believed_before_metadatas() -> None:
    it = describer(AUTO, Metadata(frame_rate=60.0))
    with_timing = AvcConfig.parse(AVC).picture.frame_rate
    it.audio_config(AAC)
    it.frame(picture(0, key=True))
    source = it.source()
    assert source is not None
    assert source.video.frame_rate == (with_timing or 60)


def test_pictures_that_may_be_overtaken_do_not_count_for_the_rate() -> None:
    it = describer(AUTO)
    it.audio_config(AAC)
    shown = [0] + [3 * group + place for group in range(20) for place in (3, 1, 2)]
    for n, place in enumerate(shown):
        it.frame(picture(round(n * 1000 / 30), key=n == 0, shown_ms=round((place + 1) * 1000 / 30)))
        if (source := it.source()) is not None:
            break
    assert source is not None
    assert source.video.frame_rate in (Fraction(30), Fraction(30_000, 1001))


def test_a_publish_that_ends_early_is_described_by_what_came() -> None:
    it = describer(PASS, Metadata(frame_rate=25.0))
    it.frame(picture(0, key=True))
    it.frame(picture(40))
    assert it.source() is None
    source = it.source(now=True)
    assert source is not None
    assert source.video.first_segment == 40 * 90


def test_a_configuration_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refused, match=r"H\.264 configuration"):
        Describer(AUTO).video_config(b"\x01garbage")
    with pytest.raises(Refused, match="AAC configuration"):
        Describer(AUTO).audio_config(b"\xff\xff")


@pytest.mark.parametrize(
    ("told", "rate"),
    [("23.976", "24000/1001"), ("29.97", "30000/1001"), ("30", "30"), ("59.94006", "60000/1001"), ("17.5", "35/2")],
)
def test_declared_rates_become_the_standard_ones_that_they_mean(told: str, rate: str) -> None:
    assert nearest_rate(Fraction(told), Fraction(1, 2500)) == Fraction(rate)
