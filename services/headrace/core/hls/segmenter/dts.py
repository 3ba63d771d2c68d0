"""Decode times of a clean part, without the encoder's own.

Law: samples are decoded in the encoder's order at the sorted presentation times, all earlier by the rung's delta, so a
part's decode times follow from its pictures alone and any two encoders agree at a splice.
"""

from collections.abc import Sequence


def decode_times(pictures: Sequence[int], end: int, delta: int) -> list[tuple[int, int]]:
    """(dts, duration) in ticks of a part's samples in decode order.

    `pictures` are the part's pts in ascending order (those that the rung keeps), `end` the boundary at which it ends,
    `delta` the rung's from the plan. The durations add up to `end - pictures[0]`.
    """
    return [(pts - delta, then - pts) for pts, then in zip(pictures, [*pictures[1:], end], strict=True)]
