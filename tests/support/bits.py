"""A writer of bits, for tests that need parameter sets which no encoder at hand writes."""


class BitWriter:
    """Collects bits, the most significant first."""

    def __init__(self) -> None:
        self._bits = ""

    def u(self, width: int, value: int) -> "BitWriter":
        """`value` in `width` bits."""
        self._bits += format(value, f"0{width}b")
        return self

    def ue(self, *values: int) -> "BitWriter":
        """Unsigned exp-Golomb numbers."""
        for value in values:
            code = format(value + 1, "b")
            self._bits += "0" * (len(code) - 1) + code
        return self

    def se(self, *values: int) -> "BitWriter":
        """Signed exp-Golomb numbers."""
        return self.ue(*(2 * value - 1 if value > 0 else -2 * value for value in values))

    def bytes(self) -> bytes:
        """All bits, padded with zeros to whole bytes."""
        padded = self._bits + "0" * (-len(self._bits) % 8)
        return bytes(int(padded[start : start + 8], 2) for start in range(0, len(padded), 8))
