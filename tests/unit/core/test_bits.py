"""What `core.bits` promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.bits import BitReader, OutOfBits


def test_bits_come_most_significant_first() -> None:
    reader = BitReader(b"\xa5\x0f")
    assert [reader.read(1), reader.read(3), reader.read(4), reader.read(8)] == [1, 0b010, 0b0101, 0x0F]
    assert reader.remaining == 0
    assert reader.position == 16


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(min_value=0)), max_size=20))
def test_fields_of_any_width_read_back_as_they_were_written(fields: list[tuple[int, int]]) -> None:
    bits = "".join(format(value % (1 << width), f"0{width}b") for width, value in fields)
    padded = bits + "0" * (-len(bits) % 8)
    reader = BitReader(bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8)))
    assert [reader.read(width) for width, _ in fields] == [value % (1 << width) for width, value in fields]


@pytest.mark.parametrize(
    ("bits", "unsigned", "signed"),
    [("1", 0, 0), ("010", 1, 1), ("011", 2, -1), ("00100", 3, 2), ("00101", 4, -2), ("0001000", 7, 4)],
)
def test_exp_golomb_codes_read_as_in_table_9_2_of_h264(bits: str, unsigned: int, signed: int) -> None:
    data = int(bits.ljust(8, "0"), 2).to_bytes(1, "big")
    assert BitReader(data).ue() == unsigned
    assert BitReader(data).se() == signed


def test_an_exp_golomb_code_holds_32_bits_and_no_more() -> None:
    assert BitReader(bytes.fromhex("00000000ffffffff80")).ue() == (1 << 32) - 1 + (1 << 32) - 1
    with pytest.raises(OutOfBits):
        BitReader(bytes(20)).ue()


def test_reading_past_the_end_is_out_of_bits_and_moves_nothing() -> None:
    reader = BitReader(b"\xff")
    reader.skip(6)
    with pytest.raises(OutOfBits):
        reader.read(3)
    assert reader.read(2) == 3


@given(st.binary(max_size=40), st.lists(st.sampled_from(["flag", "ue", "se", "read"]), max_size=40))
def test_arbitrary_bytes_give_numbers_or_out_of_bits(data: bytes, calls: list[str]) -> None:
    reader = BitReader(data)
    try:
        for call in calls:
            value = reader.read(9) if call == "read" else getattr(reader, call)()
            assert isinstance(value, int)
    except OutOfBits:
        assert reader.remaining >= 0
