"""AudioSpecificConfig: rate, channels and length of an access unit, in every way of saying them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.codec import CodecError
from headrace.core.codec.aac import AudioSpecificConfig
from tests.support.bits import BitWriter


def program_config(*, front: tuple[int, ...], lfe: int = 0, others: int = 0, comment: bytes = b"") -> bytes:
    """AAC-LC, 48 kHz, channels by a program config element; `front` holds 1 for each pair, 0 for each single.

    `others` data elements and as many coupling elements follow; they are no channels.
    """
    writer = BitWriter().u(5, 2).u(4, 3).u(4, 0).u(3, 0)
    writer.u(4, 0).u(2, 1).u(4, 3).u(4, len(front)).u(4, 0).u(4, 0).u(2, lfe).u(3, others).u(4, others).u(3, 0)
    for pair in front:
        writer.u(1, pair).u(4, 0)
    for _ in range(lfe):
        writer.u(4, 0)
    for _ in range(others):
        writer.u(4, 0)
    for _ in range(others):
        writer.u(5, 31)
    return writer.bytes() + bytes((len(comment),)) + comment


# AAC-LC at 24 kHz that depends on a core coder (14 bits of delay), and backward-compatible SBR behind it.
CORE_CODER = BitWriter().u(5, 2).u(4, 6).u(4, 2).u(2, 1).u(14, 0).u(1, 0).u(11, 0x2B7).u(5, 5).u(1, 1).u(4, 3).bytes()

# bytes, sample rate, channels, samples per access unit, codec string
VECTORS = [
    ("1190", 48_000, 2, 1024, "mp4a.40.2"),
    ("1210", 44_100, 2, 1024, "mp4a.40.2"),
    ("1208", 44_100, 1, 1024, "mp4a.40.2"),
    ("119056e500", 48_000, 2, 1024, "mp4a.40.2"),  # FFmpeg's, which says that there is no SBR
    ("0990", 48_000, 2, 1024, "mp4a.40.1"),
    ("11b0", 48_000, 6, 1024, "mp4a.40.2"),
    ("11b8", 48_000, 8, 1024, "mp4a.40.2"),
    (CORE_CODER.hex(), 48_000, 2, 2048, "mp4a.40.5"),
    ("1194", 48_000, 2, 960, "mp4a.40.2"),
    ("2b118800", 48_000, 2, 2048, "mp4a.40.5"),  # hierarchical SBR over 24 kHz
    ("131056e59880", 48_000, 2, 2048, "mp4a.40.5"),  # backward-compatible SBR over 24 kHz
    ("131056e598", 48_000, 2, 2048, "mp4a.40.5"),  # the same, without a word on PS
    ("eb098800", 48_000, 2, 2048, "mp4a.40.29"),  # hierarchical PS over a mono core
    ("130856e59d4880", 48_000, 2, 2048, "mp4a.40.29"),  # backward-compatible PS
    ("1780177010", 12_000, 2, 1024, "mp4a.40.2"),  # a rate in 24 bits
    (program_config(front=(0, 1), lfe=1).hex(), 48_000, 4, 1024, "mp4a.40.2"),
    (program_config(front=(1,), others=2, comment=b"x").hex(), 48_000, 2, 1024, "mp4a.40.2"),
    (program_config(front=(1,), comment=b"studio").hex(), 48_000, 2, 1024, "mp4a.40.2"),
]


@pytest.mark.parametrize(("data", "rate", "channels", "samples", "codec"), VECTORS)
def test_a_configuration_says_rate_channels_and_length(
    data: str, rate: int, channels: int, samples: int, codec: str
) -> None:
    config = AudioSpecificConfig.parse(bytes.fromhex(data))
    assert (config.sample_rate, config.channels, config.frame_samples, config.codec_string) == (
        rate,
        channels,
        samples,
        codec,
    )
    assert AudioSpecificConfig.parse(AudioSpecificConfig.parse(bytes.fromhex(data)).build()) == config


@pytest.mark.parametrize(
    ("config", "data"),
    [
        (AudioSpecificConfig(48_000, 2), "1190"),
        (AudioSpecificConfig(44_100, 1), "1208"),
        (AudioSpecificConfig(24_000, 2, sbr_rate=48_000), "2b118800"),
        (AudioSpecificConfig(24_000, 1, sbr_rate=48_000, parametric_stereo=True), "eb098800"),
    ],
)
def test_a_configuration_is_written_as_others_read_it(config: AudioSpecificConfig, data: str) -> None:
    assert config.build().hex() == data
    assert AudioSpecificConfig.parse(config.build()) == config


def test_a_tail_that_makes_no_sense_is_no_tail() -> None:
    plain = AudioSpecificConfig.parse(bytes.fromhex("1310"))
    for tail in ("ffff", "56", "56e5", "56e5f8", "56e580", "00000000"):
        assert AudioSpecificConfig.parse(bytes.fromhex("1310" + tail)) == plain


@pytest.mark.parametrize(
    "data",
    [
        "",
        "11",
        "1690",  # reserved rate index 13
        "1780000010",  # a rate of 0 Hz
        "1178",  # reserved channel configuration 15
        "f95e9000",  # xHE-AAC
        "b990",  # AAC-LD
        "2b110800",  # SBR at 96 kHz over 24 kHz
        program_config(front=()).hex(),  # no channels
        program_config(front=(1,), comment=b"cut")[:-1].hex(),
        program_config(front=(1,), others=2, comment=b"cut")[:-1].hex(),
        "119200",  # the core coder's delay is cut short
    ],
)
def test_a_configuration_that_nobody_can_play_is_refused(data: str) -> None:
    with pytest.raises(CodecError):
        AudioSpecificConfig.parse(bytes.fromhex(data))


def test_channels_without_a_code_cannot_be_written() -> None:
    with pytest.raises(CodecError):
        AudioSpecificConfig(48_000, 9).build()


@settings(max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=20), st.builds(lambda v, n: bytes.fromhex(v[0]) + n, st.sampled_from(VECTORS), st.binary())
    )
)
def test_whatever_arrives_is_read_or_is_a_codec_error(data: bytes) -> None:
    try:
        config = AudioSpecificConfig.parse(data)
    except CodecError:
        return
    assert config.frame_samples in (960, 1024, 1920, 2048)
    assert config.channels > 0
