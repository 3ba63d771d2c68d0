"""The pipe's messages: there and back, cut short, and hostile."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.broadcast import Gap, Init, Part
from headrace.core.media import Frame, Kind
from headrace.livelog.base import RungPosition
from headrace.transcoder.pipe import (
    MAX_MESSAGE_BYTES,
    Begin,
    Counted,
    Done,
    Failed,
    Flush,
    Made,
    Message,
    PipeBroken,
    Ready,
    decode,
    encode,
)
from tests.support.broadcasts import PLAN, SOURCE

PART = Part("720p", 3, 2, 540_000, 570_000, 540_000, True, False, 4, "00ff", "e1", True, 1)
MESSAGES: list[Message] = [
    Begin(PLAN, SOURCE, {"audio": RungPosition(1, 2, 210_000, 180_000, True, "e0")}, {"720p": "e1"}),
    Frame(Kind.VIDEO, True, -7_500, 0, b"\x00\x00\x00\x01\x65"),
    Frame(Kind.AUDIO, True, 10, 10, b"", 5, 1040, True),
    Flush(),
    Ready(),
    Init("720p", "avc1.64001F", b"ftyp", 1280, 720, Fraction(30_000, 1001)),
    Init("audio", "mp4a.40.2", b"", channels=2),
    Made(PART, b"moof"),
    Gap("audio", 3, 2, 540_000, 570_000, 540_000, True, True, 0),
    Gap("source", 3, 2, 540_000, 570_000, 540_000, True, False, 1, "source"),
    Counted("video_undecodable", 7),
    Failed("libx264 said ünknown"),
    Done(),
]


def split(data: bytes) -> tuple[int, int, bytes]:
    return data[0], int.from_bytes(data[1:5], "big"), data[5:]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    number, size, payload = split(b"".join(encode(message)))
    assert size == len(payload)
    assert decode(number, payload) == message


@pytest.mark.parametrize("message", MESSAGES[1:], ids=lambda message: type(message).__name__)
def test_a_message_that_is_cut_short_is_an_error_or_another_message_and_nothing_else(message: Message) -> None:
    number, _, payload = split(b"".join(encode(message)))
    for size in range(len(payload)):
        try:
            decode(number, payload[:size])
        except PipeBroken:
            continue


@given(st.integers(2, 255), st.binary(max_size=80))
def test_no_bytes_do_more_than_raise_pipe_broken(number: int, payload: bytes) -> None:
    try:
        decode(number, payload)
    except PipeBroken:
        return


def test_a_message_above_the_bound_is_not_sent() -> None:
    with pytest.raises(PipeBroken):
        encode(Made(PART, bytes(MAX_MESSAGE_BYTES)))


def test_a_worker_cannot_invent_what_is_counted() -> None:
    number, _, payload = split(b"".join(encode(Counted("x" * 40, 1))))
    with pytest.raises(PipeBroken):
        decode(number, payload)


@pytest.mark.parametrize(
    "message",
    [
        Made(replace(PART, rung="../720p"), b"moof"),
        Made(replace(PART, encoder='e"\n#EXT-X-ENDLIST'), b"moof"),
        Made(replace(PART, encoder=""), b"moof"),
        Gap("", 3, 2, 540_000, 570_000, 540_000, True),
        Gap("audio", 3, 2, 540_000, 570_000, 540_000, True, encoder="e/1"),
        Init("720p", 'avc1"', b"ftyp"),
        Init("7\n20p", "avc1.64001F", b"ftyp"),
    ],
    ids=repr,
)
def test_a_worker_cannot_write_lines_into_playlists(message: Message) -> None:
    number, _, payload = split(b"".join(encode(message)))
    with pytest.raises(PipeBroken):
        decode(number, payload)
