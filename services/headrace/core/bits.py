"""Reading bit fields: what codec configuration records and sequence headers are made of.

Law: most significant bit first; a read past the end raises `OutOfBits` and nothing else, so a parser above needs no
length checks of its own. Neighbours: `codec` reads its records with this; nothing is imported but `errors`.
"""

from headrace.core.errors import RemoteProtocolError


class OutOfBits(RemoteProtocolError):
    """A record ended in the middle of a field, or a field is longer than its standard allows."""

    code = "truncated_bits"


class BitReader:
    """A cursor over `data`, counted in bits from the most significant bit of the first byte."""

    __slots__ = ("_length", "_position", "_value")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        """Records are at most a few hundred bytes, so one big integer is the fastest bit string there is."""
        self._length = len(data) * 8
        self._value = int.from_bytes(data, "big")
        self._position = 0

    @property
    def position(self) -> int:
        """Bits read so far."""
        return self._position

    @property
    def remaining(self) -> int:
        """Bits not read yet."""
        return self._length - self._position

    def read(self, count: int) -> int:
        """The next `count` bits as an unsigned integer. Raises OutOfBits."""
        end = self._position + count
        if end > self._length:
            raise OutOfBits(f"{count} bits wanted, {self.remaining} left")
        self._position = end
        return (self._value >> (self._length - end)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit as a truth value. Raises OutOfBits."""
        return self.read(1) == 1

    def skip(self, count: int) -> None:
        """Pass over `count` bits. Raises OutOfBits."""
        self.read(count)

    def ue(self) -> int:
        """Unsigned Exp-Golomb code, ue(v) of ITU-T H.264 §9.1, at most 32 bits of value. Raises OutOfBits."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise OutOfBits("an Exp-Golomb code of more than 32 leading zeros")
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        """Signed Exp-Golomb code, se(v) of ITU-T H.264 §9.1.1. Raises OutOfBits."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)
