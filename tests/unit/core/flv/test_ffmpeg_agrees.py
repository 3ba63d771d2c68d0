"""FFmpeg's FLV muxer and demuxer mean the same by a tag body as we do."""

import io
import struct
from collections.abc import Iterable, Iterator

import av

from headrace.core.codec.h264 import AvcConfig
from headrace.core.flv import (
    AudioConfig,
    AudioData,
    VideoConfig,
    VideoData,
    decode_audio,
    decode_video,
    encode_audio,
    encode_video,
)
from tests.support.encode import encode_audio as aac_tone
from tests.support.encode import encode_video as moving_picture

AUDIO, VIDEO = 8, 9
Tag = tuple[int, int, bytes]
"""Type, timestamp in ms, body."""


def write_tags(tags: Iterable[Tag]) -> bytes:
    data = b"FLV\x01\x05" + struct.pack(">II", 9, 0)
    for kind, time, body in tags:
        header = struct.pack(">I", kind << 24 | len(body)) + (time & 0xFFFFFF).to_bytes(3, "big") + bytes((time >> 24,))
        data += header + bytes(3) + body + struct.pack(">I", 11 + len(body))
    return data


def read_tags(data: bytes) -> Iterator[Tag]:
    position = 13
    while position < len(data):
        kind, size = data[position], int.from_bytes(data[position + 1 : position + 4], "big")
        time = data[position + 7] << 24 | int.from_bytes(data[position + 4 : position + 7], "big")
        yield kind, time, data[position + 11 : position + 11 + size]
        position += 11 + size + 4


def our_tags() -> list[Tag]:
    header, units = moving_picture()
    asc, sounds = aac_tone()
    tags = [
        (VIDEO, 0, encode_video(VideoConfig(AvcConfig.from_annexb(header).build()))),
        (AUDIO, 0, encode_audio(AudioConfig(asc))),
    ]
    tags += [
        (VIDEO, 1000 + unit.dts // 90, encode_video(VideoData(unit.idr, (unit.pts - unit.dts) // 90, unit.data)))
        for unit in units
    ]
    tags += [(AUDIO, 1000 + index * 1024 // 48, encode_audio(AudioData(data))) for index, data in enumerate(sounds)]
    return sorted(tags, key=lambda tag: tag[1])


def test_ffmpeg_reads_every_frame_that_we_write() -> None:
    _, units = moving_picture()
    _, sounds = aac_tone()
    data = write_tags(our_tags())
    with av.open(io.BytesIO(data), "r", format="flv") as file:
        video = [packet for packet in file.demux(video=0) if packet.size]
        assert [(packet.dts, packet.pts, packet.is_keyframe, bytes(packet)) for packet in video] == [
            (1000 + unit.dts // 90, 1000 + unit.pts // 90, unit.idr, unit.data) for unit in units
        ]
    with av.open(io.BytesIO(data), "r", format="flv") as file:
        assert [bytes(packet) for packet in file.demux(audio=0) if packet.size] == sounds


def test_we_read_every_frame_that_ffmpeg_writes() -> None:
    ours = our_tags()
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(write_tags(ours)), "r", format="flv") as source,
        av.open(target, "w", format="flv", options={"flvflags": "no_duration_filesize"}) as muxer,
    ):
        streams = {stream.index: muxer.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                muxer.mux(packet)
    theirs = list(read_tags(target.getvalue()))
    events = [decode_video(body) for kind, _, body in theirs if kind == VIDEO]
    expected = [decode_video(body) for kind, _, body in ours if kind == VIDEO]
    assert [event for event in events if isinstance(event, VideoData | VideoConfig)] == expected
    sounds = [decode_audio(body) for kind, _, body in theirs if kind == AUDIO]
    assert sounds == [decode_audio(body) for kind, _, body in ours if kind == AUDIO]
