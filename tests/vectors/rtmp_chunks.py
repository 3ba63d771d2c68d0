"""Chunk streams on the wire, as encoders really write them, with what they mean.

One table serves the reader's test, the writer's test (`canonical` rows) and the fuzzers' seeds.
"""

from typing import NamedTuple

from headrace.core.rtmp._messages import Message


class Chunks(NamedTuple):
    """A row: the bytes, the messages in them, the oddities counted, and whether our writer makes the same bytes."""

    name: str
    wire: bytes
    messages: list[Message]
    noise: dict[str, int] = {}  # noqa: RUF012 - never changed
    canonical: bool = False


def wire(text: str) -> bytes:
    """Hex with blanks."""
    return bytes.fromhex(text.replace(" ", ""))


def first(csid: int, time: int, length: int, kind: int = 9, stream_id: int = 1) -> bytes:
    """A type-0 header; times from 0xFFFFFF on are extended."""
    head = bytes((csid,)) + min(time, 0xFFFFFF).to_bytes(3, "big") + length.to_bytes(3, "big") + bytes((kind,))
    return head + stream_id.to_bytes(4, "little") + (time.to_bytes(4, "big") if time >= 0xFFFFFF else b"")


A, B, C = b"A" * 128, b"B" * 128, b"C" * 44
LONG = A + B + C
LATE = 0x01000000
EXT = LATE.to_bytes(4, "big")


def video(time: int, payload: bytes) -> Message:
    return Message(9, 1, time, payload)


