"""What a run's writer remembers of what it wrote, so that it can say for how long things are kept.

Law: pure. Only what is surely published counts; what a window needs no more is told once. Neighbours: `writing` says it
to the server, `window` has the rule.
"""

import math
from collections import deque
from collections.abc import Sequence

from headrace.core.broadcast import Entry, Part, Plan, RunStart
from headrace.core.media import TICKS_PER_S
from headrace.livelog.base import Cursor, Published
from headrace.livelog.window import Window, kept

# Bytes are kept for longer than they are listed while segments come: a source may stop, and come back in this time.
PAUSED_S = 30
UNPLANNED_S = 120  # bytes of a run whose plan nobody told


class Written:
    """A run's window as its writer knows it: what it found at its takeover, and what it did since."""

    def __init__(
        self, head: Sequence[Entry] = (), shown: Sequence[Published] = (), staged: Sequence[Published] = (), n: int = 0
    ) -> None:
        self.last_n = n
        self.forgets: tuple[int, Cursor] | None = None  # to be told: the oldest MSN, the last entry that goes
        self._window = Window()
        self._shown: deque[Published] = deque()
        self._staged: deque[Published] = deque(staged)
        for entry in head:
            self._window.show(entry)
        for each in shown:
            self._show(each)
        self._plan: Plan | None = self._window.plan
        for each in staged:
            self._learn_plan(each.entry)
        self._trim()

    @property
    def bytes_s(self) -> int:
        """For how long a part's bytes are kept, seconds."""
        if self._plan is None:
            return UNPLANNED_S
        # A segment's duration is rounded to the next second, and that is no more than the target.
        longest = self._plan.target_duration_s * TICKS_PER_S + TICKS_PER_S // 2
        return math.ceil(kept(self._plan, longest) / TICKS_PER_S) + PAUSED_S

    def stage(self, n: int, entry_id: str, entry: Entry) -> None:
        """The n-th entry was staged, perhaps again."""
        self._learn_plan(entry)
        if n == self.last_n + 1:
            self.last_n = n
            self._staged.append(Published(n, entry_id, entry))

    def parts(self, n: int) -> list[Part]:
        """The parts that are staged and not published up to the n-th entry."""
        return [each.entry for each in self._staged if each.n <= n and isinstance(each.entry, Part)]

    def publish(self, n: int) -> None:
        """What was staged up to the n-th entry was published, and what `forgets` said was heard."""
        self.forgets = None
        while self._staged and self._staged[0].n <= n:
            self._show(self._staged.popleft())
        self._trim()

    def _learn_plan(self, entry: Entry | None) -> None:
        if isinstance(entry, RunStart):
            self._plan = entry.plan

    def _show(self, each: Published) -> None:
        self._window.show(each.entry)
        self._shown.append(each)

    def _trim(self) -> None:
        if not self._window.trim():
            return
        last = None
        while self._shown and not self._window.needs(self._shown[0].entry):
            last = self._shown.popleft()
        if last is not None:
            self.forgets = (self._window.oldest, Cursor(last.n, last.id))
