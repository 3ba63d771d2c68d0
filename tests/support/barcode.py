"""A number in a picture: sixteen cells of black and white across the top, so that every decoded frame says which it is.

Twelve cells carry the number, four check its low bits, the ones that tell neighbours apart: an empty strip, or a blend
of two pictures that follow each other, is an error and not a wrong answer. The cells are large enough to survive
scaling to 426 pixels and coarse quantisation. Works on luma planes alone.
"""

import numpy as np
import numpy.typing as npt

BITS = 12
CELLS = 16
STRIP = 12
"""The strip is this fraction of the picture's height: 1/12."""
BLACK, WHITE = 24, 226

Luma = npt.NDArray[np.uint8]


class UnreadableBarcode(AssertionError):
    """The strip does not hold a number."""


def _code(number: int) -> int:
    return number << (CELLS - BITS) | (number * 7 % 16 ^ 0b1010)


def draw(luma: Luma, number: int) -> None:
    """Write `number` (below 4096) into the top of `luma` (height x width), in place."""
    assert 0 <= number < 1 << BITS
    height, width = luma.shape
    code = _code(number)
    for cell in range(CELLS):
        white = code >> (CELLS - 1 - cell) & 1
        left, right = cell * width // CELLS, (cell + 1) * width // CELLS
        luma[: height // STRIP, left:right] = WHITE if white else BLACK


def read(luma: Luma) -> int:
    """The number in `luma`, by the middle of each cell. Raises UnreadableBarcode."""
    height, width = luma.shape
    strip = height // STRIP
    rows = luma[strip // 4 : max(strip * 3 // 4, strip // 4 + 1)]
    code = 0
    for cell in range(CELLS):
        left, right = cell * width // CELLS, (cell + 1) * width // CELLS
        quarter = (right - left) // 4
        level = float(rows[:, left + quarter : right - quarter].mean())
        code = code << 1 | (level > (BLACK + WHITE) / 2)
    number = code >> (CELLS - BITS)
    if _code(number) != code:
        raise UnreadableBarcode(f"the cells read {code:016b}")
    return number