VECTORS = [
    Chunks("one type-0 chunk", wire("04 000010 000003 08 01000000 616263"), [Message(8, 1, 16, b"abc")],
           canonical=True),
    Chunks(
        "headers of all four types on one chunk stream",
        wire("04 000010 000003 08 01000000 616263  44 000005 000002 08 6162  84 000007 6364  c4 6566"),
        [Message(8, 1, 16, b"abc"), Message(8, 1, 21, b"ab"), Message(8, 1, 28, b"cd"), Message(8, 1, 35, b"ef")],
        canonical=True,
    ),
    Chunks("a message over three chunks", first(4, 7, 300) + A + b"\xc4" + B + b"\xc4" + C, [video(7, LONG)],
           canonical=True),
    Chunks("an empty message", first(4, 7, 0) + first(4, 9, 1) + b"x", [video(7, b""), video(9, b"x")]),
    Chunks(
        "the extended timestamp repeated in continuations, by the letter and OBS since 30.2",
        first(4, LATE, 300) + A + b"\xc4" + EXT + B + b"\xc4" + EXT + C,
        [video(LATE, LONG)],
        canonical=True,
    ),
    Chunks(
        "the extended timestamp left out in continuations, as librtmp and FFmpeg did",
        first(4, LATE, 300) + A + b"\xc4" + B + b"\xc4" + C,
        [video(LATE, LONG)],
    ),
    Chunks(
        "an extended delta repeated in continuations is compared as it was on the wire",
        first(4, 1000, 1) + b"x" + wire("44 ffffff 00012c 09 fffffffb") + A + wire("c4 fffffffb") + B
        + wire("c4 fffffffb") + C,
        [video(1000, b"x"), video(995, LONG)],
    ),
    Chunks(
        "a type-3 header that starts a message without the extended timestamp, as OBS writes it",
        first(4, LATE, 2) + b"ab" + b"\xc4cd",
        [video(LATE, b"ab"), video(LATE, b"cd")],
    ),
    Chunks(
        "a type-3 header that starts a message with the extended timestamp",
        first(4, LATE, 2) + b"ab" + b"\xc4" + EXT + b"cd",
        [video(LATE, b"ab"), video(LATE, b"cd")],
    ),
    Chunks(
        "a negative delta as OBS writes it",
        first(4, 2, 1) + b"x" + wire("84 ffffff fffffff6") + b"y",
        [video(2, b"x"), video(2**32 - 8, b"y")],
    ),
    Chunks(
        "an absolute time in the place of an extended delta",
        first(4, LATE, 1) + b"x" + wire("84 ffffff 01000021") + b"y" + b"\xc4z",
        [video(LATE, b"x"), video(LATE + 33, b"y"), video(LATE + 66, b"z")],
        {"absolute_extended_delta": 1},
    ),
    Chunks(
        "a real jump by an extended delta stays a delta",
        first(4, 60_000, 1) + b"x" + wire("84 ffffff 02000000") + b"y",
        [video(60_000, b"x"), video(60_000 + 0x02000000, b"y")],
    ),
    Chunks(
        "time passes 2^32",
        first(4, 2**32 - 10, 1) + b"x" + wire("84 000014") + b"y",
        [video(2**32 - 10, b"x"), video(10, b"y")],
        canonical=True,
    ),
    Chunks(
        "type 3 after type 0 at 0", first(4, 0, 1) + b"x" + b"\xc4y", [video(0, b"x"), video(0, b"y")]
    ),
    Chunks(
        "type 3 after type 0 with a small time repeats it as a delta",
        first(4, 40, 1) + b"x" + b"\xc4y" + b"\xc4z",
        [video(40, b"x"), video(80, b"y"), video(120, b"z")],
    ),
    Chunks(
        "type 3 after type 0 with a large time means the same time",
        first(4, 5000, 1) + b"x" + b"\xc4y",
        [video(5000, b"x"), video(5000, b"y")],
    ),
    Chunks(
        "a fresh chunk stream may begin with type 1, as librtmp's ping answers do",
        wire("42 000000 000006 04 000700000001"),
        [Message(4, 0, 0, wire("000700000001"))],
    ),
    Chunks("a two-byte chunk stream id", b"\x00\x06" + first(4, 7, 1)[1:] + b"x" + b"\xc0\x06y",
           [video(7, b"x"), video(14, b"y")]),
    Chunks("a three-byte chunk stream id over two chunks",
           b"\x01\x10\x20" + first(4, 7, 130)[1:] + A + b"\xc1\x10\x20xy", [video(7, A + b"xy")]),
    Chunks("the same id in two and in three bytes is one chunk stream",
           b"\x00\x06" + first(4, 7, 1)[1:] + b"x" + b"\xc1\x06\x00y", [video(7, b"x"), video(14, b"y")]),
    Chunks(
        "two interleaved messages",
        first(4, 7, 300) + A + first(6, 9, 130, 8) + B + b"\xc4" + B + b"\xc6xy" + b"\xc4" + C,
        [Message(8, 1, 9, B + b"xy"), video(7, LONG)],
    ),
    Chunks(
        "a new header in mid-message gives the old message up",
        first(4, 7, 300) + A + first(4, 9, 2) + b"ab" + wire("44 000001 00012c 09") + A + wire("84 000002") + A
        + b"\xc4" + B + b"\xc4" + C,
        [video(9, b"ab"), video(12, LONG)],
        {"message_dropped": 2},
    ),
]  # fmt: skip

BROKEN = [
    ("a fresh chunk stream that begins with type 2", wire("84 000000"), "chunk_without_header"),
    ("a fresh chunk stream that begins with type 3", wire("c4"), "chunk_without_header"),
    ("a message beyond the cap", first(4, 0, 65_537), "message_too_large"),
    ("too many chunk streams", b"".join(first(csid, 0, 0) for csid in range(2, 64)) + b"\x00\x00" + first(4, 0, 0)[1:]
     + b"\x00\x01" + first(4, 0, 0)[1:] + b"\x00\x02" + first(4, 0, 0)[1:], "too_many_chunk_streams"),
    ("half messages everywhere", b"".join(first(csid, 0, 60_000) + A for csid in range(2, 9)), "too_much_in_progress"),
]  # fmt: skip
