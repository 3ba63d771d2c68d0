"""A seven-segment clock, drawn into a picture's brightness.

Law: plain rows of bytes, because the demo must not need a font or a drawing library.
"""

SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abdeg", "3": "abcdg", "4": "bcfg", "5": "acdfg",
    "6": "acdefg", "7": "abc", "8": "abcdefg", "9": "abcdfg",
}  # fmt: skip
BACK, DIM, LIT = 24, 40, 235  # luma of the panel, an unlit segment, a lit one


class ClockFace:
    """Draws texts of digits, ":" and "." with digits `digit_px` high."""

    def __init__(self, digit_px: int) -> None:
        self.height = digit_px
        self._w = digit_px * 5 // 9
        self._t = max(2, digit_px // 9)
        self._gap = digit_px // 6

    def width(self, text: str) -> int:
        """Pixels that `text` takes."""
        return sum(self._advance(c) for c in text) - self._gap

    def draw(self, luma: bytearray, stride: int, left: int, top: int, text: str) -> None:
        """Draw `text` with its panel into a luma plane of rows `stride` bytes long."""
        margin = self._gap
        w, h = self.width(text), self.height
        _fill(luma, stride, left - margin, top - margin, w + 2 * margin, h + 2 * margin, BACK)
        for c in text:
            if c in SEGMENTS:
                for name, box in self._boxes().items():
                    x, y, bw, bh = box
                    _fill(luma, stride, left + x, top + y, bw, bh, LIT if name in SEGMENTS[c] else DIM)
            else:
                for y in (h // 3, 2 * h // 3) if c == ":" else (h - self._t,):
                    _fill(luma, stride, left, top + y, self._t, self._t, LIT)
            left += self._advance(c)

    def _advance(self, c: str) -> int:
        return (self._w if c in SEGMENTS else self._t) + self._gap

    def _boxes(self) -> dict[str, tuple[int, int, int, int]]:
        w, h, t = self._w, self.height, self._t
        half = h // 2
        return {
            "a": (t, 0, w - 2 * t, t),
            "b": (w - t, t, t, half - t),
            "c": (w - t, half, t, half - t),
            "d": (t, h - t, w - 2 * t, t),
            "e": (0, half, t, half - t),
            "f": (0, t, t, half - t),
            "g": (t, half - t // 2, w - 2 * t, t),
        }


def _fill(luma: bytearray, stride: int, x: int, y: int, w: int, h: int, value: int) -> None:
    row = bytes((value,)) * w
    for line in range(y, y + h):
        luma[line * stride + x : line * stride + x + w] = row
