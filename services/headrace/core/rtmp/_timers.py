"""The deadlines of a server connection before it publishes, and its pings.

Law: absolute times from one monotonic clock in milliseconds, given in; nothing here waits. Neighbours: `server` alone.
"""

from headrace.core.rtmp.limits import Limits


class Timers:
    """What is due when. The server writes down what happened."""

    __slots__ = ("_limits", "_opened_ms", "_pinged_ms", "_started_ms", "asked_to_publish")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._started_ms: int | None = None
        self._opened_ms: int | None = None
        self._pinged_ms: int | None = None
        self.asked_to_publish = False

    def started(self, now_ms: int) -> None:
        """The connection began, if it had not."""
        if self._started_ms is None:
            self._started_ms = now_ms

    def opened(self, now_ms: int) -> None:
        """The handshake is over, if it was not."""
        if self._opened_ms is None:
            self._opened_ms = now_ms

    def pinged(self, now_ms: int) -> None:
        """A ping went out, or pings begin to count from now."""
        self._pinged_ms = now_ms

    def ping_due(self) -> int | None:
        """When the next ping is due; None before they begin."""
        return None if self._pinged_ms is None else self._pinged_ms + self._limits.ping_interval_ms

    def deadline(self) -> tuple[int, str] | None:
        """Until when the peer must have come on, and the error's code if it has not."""
        if self._opened_ms is not None:
            limit_ms = self._opened_ms + self._limits.publish_timeout_ms
            return None if self.asked_to_publish else (limit_ms, "publish_timeout")
        if self._started_ms is not None:
            return self._started_ms + self._limits.handshake_timeout_ms, "handshake_timeout"
        return None

    def next_due(self) -> int | None:
        """The earliest of all."""
        deadline, ping_ms = self.deadline(), self.ping_due()
        return min((at for at in (deadline and deadline[0], ping_ms) if at is not None), default=None)
