"""Chunk streams, both directions, against the table of wire vectors."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.rtmp import Limits, RtmpError, RtmpLimitExceeded
from headrace.core.rtmp._chunks import ChunkReader
from headrace.core.rtmp._messages import Message
from headrace.core.rtmp._writer import ChunkWriter
from tests.vectors.rtmp_chunks import BROKEN, VECTORS, Chunks, first, wire


def read(reader: ChunkReader, data: bytes, step: int | None = None) -> list[Message]:
    messages = []
    for start in range(0, len(data), step or max(1, len(data))):
        reader.feed(data[start : start + step] if step else data)
        while (message := reader.next_message()) is not None:
            messages.append(message)
    return messages


@pytest.mark.parametrize("step", [None, 1, 7, 130])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_reader_understands_it_however_it_is_cut(vector: Chunks, step: int | None) -> None:
    reader = ChunkReader(Limits())
    assert read(reader, vector.wire, step) == vector.messages
    assert reader.noise == vector.noise


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.canonical], ids=lambda vector: vector.name)
def test_the_writer_writes_it_so(vector: Chunks) -> None:
    out, writer = bytearray(), ChunkWriter()
    for message in vector.messages:
        writer.write(out, 4, message)
    assert bytes(out) == vector.wire


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize(("data", "code"), [pytest.param(b[1], b[2], id=b[0]) for b in BROKEN])
def test_what_cannot_be_followed_is_an_error_with_a_code(data: bytes, code: str, step: int | None) -> None:
    with pytest.raises((RtmpError, RtmpLimitExceeded)) as caught:
        read(ChunkReader(Limits()), data, step)
    assert caught.value.code == code


def test_sixty_four_chunk_streams_are_fine() -> None:
    data = b"".join(first(csid, 0, 1) + b"x" for csid in range(2, 64)) + wire("00 00 000000 000000 09 01000000") * 2
    assert len(read(ChunkReader(Limits()), data)) == 64


def test_a_finished_or_dropped_message_no_longer_counts_as_in_progress() -> None:
    reader = ChunkReader(Limits())
    part, payload = first(4, 0, 60_000) + b"x" * 128, b"x" * 60_000
    out, writer = bytearray(), ChunkWriter()
    writer.write(out, 5, Message(9, 1, 0, payload))
    for _ in range(20):
        read(reader, part)
        assert read(reader, bytes(out)) == [Message(9, 1, 0, payload)]
        reader.abort(4)
    assert reader.noise == {"message_dropped": 20}


@pytest.mark.parametrize(
    ("said", "kept"), [(1, 1), (4096, 4096), (134_217_728, 0xFFFFFF), (0x7FFFFFFF, 0xFFFFFF), (0x80001000, 4096)]
)
def test_every_legal_chunk_size_is_taken_and_none_allocates(said: int, kept: int) -> None:
    reader = ChunkReader(Limits())
    reader.set_chunk_size(said)
    assert reader.chunk_size == kept
    message = Message(9, 1, 5, b"frame" * 100)
    writer, out = ChunkWriter(), bytearray()
    writer.chunk_size = kept
    writer.write(out, 4, message)
    assert read(reader, bytes(out)) == [message]
    assert reader.noise == {}


def test_a_chunk_size_of_zero_is_ignored_and_counted() -> None:
    reader = ChunkReader(Limits())
    reader.set_chunk_size(0x80000000)
    assert (reader.chunk_size, reader.noise) == (128, {"bad_chunk_size": 1})


def test_a_long_run_of_tiny_chunks_interleaved_with_another_stream_keeps_its_order() -> None:
    reader, long = ChunkReader(Limits()), bytes(range(256)) * 4
    reader.set_chunk_size(1)
    data = bytearray(first(4, 0, len(long)) + long[:1])
    for index, byte in enumerate(long[1:], 1):
        if index % 100 == 0:
            data += first(6, index, 1, 8) + b"a"
        data += bytes((0xC4, byte))
    messages = read(reader, bytes(data))
    assert [m.timestamp for m in messages[:-1]] == list(range(100, len(long), 100))
    assert messages[-1].payload == long


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_a_message_that_fills_its_chunks_ends_there_though_the_next_ones_header_looks_like_one_of_its_own(
    chunks: int,
) -> None:
    reader, payload = ChunkReader(Limits()), bytes(range(128)) * chunks
    pieces = [payload[at : at + 128] for at in range(0, len(payload), 128)]
    data = first(4, 40, len(payload)) + b"\xc4".join(pieces * 3)
    assert [(m.timestamp, m.payload) for m in read(reader, data)] == [(at, payload) for at in (40, 80, 120)]


messages = st.builds(
    Message,
    st.sampled_from([8, 9, 18]),
    st.integers(0, 3),
    st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 200), st.integers(0xFFFFF0, 0x1000010)),
    st.one_of(st.binary(max_size=20), st.integers(0, 2000).map(lambda size: bytes(i & 0xFF for i in range(size)))),
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(2, 5), messages), max_size=12),
    st.sampled_from([1, 2, 100, 128, 4096]),
    st.integers(1, 5000),
)
def test_what_is_written_reads_back_the_same(sent: list[tuple[int, Message]], chunk_size: int, step: int) -> None:
    writer, reader, out = ChunkWriter(), ChunkReader(Limits()), bytearray()
    writer.chunk_size = reader.chunk_size = chunk_size
    for csid, message in sent:
        writer.write(out, csid, message)
    assert read(reader, bytes(out), step) == [message for _, message in sent]
    assert reader.noise == {}


Outcome = tuple[list[Message], dict[str, int], str | None]


def outcome(data: bytes, step: int | None) -> Outcome:
    reader, found = ChunkReader(Limits()), []
    try:
        for start in range(0, len(data), step or max(1, len(data))):
            reader.feed(data[start : start + step] if step else data)
            while (message := reader.next_message()) is not None:
                found.append(message)
    except (RtmpError, RtmpLimitExceeded) as error:
        return found, dict(reader.noise), error.code
    return found, dict(reader.noise), None


pieces = st.one_of(
    st.sampled_from([vector.wire for vector in VECTORS]),
    st.sampled_from([b"\xc4", b"\x84\0\0\1", wire("44 ffffff 000003 09 01000000"), first(4, 0x1000000, 3)]),
    st.binary(max_size=20),
)


@settings(max_examples=80)
@given(st.lists(pieces, max_size=8).map(b"".join), st.integers(1, 9))
def test_arbitrary_bytes_mean_the_same_whole_and_cut(data: bytes, step: int) -> None:
    assert outcome(data, None) == outcome(data, step)
