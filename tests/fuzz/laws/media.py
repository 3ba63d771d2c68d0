"""Tag bodies and codec configuration: an event, a record or the package's own error, and back to the same bytes."""

from contextlib import suppress

from headrace.core import flv
from headrace.core.cmaf import AudioTrack, VideoTrack, audio_init, video_init
from headrace.core.cmaf.errors import CmafError
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig, Sps, nal
from tests.fuzz.judge import Shape


def video(body: bytes) -> None:
    """`decode_video`; what we would write for the same reads as the same."""
    event = flv.decode_video(body)
    if isinstance(event, flv.VideoConfig | flv.VideoData | flv.VideoEnd):
        assert flv.decode_video(flv.encode_video(event)) == event, "it does not come back"
    if isinstance(event, flv.VideoData):
        assert event.data in body, "media from nowhere"


def audio(body: bytes) -> None:
    """`decode_audio`, likewise."""
    event = flv.decode_audio(body)
    if isinstance(event, flv.AudioConfig | flv.AudioData | flv.Silence):
        assert flv.decode_audio(flv.encode_audio(event)) == event, "it does not come back"


def avcc(record: bytes) -> None:
    """`AvcConfig` from a record: its parameter sets survive being written, and an init section holds them."""
    config = AvcConfig.parse(record)
    assert config.codec_string.startswith("avc1."), config.codec_string
    picture = config.picture
    built = config.build()
    again = AvcConfig.parse(built)
    assert (again.sps, again.pps, again.length_size) == (config.sps, config.pps, config.length_size), "lost a set"
    assert again.build() == built, "built differently from itself"
    with suppress(CmafError):
        video_init(VideoTrack(built, picture.width, picture.height, picture.sar, picture.colour))


def sps(unit: bytes) -> None:
    """`Sps` from a NAL unit: sizes that a picture can have."""
    picture = Sps.parse(unit)
    assert picture.sar > 0, f"pixels of shape {picture.sar}"
    assert picture.frame_rate is None or picture.frame_rate > 0, f"{picture.frame_rate} frames/s"


def nal_units(data: bytes) -> None:
    """Annex B streams and samples, by the first byte's choice."""
    choice, data = data[0] if data else 0, data[1:]
    if choice & 3 == 3:
        AvcConfig.from_annexb(data)
    elif choice & 3 == 2:
        units = nal.split_annexb(data)
        assert nal.split_sample(nal.annexb_to_sample(data)) == units, "a unit was lost"
    else:
        size = (1, 2, 4)[choice >> 2 & 3 if choice >> 2 & 3 < 3 else 0]
        units = nal.split_sample(data, size)
        assert nal.nal_types(data, size) == [unit[0] & 31 for unit in units], "types of other units"
        assert nal.is_idr(data, size) == (nal.IDR in nal.nal_types(data, size)), "an IDR that is none"


def aac(record: bytes) -> None:
    """`AudioSpecificConfig`: what it builds parses to the same, and an init section holds it."""
    config = AudioSpecificConfig.parse(record)
    assert config.sample_rate > 0, "no rate"
    assert config.channels > 0, "no channels"
    assert 0 < config.frame_samples <= 2048, f"{config.frame_samples} samples in an access unit"
    assert config.codec_string.startswith("mp4a.40."), config.codec_string
    with suppress(CmafError):
        audio_init(AudioTrack(record, config.sample_rate, config.channels))
    built = config.build()
    assert AudioSpecificConfig.parse(built) == config, "it does not come back"


ANNEXB_SHAPES = (
    Shape(b"\x02", b"\x00\x00\x01"),
    Shape(b"\x02\x00\x00\x01", b"\x00"),
    Shape(b"\x02", b"\x00\x00\x01\x65"),
    Shape(b"\x03\x00\x00\x01\x67\x42\x00\x00\x01\x68", b"\x00\x00\x01\x67"),
    Shape(b"\x00", b"\x00"),
    Shape(b"\x00", b"\x01\x65"),
    Shape(b"\x08", b"\x00\x00\x00\x01\x65"),
)
SPS_SHAPES = (
    Shape(b"\x67\x42\x00\x1e", b"\x00"),
    Shape(b"\x67\x64\x00\x1e\xf0", b"\xff"),
    Shape(b"\x67", b"\x00\x00\x03"),
    Shape(b"\x67\x42\x00\x1e", b"\xaa"),
)
AVCC_SHAPES = (
    Shape(b"\x01\x42\x00\x1e\xff\xff", b"\x00\x01\x67"),
    Shape(bytes.fromhex("0142c01effe100096742c01eda02802dc801ff"), b"\x00\x01\x68"),
    Shape(bytes.fromhex("0142c01effe100096742c01eda02802dc801000468ce3c80"), b"\x00"),
)
AAC_SHAPES = (Shape(b"\x12\x10", b"\x56\xe5"), Shape(b"\x10\x04", b"\xff"), Shape(b"", b"\xf8"))
BODY_SHAPES = (
    Shape(b"\x17\x01\x00\x00\x00", b"\x00"),
    Shape(b"\x27\x01\x00\x00\x00", b"\x00\x00\x00\x01\x65"),
    Shape(b"\x93avc1", b"\x00\x00\x00\x00"),
    Shape(b"\xaf\x01", b"\x21"),
)
