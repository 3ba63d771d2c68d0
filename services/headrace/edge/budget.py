"""One pod's memory for media, shared by its publishers.

Law: every held byte is counted here; above 80 % new publishers are refused so that those who are on never suffer. What
the buffers are behind is added up when somebody wants to know, and costs no frame anything.
Neighbours: `replay` are the buffers.
"""

from collections.abc import Iterable
from typing import Protocol

from headrace.core.media import TICKS_PER_S
from headrace.edge import metrics

REFUSE_AT = 0.8


class Buffer(Protocol):
    """One publisher's share."""

    unpublished_bytes: int

    @property
    def unpublished(self) -> int:
        """How much media is not published, ticks."""

    @property
    def undurable(self) -> int:
        """How much media is not durable, ticks."""


class Budget:
    """Bytes of media held by this pod, out of `max_bytes`, in all of its `buffers`."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self.buffers: set[Buffer] = set()
        metrics.HELD.set_function(lambda: self.held_bytes)
        metrics.HELD_LIMIT.set(max_bytes)
        metrics.UNPUBLISHED.set_function(lambda: sum(each.unpublished_bytes for each in self.buffers))
        metrics.UNPUBLISHED_S.set_function(lambda: self._most(each.unpublished for each in self.buffers))
        metrics.UNDURABLE_S.set_function(lambda: self._most(each.undurable for each in self.buffers))

    @property
    def admits(self) -> bool:
        """Whether another publisher may come."""
        return self.held_bytes < REFUSE_AT * self.max_bytes

    def hold(self, size: int) -> None:
        """Count `size` more bytes (fewer, if negative)."""
        self.held_bytes += size

    @staticmethod
    def _most(ticks: Iterable[int]) -> float:
        return max(ticks, default=0) / TICKS_PER_S
