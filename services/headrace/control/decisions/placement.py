"""Which transcoder gets a run.

Law: runs are packed (the fullest transcoder that has room comes first), so that others can empty and go away. An idle
one takes any run, but last: better late than refused where nobody is larger. Costs and capacities are pixels/s.
Neighbours: `fleet` knows the transcoders, `sessions` asks for one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from headrace.core.broadcast import Plan, Source

PASSING_THROUGH = 1_000_000  # pixels/s that a run without encoding counts as: a process that moves bytes
STANDBYS = 2  # named with the choice, so that a failover needs no control


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transcoder as its last report says. `used` counts its runs, `held` what is promised and not yet reported."""

    pod: str
    target: str
    ready: bool
    capacity: int
    used: int
    held: int = 0

    @property
    def free(self) -> int:
        """Pixels/s that nobody has or was promised."""
        return self.capacity - self.used - self.held


def cost_of(plan: Plan, source: Source) -> int:
    """Pixels/s that the run takes: its decode and every encoded rung, as transcoders count it."""
    if not plan.encoded:
        return PASSING_THROUGH
    decoded = source.video.width * source.video.height * source.video.frame_rate
    encoded = sum((r.width * r.height * r.frame_rate for r in plan.encoded), start=Fraction(0))
    return int(decoded + encoded)


def choose_transcoders(candidates: Iterable[Candidate], cost: int) -> tuple[Candidate, ...]:
    """The transcoder for a run of this cost, then its standbys; empty where none has room."""
    ready = sorted((c for c in candidates if c.ready), key=lambda c: (c.free, c.pod))
    roomy = [c for c in ready if c.free >= cost]
    idle = [c for c in reversed(ready) if c.free < cost and not c.used and not c.held]
    return tuple((roomy + idle)[: 1 + STANDBYS])
