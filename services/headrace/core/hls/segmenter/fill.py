"""No time without a picture: where a long gap between two pictures is filled with repeats of the first.

Law: a pure function of the two times and G; no two pictures are then more than G apart.
"""


def fill_times(a: int, b: int, longest: int) -> list[int]:
    """The ticks between `a` and `b` at which the picture shown at `a` is repeated so that no step exceeds `longest`."""
    gap = b - a
    if gap <= longest:
        return []
    n = -(-gap // longest)
    return [a + i * gap // n for i in range(1, n)]
