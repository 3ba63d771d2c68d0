"""Patience with a log that does not answer: pauses that grow, and for how long they go on.

Law: what is borne is always tried again after a pause; when patience ends, the last trouble is raised. Clock and pause
are given. Neighbours: `writer` has it.
"""

from collections.abc import Awaitable, Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0


class Patience:
    """`limit_s`: how long one trouble may last, seconds; for ever, unless somebody sets it."""

    def __init__(self, clock: Callable[[], float], pause: Callable[[float], Awaitable[None]]) -> None:
        self.limit_s = float("inf")
        self._clock = clock
        self._pause = pause
        self._since_s: float | None = None
        self._next_s = FIRST_PAUSE_S

    async def bear(self, error: Exception, limit_s: float = float("inf")) -> None:
        """Pause, or raise `error` where the trouble has lasted for longer than `limit_s` or the limit of all."""
        now_s = self._clock()
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s >= min(limit_s, self.limit_s):
            raise error
        await self._pause(self._next_s)
        self._next_s = min(2 * self._next_s, LONGEST_PAUSE_S)

    def relieve(self) -> None:
        """The trouble is over."""
        self._since_s = None
        self._next_s = FIRST_PAUSE_S
