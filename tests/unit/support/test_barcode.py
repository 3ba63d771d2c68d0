"""The bar code that the end-to-end tests trust: it survives what renditions do to pictures, and never guesses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import barcode


def picture(number: int, width: int, height: int) -> barcode.Luma:
    luma = np.full((height, width), 128, np.uint8)
    barcode.draw(luma, number)
    return luma


@given(st.integers(0, 4095), st.sampled_from([(1920, 1080), (640, 272), (426, 240)]))
def test_a_number_is_read_as_it_was_drawn(number: int, size: tuple[int, int]) -> None:
    assert barcode.read(picture(number, *size)) == number


@given(st.integers(0, 4095), st.integers(0, 2**32 - 1))
def test_a_number_survives_scaling_down_and_noise(number: int, seed: int) -> None:
    small = picture(number, 1280, 720)[1::3, 1::3].astype(int)
    noise = np.random.default_rng(seed).integers(-80, 81, small.shape)
    assert barcode.read(np.clip(small + noise, 0, 255).astype(np.uint8)) == number


@given(st.integers(0, 4095), st.integers(8, barcode.CELLS - 1))
def test_a_wrong_cell_in_the_low_bits_or_the_check_is_an_error(number: int, cell: int) -> None:
    luma = picture(number, 640, 360)
    strip = luma[:30, cell * 40 : (cell + 1) * 40]
    strip[:] = barcode.BLACK + barcode.WHITE - strip
    with pytest.raises(barcode.UnreadableBarcode):
        barcode.read(luma)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_without_a_code_is_an_error(level: int) -> None:
    with pytest.raises(barcode.UnreadableBarcode):
        barcode.read(np.full((360, 640), level, np.uint8))
