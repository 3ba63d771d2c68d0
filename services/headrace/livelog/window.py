"""Which segments of a run a log keeps: those that playlists show, a margin behind them, and six in any case.

Law: pure; the memory log and the writers of others decide by this alone. Only whole segments go, oldest first, in every
rung at once, so a rung that lags keeps them all. Neighbours: `held` and `redis.writing` drop the entries themselves.
"""

from bisect import bisect_right
from collections import deque
from operator import itemgetter

from headrace.core.broadcast import Entry, Gap, Part, Plan, RunStart
from headrace.core.media import TICKS_PER_S

LEAST_SEGMENTS = 6  # a playlist of fewer starves players (Apple's authoring specification, 8.11)
MARGIN_TARGET_DURATIONS = 3  # what has left a playlist is still asked for by players that hold an old one


class Window:
    """The segments of what was published so far."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.oldest = 0  # every segment below this MSN is to be forgotten
        self._rungs: set[str] = set()
        self._whole: dict[str, int] = {}  # each rung's newest MSN that is published whole
        self._segments: deque[tuple[int, int, int]] = deque()  # MSN, start, end; published whole in some rung
        self._longest = 0

    def show(self, entry: Entry | None) -> None:
        """`entry` was published, after all that were shown before."""
        if isinstance(entry, RunStart):
            self.plan = entry.plan
        if not isinstance(entry, Part | Gap):
            return
        self._rungs.add(entry.rung)
        if not entry.segment_end:
            return
        self._whole[entry.rung] = entry.msn
        if not self._segments or self._segments[-1][0] < entry.msn:
            self._segments.append((entry.msn, entry.segment_start, entry.end))
            self._longest = max(self._longest, entry.end - entry.segment_start)

    def trim(self) -> bool:
        """Let everything go that lies behind the plan's window and its margin; whether anything did."""
        before = self.oldest
        while self.plan and self._spare and self._reach - self._segments[0][2] >= kept(self.plan, self._longest):
            self.shrink()
        return self.oldest != before

    def shrink(self) -> None:
        """Let the oldest segment of every rung go. `duration` must not be 0."""
        self._segments.popleft()
        self.oldest = self._segments[0][0]

    def needs(self, entry: Entry | None) -> bool:
        """Whether this window holds `entry`, or it is newer."""
        return isinstance(entry, Part | Gap) and entry.msn >= self.oldest

    @property
    def duration(self) -> int:
        """How many ticks the whole segments span; 0 where none can go."""
        return self._reach - self._segments[0][1] if self._spare else 0

    @property
    def _spare(self) -> bool:
        """Whether more than six segments are whole in every rung."""
        if not self._segments or len(self._whole) < len(self._rungs):
            return False
        return min(self._whole.values()) - self._segments[0][0] >= LEAST_SEGMENTS

    @property
    def _reach(self) -> int:
        """The end of the newest segment that is whole in every rung."""
        # MSNs are no indexes: a writer that is broken leaves some out, and its log must still be read.
        whole = min(self._whole.values())
        return self._segments[bisect_right(self._segments, whole, key=itemgetter(0)) - 1][2]


def kept(plan: Plan, longest: int) -> int:
    """How much must follow a segment before it goes, ticks; `longest` is the longest segment's duration."""
    margin = MARGIN_TARGET_DURATIONS * plan.target_duration_s * TICKS_PER_S
    # What playlists show at the most: the window, three target durations, six segments.
    shown = max(plan.window_s * TICKS_PER_S, margin, LEAST_SEGMENTS * longest)
    return shown + margin + longest
