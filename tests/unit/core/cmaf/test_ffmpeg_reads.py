"""FFmpeg's demuxer and decoders read what we write: every sample, every time, every picture."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from headrace.core.cmaf import AudioTrack, Sample, VideoTrack, audio_init, fragment, video_init
from headrace.core.codec import h264
from headrace.core.codec.aac import AudioSpecificConfig

FRAMES, FRAME, DELTA = 40, 3600, 18_000  # 25 frames/s in ticks; Delta as the plan would give it
WIDTH, HEIGHT = 96, 64
STARTS = [900_000, 2**32 + 900_000]

Packets = list[tuple[int, int, bool, bytes]]


def encode_video() -> tuple[h264.AvcConfig, Packets]:
    """An IDR every 20 frames, B-frames between: (pts, dts by the house's rule, is IDR, sample)."""
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
    times = sorted(packet.pts or 0 for packet in packets)
    samples = [h264.annexb_to_sample(bytes(packet)) for packet in packets]
    listed = [
        (packet.pts or 0, dts - DELTA, h264.is_idr(sample), sample)
        for packet, dts, sample in zip(packets, times, samples, strict=True)
    ]
    return h264.AvcConfig.from_annexb(codec.extradata), listed


def encode_audio() -> tuple[bytes, list[bytes]]:
    codec = av.CodecContext.create("aac", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = 48_000, "stereo", "fltp"
    codec.flags |= Flags.global_header
    packets = []
    for index in range(30):
        tone = np.sin(np.arange(1024, dtype=np.float32) / 20 + index)
        frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]).astype(np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48_000, index * 1024
        packets += codec.encode(frame)
    assert codec.extradata is not None
    return codec.extradata, [bytes(packet) for packet in packets]


@pytest.mark.parametrize("start", STARTS)
def test_ffmpeg_reads_every_video_sample_at_its_time_and_decodes_every_picture(start: int) -> None:
    config, packets = encode_video()
    assert any(pts - dts != DELTA for pts, dts, _, _ in packets)  # there are B-frames, or this shows little
    picture = config.picture
    data = video_init(VideoTrack(config.build(), picture.width, picture.height, picture.sar, picture.colour))
    for part in range(0, FRAMES, 8):
        samples = [Sample(unit, FRAME, pts - dts, idr) for pts, dts, idr, unit in packets[part : part + 8]]
        data += fragment(1 + part // 8, start + packets[part][1], samples)

    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.video[0]
        assert stream.time_base == Fraction(1, 90_000)
        assert (stream.width, stream.height) == (WIDTH, HEIGHT)
        assert stream.codec_context.extradata == config.build()
        read = [packet for packet in file.demux(stream) if packet.size]
        assert [(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in read] == [
            (start + pts, start + dts, idr, unit) for pts, dts, idr, unit in packets
        ]
        assert {packet.duration for packet in read} == {FRAME}

    with av.open(io.BytesIO(data)) as file:
        assert [frame.pts for frame in file.decode(video=0)] == [start + index * FRAME for index in range(FRAMES)]


@pytest.mark.parametrize("start", STARTS)
def test_ffmpeg_reads_every_audio_access_unit_at_its_sample(start: int) -> None:
    extradata, units = encode_audio()
    config = AudioSpecificConfig.parse(extradata)
    data = audio_init(AudioTrack(config.build(), config.sample_rate, config.channels, 128_000))
    for part in range(0, len(units), 15):
        samples = [Sample(unit, config.frame_samples) for unit in units[part : part + 15]]
        data += fragment(1 + part // 15, start + part * config.frame_samples, samples)

    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        assert (stream.time_base, stream.rate, stream.channels) == (Fraction(1, 48_000), 48_000, 2)
        read = [packet for packet in file.demux(stream) if packet.size]
        assert [(packet.pts, packet.dts, bytes(packet)) for packet in read] == [
            (start + index * 1024, start + index * 1024, unit) for index, unit in enumerate(units)
        ]
    with av.open(io.BytesIO(data)) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == 1024 * len(units)
