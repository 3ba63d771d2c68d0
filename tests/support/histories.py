"""Histories of runs, for property tests: every order and every accident that the log lets through.

Law: what a log refuses is not made: a rung's parts are contiguous, another encoder goes on with an independent part,
another build comes in every rung with a discontinuity between two segments.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, pairwise
from random import Random

from hypothesis import strategies as st

from headrace.core.broadcast import End, Entry, Gap, Part, Plan, Profile, RungSpec
from tests.support.runs import init_of, plan_of, start_of

WINDOW_S = 8  # shorter than any profile may ask for, so that short histories let go of segments
LEAD = 2  # segments by which the fastest rendition is ahead of the slowest, at most
PROFILES = {
    "encoded": Profile(auto=False, rungs=(RungSpec(720), RungSpec(360))),
    "passthrough": Profile(source=True, auto=False),
    "both": Profile(source=True, auto=False, rungs=(RungSpec(360),)),
}


@dataclass(frozen=True)
class History:
    """A run's entries, in the order of the log."""

    plan: Plan
    entries: list[Entry]


class _Writer:
    """One rung's part of a history, segment by segment."""

    def __init__(self, plan: Plan, rung: str, rng: Random, names: Iterator[int]) -> None:
        self._plan = plan
        self._rung = rung
        self._rng = rng
        self._names = names
        self._encoder = f"e{next(names)}"
        self._continues = True  # the encoder's media goes on, so that a part need not be independent

    def new_encoder(self) -> None:
        self._encoder = f"e{next(self._names)}"
        self._continues = False

    def segment(self, msn: int, bounds: list[int], discontinuity: int, fate: str) -> list[Entry]:
        """A segment with parts between `bounds`; `fate`: "whole", "holes", "missing" or "takeover"."""
        entries: list[Entry] = []
        for number, (start, end) in enumerate(pairwise(bounds)):
            place = (self._rung, msn, number, start, end, bounds[0], True)
            last = number == len(bounds) - 2
            if fate == "takeover" and self._rng.random() < 0.4:
                self.new_encoder()
            if fate == "missing" or (fate == "holes" and self._rng.random() < 0.4):
                filled = fate == "holes" and number > 0 and self._continues and self._rng.random() < 0.5
                entries.append(Gap(*place, last, discontinuity, self._encoder if filled else ""))
                self._continues = filled
                continue
            independent = number == 0 or not self._continues or self._rung == "audio"
            self._continues = True
            size = self._rng.randint(1, 10**6)
            entries.append(Part(*place, independent, size, f"{size:016x}", self._encoder, last, discontinuity))
        return entries


@st.composite
def histories(draw: st.DrawFn, *, builds: bool = True, ends: bool = True, segments: int = 14) -> History:
    """Runs of up to `segments` segments, which may change encoders, lose media, meet other `builds`, and end."""
    profile = PROFILES[draw(st.sampled_from(sorted(PROFILES)))]
    plan = replace(plan_of(profile, audio=draw(st.booleans())), window_s=WINDOW_S)
    rng = draw(st.randoms(use_true_random=False))
    names = count(1)
    writers = {rung: _Writer(plan, rung, rng, names) for rung in plan.rung_names}
    queues: dict[str, list[list[Entry]]] = {rung: [] for rung in plan.rung_names}
    discontinuity = 0
    start = 0
    for msn in range(draw(st.integers(1, segments))):
        new_build = builds and msn > 0 and draw(st.integers(0, 9)) == 0
        discontinuity += new_build
        length = draw(st.sampled_from([plan.segment, plan.segment, plan.segment // 2, plan.segment + 9_001]))
        of = draw(st.integers(1, 4))
        bounds = [start + number * length // of for number in range(of + 1)]
        start += length
        for rung, writer in writers.items():
            opening: list[Entry] = [init_of(plan, rung, f"build {discontinuity}")] if new_build else []
            if new_build:
                writer.new_encoder()
            # Audio has no last part where that would hold no access unit.
            own = [*bounds[:-2], bounds[-1]] if rung == "audio" and of > 1 and rng.random() < 0.3 else bounds
            fate = rng.choice(("whole", "whole", "whole", "holes", "missing", "takeover"))
            queues[rung].append([*opening, *writer.segment(msn, own, discontinuity, fate)])
    entries = start_of(plan)
    entries += _interleaved(queues, rng)
    if ends and draw(st.booleans()):
        kept = draw(st.integers(len(start_of(plan)), len(entries)))
        entries = [*entries[:kept], End(start)]
    return History(plan, entries)


def _interleaved(queues: dict[str, list[list[Entry]]], rng: Random) -> Iterator[Entry]:
    """Each rung's entries in order, the rungs in any, none further ahead than `LEAD` segments."""
    at = dict.fromkeys(queues, 0)
    while any(any(queue) for queue in queues.values()):
        slowest = min(at[rung] for rung in queues if any(queues[rung]))
        rung = rng.choice([rung for rung in queues if any(queues[rung]) and at[rung] <= slowest + LEAD])
        queue = queues[rung]
        yield queue[0].pop(0)
        if not queue[0]:
            queue.pop(0)
            at[rung] += 1
