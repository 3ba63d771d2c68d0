"""Patience with a log that does not answer: pauses that grow, and for how long they go on.

Law: what is borne is always tried again after a pause; when patience ends, the last trouble is raised. Clock and pause
are given. Neighbours: `writer` has it.
"""

from collections.abc import Awaitable, Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0


class Patience:
    """`limit_s`: how long trouble of any kind may last, seconds; for ever, unless somebody sets it."""

    def __init__(self, clock: Callable[[], float], pause: Callable[[float], Awaitable[None]]) -> None:
        self.limit_s = float("inf")
        self._clock = clock
        self._pause = pause
        self._since_s: dict[type[Exception], float] = {}  # when trouble of each kind began
        self._next_s = FIRST_PAUSE_S

    async def bear(self, error: Exception, limit_s: float = float("inf")) -> None:
        """Pause, or raise `error` where trouble of its kind has lasted for longer than `limit_s`, or any too long."""
        now_s = self._clock()
        since_s = self._since_s.setdefault(type(error), now_s)
        if now_s - since_s >= limit_s or now_s - min(self._since_s.values()) >= self.limit_s:
            raise error
        await self._pause(self._next_s)
        self._next_s = min(2 * self._next_s, LONGEST_PAUSE_S)

    def relieve(self) -> None:
        """The trouble is over."""
        self._since_s.clear()
        self._next_s = FIRST_PAUSE_S
