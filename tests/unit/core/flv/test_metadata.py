"""`onMetaData`, honest and otherwise."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import amf
from headrace.core.flv import Metadata, metadata_values, read_metadata

OBS = {
    "duration": 0.0,
    "fileSize": 0.0,
    "width": 1920.0,
    "height": 1080.0,
    "videocodecid": 7.0,
    "videodatarate": 6000.0,
    "framerate": 60.0,
    "audiocodecid": 10.0,
    "audiodatarate": 160.0,
    "audiosamplerate": 48000.0,
    "audiosamplesize": 16.0,
    "audiochannels": 2.0,
    "stereo": True,
    "encoder": "obs-output module (libobs version 31.0.0)",
}


def test_an_honest_announcement_is_read_whole() -> None:
    assert read_metadata(OBS) == Metadata(
        width=1920,
        height=1080,
        frame_rate=60.0,
        video_kbps=6000.0,
        audio_kbps=160.0,
        sample_rate=48_000,
        channels=2,
        video_codec="avc1",
        audio_codec="mp4a",
        encoder="obs-output module (libobs version 31.0.0)",
    )


@pytest.mark.parametrize("values", [(), (None,), ("onMetaData",), (7.0,), ([],), ([1.0, "x"],), ({},)])
def test_no_announcement_is_an_empty_one(values: tuple[object, ...]) -> None:
    assert read_metadata(*values) == Metadata()


@pytest.mark.parametrize("values", [(OBS,), ("onMetaData", OBS), ([OBS],), (None, [1.0, OBS], {})])
def test_the_object_is_found_wherever_an_encoder_puts_it(values: tuple[object, ...]) -> None:
    assert read_metadata(*values) == read_metadata(OBS)


@pytest.mark.parametrize(
    ("announced", "codec"),
    [
        (7.0, "avc1"),
        (12.0, "hvc1"),
        (1635135537.0, "av01"),
        (1752589105.0, "hvc1"),
        ("avc1", "avc1"),
        ("hvc1", "hvc1"),
        (0.0, None),
        ("", None),
        ("H264", None),
        (True, None),
        (math.nan, None),
        (-1.0, None),
        (1e300, None),
        (10**400, None),
        (None, None),
    ],
)
def test_a_codec_is_understood_as_number_code_or_text(announced: object, codec: str | None) -> None:
    assert read_metadata({"videocodecid": announced}).video_codec == codec


@pytest.mark.parametrize(
    ("announced", "expected"),
    [
        ({"width": 0.0, "height": 0.0}, Metadata()),
        ({"width": -640.0, "height": 1e9}, Metadata()),
        ({"width": "1280", "height": "720p"}, Metadata(width=1280)),
        ({"framerate": 90_000.0}, Metadata()),
        ({"framerate": "29.97"}, Metadata(frame_rate=29.97)),
        ({"framerate": math.nan, "videodatarate": math.inf}, Metadata()),
        ({"framerate": "nan", "videodatarate": "1e999"}, Metadata()),
        ({"width": True, "framerate": {}, "encoder": 3.0, "videodatarate": [1.0]}, Metadata()),
        ({"stereo": False}, Metadata(channels=1)),
        ({"stereo": True, "audiochannels": 0.0}, Metadata(channels=2)),
        ({"stereo": True, "audiochannels": 6.0}, Metadata(channels=6)),
        ({"audiosamplerate": 3.0}, Metadata()),  # the two-bit code of FLV's header instead of a rate
        ({"framerate": "30." + "0" * 100}, Metadata(frame_rate=30.0)),
        ({"encoder": "x" * 300}, Metadata(encoder="x" * 200)),
    ],
)
def test_what_cannot_be_believed_was_not_said(announced: dict[str, object], expected: Metadata) -> None:
    assert read_metadata(announced) == expected


def test_what_we_announce_is_read_back_from_the_wire() -> None:
    announced = amf.encode_values("onMetaData", metadata_values(read_metadata(OBS)))
    assert read_metadata(*amf.decode_values(announced).values) == read_metadata(OBS)
    assert metadata_values(Metadata(width=640)) == {"width": 640.0}


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from([*OBS, "x"]),
        st.one_of(
            st.floats(), st.text(max_size=8), st.booleans(), st.none(), st.integers(), st.lists(st.floats(), max_size=2)
        ),
    )
)
def test_no_announcement_makes_reading_fail(announced: dict[str, object]) -> None:
    metadata = read_metadata(announced)
    assert metadata.width is None or 1 <= metadata.width <= 16_384
    assert read_metadata(metadata_values(metadata)).frame_rate == metadata.frame_rate
