"""The encoders by themselves: what the plan fixes, and what it must not depend on."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from headrace.core.broadcast import AudioRung, AudioSource, Encoding, VideoRung
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import Colour, is_idr
from headrace.core.media import Frame, Kind
from headrace.transcoder.worker import encode
from headrace.transcoder.worker.audio import AacFrame, AudioTranscoder
from headrace.transcoder.worker.encode import Coded, Force, VideoEncoder, threads_for
from headrace.transcoder.worker.scale import Scaler
from tests.integration.transcoder.harness import numbered, psnr, tone

RUNG = VideoRung("180p", 320, 180, Fraction(25), 1, 30_000, Encoding(23, 700, 700))
BT709 = Colour(1, 1, 1, False)
MOST_REORDERED = 2
"""As many B-frames may wait for the picture that follows them."""


def encoded(forces: list[Force], types: av.video.frame.PictureType = av.video.frame.PictureType.NONE) -> list[Coded]:
    encoder = VideoEncoder(RUNG, BT709)
    samples = []
    for index, force in enumerate(forces):
        picture = numbered(320, 180, index)
        picture.pict_type = types
        samples += encoder.encode(picture, index * 3600, force)
    return samples + encoder.flush()


def test_the_configuration_follows_from_the_plan_and_not_from_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = VideoEncoder(RUNG, BT709)
    monkeypatch.setattr(encode, "threads_for", lambda _: 4)
    assert VideoEncoder(RUNG, BT709).config == one.config
    assert one.config.picture.colour == BT709
    assert (one.config.picture.width, one.config.picture.height) == (320, 180)
    assert one.config.codec_string.startswith("avc1.64")


def test_a_rung_of_a_gbr_source_does_not_say_that_it_is_gbr() -> None:
    assert VideoEncoder(RUNG, Colour(1, 13, 0, True)).config.picture.colour == Colour(1, 13, 2, False)


def test_only_what_is_decided_is_an_idr_whatever_types_the_source_had() -> None:
    forces = [Force.IDR] + [Force.NOTHING] * 300 + [Force.IDR] + [Force.NOTHING] * 10
    samples = encoded(forces, av.video.frame.PictureType.I)
    assert [sample.pts // 3600 for sample in samples if sample.idr] == [0, 301]
    assert all(is_idr(sample.data) == sample.idr for sample in samples)


def test_after_a_forced_p_no_picture_before_it_is_decoded_or_shown_later() -> None:
    forces = [Force.P if index % 8 == 7 else Force.NOTHING for index in range(120)]
    forces[0] = Force.IDR
    samples = encoded(forces)
    for part in range(0, 120, 8):
        assert {sample.pts // 3600 for sample in samples[part : part + 8]} == set(range(part, part + 8))


@pytest.mark.parametrize(("rate", "threads", "held"), [(24, 1, 5), (30, 1, 5), (30, 2, 5), (60, 1, 9), (60, 3, 9)])
def test_an_encoder_holds_a_seventh_of_a_second_and_a_picture_however_many_threads_it_has(
    rate: int, threads: int, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "threads_for", lambda _: threads)
    encoder = VideoEncoder(replace(RUNG, frame_rate=Fraction(rate)), BT709)
    samples: list[Coded] = []
    for index in range(40):
        samples += encoder.encode(numbered(320, 180, index), index * 90_000 // rate, Force.NOTHING)
    assert len(samples) >= 40 - held - MOST_REORDERED


def test_a_picture_that_has_the_rungs_size_is_not_copied_and_full_range_becomes_limited() -> None:
    picture = numbered(320, 180, 1)
    assert Scaler(320, 180).scale(picture) is picture
    full = picture.reformat(format="yuvj420p", dst_color_range="JPEG")
    limited = Scaler(320, 180).scale(full)
    assert limited.format.name == "yuv420p"
    assert psnr(limited, picture) > 40
    small = Scaler(160, 90).scale(picture)
    assert (small.width, small.height) == (160, 90)


@pytest.mark.parametrize(("pixels_s", "threads"), [(1, 1), (1920 * 1080 * 25, 1), (1920 * 1080 * 60, 3), (10**10, 8)])
def test_large_rungs_get_more_threads(pixels_s: int, threads: int) -> None:
    assert threads_for(Fraction(pixels_s)) == threads


class Sound:
    """Ten seconds of the tone as a source's access units, and a transcoder for it."""

    def __init__(self, rate: int) -> None:
        context = av.CodecContext.create("aac", "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate, context.layout, context.format = rate, "mono", "fltp"
        context.flags |= av.codec.context.Flags.global_header
        self.units: list[Frame] = []
        for index in range(10 * rate // 1024):
            frame = av.AudioFrame.from_ndarray(tone(rate, index * 1024, 1024)[None, :], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, index * 1024, Fraction(1, rate)
            for packet in context.encode(frame):
                assert packet.pts is not None
                if packet.pts >= 0:
                    self.units.append(Frame(Kind.AUDIO, True, 0, 0, bytes(packet), packet.pts, 1024))
        self.source = AudioSource("mp4a", bytes(context.extradata or b""), rate, 1, 1024)
        self.lost: list[str] = []

    def transcoder(self, first: int = 0, continuing: bool = False) -> AudioTranscoder:
        rung = AudioRung("audio", 48_000, 1, 1024, 0, 96)
        return AudioTranscoder(self.source, rung, first, continuing, self.lost.append)

    def through(self, transcoder: AudioTranscoder, units: list[Frame]) -> list[AacFrame]:
        made = [frame for unit in units for frame in transcoder.transcode(unit)]
        return made + transcoder.flush(9 * 48_000)


@pytest.mark.parametrize("rate", [48_000, 44_100, 32_000])
def test_a_continued_track_is_the_same_sound_from_its_first_frame_on(rate: int) -> None:
    sound = Sound(rate)
    whole = sound.through(sound.transcoder(), sound.units)
    assert [frame.sample for frame in whole] == [1024 * index for index in range(len(whole))]
    assert len(whole) * 1024 >= 9 * 48_000
    first = 200 * 1024
    since = [unit for unit in sound.units if unit.sample * 48_000 // rate > first - 72_000]
    rest = sound.through(sound.transcoder(first, continuing=True), since)
    assert rest[0].sample == first
    reference = decoded(sound, whole)
    spliced = decoded(sound, whole[:200] + rest)
    error = spliced[first - 2048 : first + 8192] - reference[first - 2048 : first + 8192]
    assert 10 * np.log10(np.mean(error**2) / np.mean(reference**2)) < -45


def test_units_that_are_stretched_keep_the_place_of_what_follows() -> None:
    sound = Sound(48_000)
    shifted = [
        unit._replace(samples=1040) if index == 100 else unit._replace(sample=unit.sample + 16 * (index > 100))
        for index, unit in enumerate(sound.units)
    ]
    reference = decoded(sound, sound.through(sound.transcoder(), sound.units))
    stretched = decoded(sound, sound.through(sound.transcoder(), shifted))
    error = stretched[200_016:300_016] - reference[200_000:300_000]
    assert 10 * np.log10(np.mean(error**2) / np.mean(reference**2)) < -30
    assert np.abs(np.diff(stretched)).max() < 2 * np.abs(np.diff(reference)).max()  # no click


def decoded(sound: Sound, frames: list[AacFrame]) -> "np.typing.NDArray[np.float32]":
    """What a player makes of the frames."""
    context = av.CodecContext.create("aac", "r")
    assert isinstance(context, av.AudioCodecContext)
    context.extradata = AudioSpecificConfig(48_000, 1).build()
    return np.concatenate([one.to_ndarray()[0] for f in frames for one in context.decode(av.Packet(f.data))])
