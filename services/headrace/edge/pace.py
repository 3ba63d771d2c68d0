"""When sockets are read: at once while there is little to do, all together every so often under load.

Law: an edge reads its publishers' sockets some 1,000 times a second in all. Each read costs its calls and a message to
a transcoder, and these, not the bytes, are what an edge's time goes to. So the more publishers there are, the longer a
socket rests after a read that brought media, up to 100 ms, a third of a part; where there are fewer than ten, none ever
rests. Connections that publish nothing make nobody wait.
Neighbours: `connection` rests, `listener` has the one pace of all.
"""

import asyncio
from collections.abc import Callable

READS_PER_S = 1000
LEAST_REST_S = 0.01  # shorter ones would save nothing: frames are further apart
MOST_REST_S = 0.1


def rest_s(publishers: int) -> float:
    """How long a socket rests after a read where there are so many."""
    wanted = publishers / READS_PER_S
    return 0.0 if wanted < LEAST_REST_S else min(wanted, MOST_REST_S)


class Pace:
    """Sockets that rest. One timer wakes them all, so that what they then send goes out together."""

    def __init__(self) -> None:
        self._wakes: list[Callable[[], None]] = []

    def rest(self, wake: Callable[[], None], among: int) -> bool:
        """Whether a socket, one `among` so many, rests now; `wake` is called when it may be read again."""
        wait_s = rest_s(among)
        if not wait_s:
            return False
        if not self._wakes:
            asyncio.get_running_loop().call_later(wait_s, self._wake_all)
        self._wakes.append(wake)
        return True

    def _wake_all(self) -> None:
        wakes, self._wakes = self._wakes, []
        for wake in wakes:
            wake()
