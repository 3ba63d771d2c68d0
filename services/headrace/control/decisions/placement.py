"""Which transcoder gets a run.

Law: runs are packed (the fullest transcoder that has room comes first), so that others can empty and go away. Costs
and capacities are pixels/s. Neighbours: `fleet` knows the transcoders, `sessions` asks for one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from headrace.core.broadcast import Plan, Source

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
    """Pixels/s that the run takes: its decode and every encoded rung; nothing where all passes through."""
    if not plan.encoded:
        return 0
    decoded = source.video.width * source.video.height * source.video.frame_rate
    encoded = sum((r.width * r.height * r.frame_rate for r in plan.encoded), start=Fraction(0))
    return int(decoded + encoded)


def choose_transcoders(candidates: Iterable[Candidate], cost: int) -> tuple[Candidate, ...]:
    """The transcoder for a run of this cost, then its standbys; empty where none has room."""
    fit = [c for c in candidates if c.ready and c.free >= cost]
    return tuple(sorted(fit, key=lambda c: (c.free, c.pod))[: 1 + STANDBYS])
