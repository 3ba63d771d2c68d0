"""FFmpeg's demuxer and decoders read what we write: every sample, every time, every picture."""

import io
from fractions import Fraction

import av
import pytest

from headrace.core.cmaf import AudioTrack, Sample, VideoTrack, audio_init, fragment, video_init
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig
from tests.support.encode import DELTA, FRAME, FRAMES, HEIGHT, WIDTH, encode_audio, encode_video

STARTS = [900_000, 2**32 + 900_000]


@pytest.mark.parametrize("start", STARTS)
def test_ffmpeg_reads_every_video_sample_at_its_time_and_decodes_every_picture(start: int) -> None:
    header, units = encode_video()
    assert any(unit.pts - unit.dts != DELTA for unit in units)  # there are B-frames, or this shows little
    config = AvcConfig.from_annexb(header)
    picture = config.picture
    data = video_init(VideoTrack(config.build(), picture.width, picture.height, picture.sar, picture.colour))
    for part in range(0, FRAMES, 8):
        samples = [Sample(unit.data, FRAME, unit.pts - unit.dts, unit.idr) for unit in units[part : part + 8]]
        data += fragment(1 + part // 8, start + units[part].dts, samples)

    with av.open(io.BytesIO(data), "r") as file:
        stream = file.streams.video[0]
        assert stream.time_base == Fraction(1, 90_000)
        assert (stream.width, stream.height) == (WIDTH, HEIGHT)
        assert stream.codec_context.extradata == config.build()
        read = [packet for packet in file.demux(stream) if packet.size]
        assert [(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in read] == [
            (start + unit.pts, start + unit.dts, unit.idr, unit.data) for unit in units
        ]
        assert {packet.duration for packet in read} == {FRAME}

    with av.open(io.BytesIO(data), "r") as file:
        assert [frame.pts for frame in file.decode(video=0)] == [start + index * FRAME for index in range(FRAMES)]


@pytest.mark.parametrize("start", STARTS)
def test_ffmpeg_reads_every_audio_access_unit_at_its_sample(start: int) -> None:
    header, units = encode_audio()
    config = AudioSpecificConfig.parse(header)
    data = audio_init(AudioTrack(config.build(), config.sample_rate, config.channels, 128_000))
    for part in range(0, len(units), 15):
        samples = [Sample(unit, config.frame_samples) for unit in units[part : part + 15]]
        data += fragment(1 + part // 15, start + part * config.frame_samples, samples)

    with av.open(io.BytesIO(data), "r") as file:
        stream = file.streams.audio[0]
        assert (stream.time_base, stream.rate, stream.channels) == (Fraction(1, 48_000), 48_000, 2)
        read = [packet for packet in file.demux(stream) if packet.size]
        assert [(packet.pts, packet.dts, bytes(packet)) for packet in read] == [
            (start + index * 1024, start + index * 1024, unit) for index, unit in enumerate(units)
        ]
    with av.open(io.BytesIO(data), "r") as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == 1024 * len(units)
