"""Fragments: structure, times, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.cmaf import CmafError, Sample, fragment
from tests.support.boxes import read_boxes, read_run

SAMPLES = [
    Sample(b"key", 3000, 6000, sync=True),
    Sample(b"p", 3000, 12000, sync=False),
    Sample(b"", 3003, 0, sync=False),
]

samples = st.lists(
    st.builds(
        Sample,
        st.binary(max_size=20),
        st.integers(1, 2**32 - 1),
        st.integers(0, 2**31 - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def test_a_fragment_has_exactly_these_boxes() -> None:
    assert [box.outline() for box in read_boxes(fragment(1, 0, SAMPLES))] == [
        "moof(mfhd traf(tfhd tfdt trun))",
        "mdat",
    ]


def test_a_fragment_is_these_bytes() -> None:
    assert fragment(7, 900_000, SAMPLES[:2]).hex(" ", -4) == (
        "00000078 6d6f6f66"
        " 00000010 6d666864 00000000 00000007"
        " 00000060 74726166"
        " 00000010 74666864 00020000 00000001"
        " 00000014 74666474 01000000 00000000 000dbba0"
        " 00000034 7472756e 00000f01 00000002 00000080"
        " 00000bb8 00000003 02000000 00001770"
        " 00000bb8 00000001 01010000 00002ee0"
        " 0000000c 6d646174 6b657970"
    )


def test_keyframes_depend_on_nothing_and_the_others_are_no_sync_samples() -> None:
    run = read_run(read_boxes(fragment(1, 0, SAMPLES))[0])
    assert [flags for _, _, flags, _ in run.samples] == [0x02000000, 0x01010000, 0x01010000]


def test_a_decode_time_above_32_bits_is_kept_whole() -> None:
    time = 2**32 + 12_345
    assert read_run(read_boxes(fragment(1, time, SAMPLES))[0]).base_decode_time == time


@settings(max_examples=50)
@given(samples, st.integers(0, 2**48), st.integers(1, 2**32 - 1))
def test_a_reader_finds_every_sample_where_the_writer_put_it(parts: list[Sample], time: int, sequence: int) -> None:
    data = fragment(sequence, time, parts)
    moof, mdat = read_boxes(data)
    run = read_run(moof)
    assert run.base_decode_time == time
    assert moof.find(b"mfhd").content[4:] == sequence.to_bytes(4, "big")
    position = run.data_offset
    for sample, (duration, size, flags, offset) in zip(parts, run.samples, strict=True):
        assert data[position : position + size] == sample.data
        assert (duration, offset) == (sample.duration, sample.composition_offset)
        assert (flags >> 16 & 1 == 0) is sample.sync
        position += size
    assert position == len(data) == run.data_offset + len(mdat.content)


@settings(max_examples=30)
@given(samples, st.integers(1, 11), st.integers(0, 2**40))
def test_durations_add_up_to_the_next_fragments_decode_time(parts: list[Sample], size: int, start: int) -> None:
    segment, time = b"", start
    for index in range(0, len(parts), size):
        segment += fragment(1 + index // size, time, parts[index : index + size])
        time += sum(sample.duration for sample in parts[index : index + size])
    runs = [read_run(box) for box in read_boxes(segment) if box.kind == b"moof"]
    ends = [run.base_decode_time + sum(sample[0] for sample in run.samples) for run in runs]
    assert runs[0].base_decode_time == start
    assert ends == [run.base_decode_time for run in runs[1:]] + [time]


@pytest.mark.parametrize(
    ("sequence", "time", "parts"),
    [
        (1, 0, []),
        (0, 0, SAMPLES),
        (2**32, 0, SAMPLES),
        (1, -1, SAMPLES),
        (1, 2**64, SAMPLES),
        (1, 0, [Sample(b"", 0)]),
        (1, 0, [Sample(b"", -1)]),
        (1, 0, [Sample(b"", 2**32)]),
        (1, 0, [Sample(b"", 1, -1)]),
        (1, 0, [Sample(b"", 1, 2**31)]),
    ],
)
def test_what_no_field_can_hold_is_refused(sequence: int, time: int, parts: list[Sample]) -> None:
    with pytest.raises(CmafError):
        fragment(sequence, time, parts)
