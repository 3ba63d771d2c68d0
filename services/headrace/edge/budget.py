"""One pod's memory for media, shared by its publishers.

Law: every held byte is counted here; above 80 % new publishers are refused so that those who are on never suffer.
"""

from headrace.edge import metrics

REFUSE_AT = 0.8


class Budget:
    """Bytes of media held by this pod, out of `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        metrics.HELD.set_function(lambda: self.held_bytes)

    @property
    def admits(self) -> bool:
        """Whether another publisher may come."""
        return self.held_bytes < REFUSE_AT * self.max_bytes

    def hold(self, size: int) -> None:
        """Count `size` more bytes (fewer, if negative)."""
        self.held_bytes += size
