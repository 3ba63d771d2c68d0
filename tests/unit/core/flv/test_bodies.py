"""Tag bodies both ways, by the table of wire vectors."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.flv import (
    AudioConfig,
    AudioData,
    AudioEvent,
    FlvError,
    Silence,
    VideoConfig,
    VideoData,
    VideoEnd,
    VideoEvent,
    decode_audio,
    decode_video,
    encode_audio,
    encode_video,
)
from tests.unit.core.flv.vectors import (
    AUDIO_BROKEN,
    AUDIO_READ,
    AUDIO_WRITTEN,
    VIDEO_BROKEN,
    VIDEO_READ,
    VIDEO_WRITTEN,
)

WIRE = [bytes.fromhex(body) for body, _ in (*VIDEO_WRITTEN, *VIDEO_READ, *AUDIO_WRITTEN, *AUDIO_READ)]


@pytest.mark.parametrize(("body", "event"), [*VIDEO_WRITTEN, *VIDEO_READ])
def test_a_video_body_is_read_as_its_event(body: str, event: VideoEvent) -> None:
    assert decode_video(bytes.fromhex(body)) == event


@pytest.mark.parametrize(("body", "event"), [*AUDIO_WRITTEN, *AUDIO_READ])
def test_an_audio_body_is_read_as_its_event(body: str, event: AudioEvent) -> None:
    assert decode_audio(bytes.fromhex(body)) == event


@pytest.mark.parametrize(("body", "event"), VIDEO_WRITTEN)
def test_a_video_event_is_written_as_its_body(body: str, event: VideoConfig | VideoData | VideoEnd) -> None:
    assert encode_video(event) == bytes.fromhex(body)


@pytest.mark.parametrize(("body", "event"), AUDIO_WRITTEN)
def test_an_audio_event_is_written_as_its_body(body: str, event: AudioConfig | AudioData | Silence) -> None:
    assert encode_audio(event) == bytes.fromhex(body)


@pytest.mark.parametrize("body", VIDEO_BROKEN)
def test_a_video_body_that_ends_in_its_header_is_an_error(body: str) -> None:
    with pytest.raises(FlvError):
        decode_video(bytes.fromhex(body))


@pytest.mark.parametrize("body", AUDIO_BROKEN)
def test_an_audio_body_that_ends_in_its_header_is_an_error(body: str) -> None:
    with pytest.raises(FlvError):
        decode_audio(bytes.fromhex(body))


@pytest.mark.parametrize("cts_ms", [8_388_608, -8_388_609])
def test_a_composition_time_above_24_bits_cannot_be_written(cts_ms: int) -> None:
    with pytest.raises(FlvError):
        encode_video(VideoData(True, cts_ms, b"\x00\x00\x00\x01\x65"))


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=40),
        st.builds(lambda body, at, noise: body[:at] + noise, st.sampled_from(WIRE), st.integers(0, 9), st.binary()),
    )
)
def test_whatever_arrives_becomes_an_event_or_an_flv_error(body: bytes) -> None:
    with contextlib.suppress(FlvError):
        video = decode_video(body)
        if isinstance(video, VideoConfig | VideoData | VideoEnd):
            assert decode_video(encode_video(video)) == video
    with contextlib.suppress(FlvError):
        audio = decode_audio(body)
        if isinstance(audio, AudioConfig | AudioData | Silence):
            assert decode_audio(encode_audio(audio)) == audio
