"""BitReader: bits and exp-Golomb numbers from a bounded record, for parameter sets and audio configurations.

Law: reading past the end raises; nothing is ever guessed. Neighbours: `h264.sps` and `aac` read with it.
"""

from headrace.core.codec.errors import CodecError


class BitReader:
    """Reads `data` from its most significant bit on."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data) * 8

    @property
    def remaining(self) -> int:
        """Bits not yet read."""
        return self._end - self._position

    def bits(self, count: int) -> int:
        """The next `count` bits as an unsigned number. Raises CodecError past the end."""
        start, end = self._position, self._position + count
        if end > self._end:
            raise CodecError(f"configuration ends {end - self._end} bits too early")
        self._position = end
        window = int.from_bytes(self._data[start >> 3 : (end + 7) >> 3], "big")
        return (window >> (-end & 7)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return self.bits(1) == 1

    def ue(self) -> int:
        """An unsigned exp-Golomb number below 2^32 - 1 (H.264 §9.1). Raises CodecError on a longer one."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros == 32:
                raise CodecError("exp-Golomb number above 32 bits")
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        """A signed exp-Golomb number (H.264 §9.1.1)."""
        number = self.ue()
        return (number + 1) >> 1 if number & 1 else -(number >> 1)
