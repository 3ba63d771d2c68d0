"""Origins that began to read at different moments of the same run say the same, byte for byte.

The log is one that forgets what has left the window, as the memory log does, or earlier for want of room.
"""

from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import Claim, Entry, Epoch, Part, RunId
from headrace.livelog.base import Append
from headrace.livelog.held import HeldRun
from headrace.origin.followed import FollowedRun
from tests.support.histories import History, histories

CLAIM = Claim(Epoch(1, 1), "session", "writer")
ORIGINS = 4
# A history of hundreds of entries takes minutes to be made smaller, and says as much as it is.
slowly = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.generate),
)


class Log:
    """A run's log, written in batches."""

    def __init__(self) -> None:
        self.held = HeldRun(CLAIM)
        self._n = 0

    def stage(self, entry: Entry) -> None:
        self._n += 1
        self.held.stage(CLAIM, self._n, Append(entry, bytes(entry.size) if isinstance(entry, Part) else None))

    def publish(self) -> None:
        self.held.publish(CLAIM, self._n)
        self.held.trim()

    def read_by(self, origin: FollowedRun) -> FollowedRun:
        origin.take(self.held.read(origin.cursor))
        return origin


def begun() -> FollowedRun:
    return FollowedRun(RunId("r1"))


def pages(origin: FollowedRun) -> dict[str, tuple[bytes, int]]:
    """Everything that it can print, and when that was new."""
    printed = {rung: origin.pages.media(rung, "") for rung in origin.model.rungs}
    printed |= {"": origin.pages.multivariant("", ""), "?": origin.pages.multivariant("r1/", "?token=1")}
    return {name: (page.plain, page.modified_ms) for name, page in printed.items() if page}


def played(history: History, rng: Random, *, shrinks: bool) -> None:
    """Write `history` and let origins begin, and begin again, as they please."""
    log, first = Log(), begun()
    later = [begun() for _ in range(ORIGINS)]
    for entry in history.entries:
        log.stage(entry)
        if rng.random() < 0.2:
            continue  # more goes with the next
        log.publish()
        while shrinks and log.held.duration and rng.random() < 0.3:
            log.held.shrink()
        expected = pages(log.read_by(first))
        assert pages(log.read_by(begun())) == expected
        for at, origin in enumerate(later):
            if rng.random() < 0.1:
                later[at] = begun()  # restarted: it reads when it is asked again
            if origin.read or rng.random() < 0.3:
                assert pages(log.read_by(origin)) == expected


@given(histories(segments=26), st.randoms(use_true_random=False))
@slowly
def test_whenever_an_origin_began_it_prints_the_same_bytes_after_every_entry(history: History, rng: Random) -> None:
    played(history, rng, shrinks=False)


@given(histories(segments=26), st.randoms(use_true_random=False))
@slowly
def test_so_it_does_over_a_log_that_has_no_room_for_the_window(history: History, rng: Random) -> None:
    played(history, rng, shrinks=True)
