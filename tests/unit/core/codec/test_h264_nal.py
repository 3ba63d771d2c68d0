"""NAL units in Annex B and behind lengths."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.codec import CodecError, h264

# A unit never ends in a zero byte nor holds a start code (emulation prevention sees to that).
units = st.lists(
    st.binary(min_size=1, max_size=12).map(lambda data: b"\x41" + data.replace(b"\x00", b"\x02")),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("00000001 67 42 00000001 68 ce", ["6742", "68ce"]),
        ("000001 67 42 000001 68 ce", ["6742", "68ce"]),
        ("00000000000001 65 88 0000 000001 41 9a 000000", ["6588", "419a"]),
        ("000001 000001 65 88", ["6588"]),
        ("00000001 06 05 000003 01", ["060500000301"]),
    ],
)
def test_annex_b_is_split_at_start_codes_and_loses_padding(data: str, expected: list[str]) -> None:
    assert [unit.hex() for unit in h264.split_annexb(bytes.fromhex(data))] == expected


@pytest.mark.parametrize("data", [b"", b"\x65\x88", b"\x65\x00\x00\x01\x67", bytes(8)])
def test_data_without_a_start_code_in_front_is_no_annex_b(data: bytes) -> None:
    with pytest.raises(CodecError):
        h264.split_annexb(data)


@settings(max_examples=50)
@given(units, st.lists(st.sampled_from([b"\x00\x00\x01", b"\x00\x00\x00\x01"]), min_size=6, max_size=6))
def test_a_packet_becomes_a_sample_of_the_same_units(expected: list[bytes], codes: list[bytes]) -> None:
    packet = b"".join(code + unit for code, unit in zip(codes, expected, strict=False))
    assert h264.split_annexb(packet) == expected
    assert h264.split_sample(h264.annexb_to_sample(packet)) == expected


@pytest.mark.parametrize("length_size", [1, 2, 4])
def test_lengths_of_every_size_are_read(length_size: int) -> None:
    expected = [b"\x06\x05", b"\x65\x88\x84"]
    sample = b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in expected)
    assert h264.split_sample(sample, length_size) == expected
    assert h264.nal_types(sample, length_size) == [6, 5]


def test_units_of_length_zero_are_left_out() -> None:
    assert h264.split_sample(bytes.fromhex("00000000 00000002 419a 00000000")) == [b"\x41\x9a"]


@pytest.mark.parametrize(
    ("sample", "idr"),
    [
        ("00000002 6588", True),
        ("00000002 0605 00000002 2588", True),
        ("00000002 419a", False),
        ("00000002 0605", False),
        ("", False),
    ],
)
def test_an_idr_picture_is_known_by_its_unit_types(sample: str, idr: bool) -> None:
    assert h264.is_idr(bytes.fromhex(sample)) is idr


@pytest.mark.parametrize("sample", ["00", "000000", "00000003 6588", "00000002 6588 000000", "ffffffff 65"])
def test_a_unit_that_reaches_past_its_sample_is_refused(sample: str) -> None:
    with pytest.raises(CodecError):
        h264.is_idr(bytes.fromhex(sample))
