"""What `core.amf` promises: AMF0 as peers write it, AMF3 behind the switch marker, everything bounded."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.amf import (
    MAX_DEPTH,
    MAX_VALUES,
    AmfEncodeError,
    Date,
    EcmaArray,
    Value,
    decode_values,
    encode_values,
)

# name, wire, values, and whether encoding the values gives the same wire back
VECTORS: list[tuple[str, str, list[Value], bool]] = [
    ("number", "00 4008000000000000", [3.0], True),
    ("true", "01 01", [True], True),
    ("any non-zero byte is true", "01 7f", [True], False),
    ("string", "02 0004 6c697665", ["live"], True),
    ("empty string", "02 0000", [""], True),
    ("broken utf-8", "02 0002 fffe", ["\ufffd\ufffd"], False),
    ("object", "03 0001 61 0101 000009", [{"a": True}], True),
    ("null", "05", [None], True),
    ("undefined", "06", [None], False),
    ("reference", "07 0000 05", [None, None], False),
    ("ecma array", "08 00000001 0001 61 05 000009", [EcmaArray(a=None)], True),
    ("ecma array whose count is too small", "08 00000000 0001 61 05 0001 62 05 000009",
     [{"a": None, "b": None}], False),
    ("ecma array whose count is too large", "08 ffffffff 0001 61 05 000009 05", [{"a": None}, None], False),
    ("ecma array without an end", "08 00000001 0001 61 0101", [{"a": True}], False),
    ("object whose end has no marker", "03 0001 61 05 0000", [{"a": None}], False),
    ("a property with an empty name", "03 0000 0101 000009", [{"": True}], False),
    ("strict array", "0a 00000002 05 0100", [[None, False]], True),
    ("date", "0b 4059000000000000 ffc4", [Date(100.0, -60)], True),
    ("long string", "0c 00000002 6869", ["hi"], False),
    ("unsupported", "0d", [None], False),
    ("xml document", "0f 00000004 3c612f3e", ["<a/>"], False),
    ("typed object", "10 0001 43 0001 61 05 000009", [{"a": None}], False),
    ("a stray object end", "05 09 05", [None, None], False),
    ("amf3 null behind the switch", "11 01", [None], False),
    ("amf3 integers", "11 04 7f 11 04 8100 11 04 ffffffff", [127, 128, -1], False),
    ("amf3 double", "11 05 3ff0000000000000", [1.0], False),
    ("amf3 string then amf0", "11 06 05 6869 05", ["hi", None], False),
    ("amf3 date", "11 08 01 4059000000000000", [Date(100.0)], False),
    ("amf3 undefined", "11 00", [None], False),
    ("amf3 xml and byte array", "11 0b 05 6869 11 0c 03 41", ["hi", "A"], False),
    ("amf3 references to xml, date, array and object", "11 07 00 11 08 00 11 09 00 11 0a 00", [None] * 4, False),
    ("amf3 array", "11 09 05 01 02 03", [[False, True]], False),
    ("amf3 array with names", "11 09 03 03 61 02 01 03", [{"a": False, "0": True}], False),
    ("amf3 dynamic object", "11 0a 0b 01 03 61 03 01", [{"a": True}], False),
    ("amf3 sealed objects sharing traits and strings", "11 09 05 01 0a 13 01 03 61 06 03 78 0a 01 06 02",
     [[{"a": "x"}, {"a": "x"}]], False),
]  # fmt: skip

FAULTS: list[tuple[str, str, list[Value]]] = [
    ("half a number", "05 00 4008", [None]),
    ("a string longer than the data", "02 ffff 61", []),
    ("an unknown marker keeps the pairs before it", "03 0001 61 0101 0001 62 7e 0001 63 05 000009", [{"a": True}]),
    ("a fault inside keeps the outer containers", "03 0001 61 0a 00000009 05 000000", [{"a": [None]}]),
    ("a strict array of four billion", "0a ffffffff 05", [[None]]),
    ("an unknown amf3 marker", "05 11 7e", [None]),
    ("amf3 traits that were never sent", "11 0a 05", []),
    ("amf3 string that was never sent", "11 06 02", []),
    ("amf3 externalizable object", "11 0a 07 01", []),
]


def wire(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


@pytest.mark.parametrize(("data", "values"), [pytest.param(wire(v[1]), v[2], id=v[0]) for v in VECTORS])
def test_every_marker_decodes(data: bytes, values: list[Value]) -> None:
    assert decode_values(data) == (values, None)


@pytest.mark.parametrize(("data", "values"), [pytest.param(wire(v[1]), v[2], id=v[0]) for v in VECTORS if v[3]])
def test_what_we_write_is_the_wire_form(data: bytes, values: list[Value]) -> None:
    assert encode_values(*values) == data


@pytest.mark.parametrize(("data", "values"), [pytest.param(wire(v[1]), v[2], id=v[0]) for v in FAULTS])
def test_a_fault_is_reported_and_what_came_before_it_is_kept(data: bytes, values: list[Value]) -> None:
    decoded = decode_values(data)
    assert decoded.error is not None
    assert decoded.error.code == "bad_amf"
    assert decoded.values == values


def test_a_string_beyond_16_bits_of_length_is_written_as_a_long_string() -> None:
    text = "x" * 70_000
    assert encode_values(text)[0] == 0x0C
    assert decode_values(encode_values(text)).values == [text]


@pytest.mark.parametrize(
    ("start", "opening"),
    [
        ("", "0a 00000001"),
        ("", "03 0001 61"),
        ("", "08 00000001 0001 61"),
        ("11", "09 03 01"),
        ("11", "0a 0b 01 03 61"),
    ],
)
def test_nesting_is_bounded(start: str, opening: str) -> None:
    decoded = decode_values(wire(start) + wire(opening) * 5000)
    assert "nested" in str(decoded.error)


def test_the_number_of_values_is_bounded_however_they_are_packed() -> None:
    for data in (
        b"\x05" * 50_000,
        b"\x11\x01" * 50_000,
        wire("0a 0000ffff") + b"\x05" * 50_000,
        wire("11 09 83ff7f 01") + b"\x01" * 50_000,
        wire("11 0a 83ff7f 01") + b"\x01" * 50_000,
    ):
        decoded = decode_values(data)
        assert decoded.error is not None
        assert len(decoded.values) <= MAX_VALUES


@pytest.mark.parametrize("value", [{"": None}, {"x" * 70_000: None}, b"bytes"])
def test_what_amf0_cannot_carry_is_our_own_error(value: Any) -> None:
    with pytest.raises(AmfEncodeError):
        encode_values(value)


def test_a_value_nested_too_deep_is_our_own_error() -> None:
    value: Value = None
    for _ in range(MAX_DEPTH + 2):
        value = [value]
    with pytest.raises(AmfEncodeError):
        encode_values(value)


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
scalars: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.builds(Date, st.floats(allow_nan=False), st.integers(-32768, 32767)),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(names, inner, max_size=4),
        st.dictionaries(names, inner, max_size=4).map(EcmaArray),
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.lists(trees, max_size=4))
def test_what_is_written_reads_back_the_same(values: list[Value]) -> None:
    decoded = decode_values(encode_values(*values))
    assert decoded.error is None
    assert decoded.values == values
    assert [type(value) for value in decoded.values] == [type(value) for value in values]


markers = st.sampled_from([bytes((marker,)) for marker in range(0x13)])
soup = st.lists(st.one_of(markers, st.binary(max_size=4)), max_size=60).map(b"".join)


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=200), soup))
def test_decoding_arbitrary_bytes_never_raises_and_what_it_gives_can_be_written(data: bytes) -> None:
    values = decode_values(data).values
    with suppress(AmfEncodeError):  # an empty property name can be read but not written
        encode_values(*values)
