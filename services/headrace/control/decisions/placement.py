"""Which transcoder gets a run.

Law: the newest version that has room, there the publisher's own zone, there the fullest that has room, so that others
can empty and go away; a rollout moves a run at most once. An idle one takes any run, but last: better late than refused
where nobody is larger. Costs and capacities are pixels/s.
Neighbours: `rooms` keeps the order, `control.fleet` knows the transcoders, `control.placing` asks for one.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from headrace.core.broadcast import AudioSource, Plan, Profile, Source, VideoSource, make_plan

PASSING_THROUGH = 1_000_000  # pixels/s that a run without encoding counts as: a process that moves bytes
STANDBYS = 2  # named with the choice, so that a failover needs no control
CHOICE = 8  # of so many candidates one is picked at random: many replicas that pick the first would queue for its row

Version = tuple[tuple[int, ...], int, str]

# As large as encoders are set to today; what is larger is corrected when it is described.
_LARGEST = Source(
    VideoSource("avc1", b"", 1920, 1080, Fraction(1), Fraction(60)), AudioSource("mp4a", b"", 48_000, 2, 1024)
)
_VERSION = re.compile(r"\D*(\d+(?:\.\d+)*)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transcoder that takes new work. `used` as it reports it, `held` as the database has it, or a better guess."""

    pod: str
    target: str
    zone: str
    version: str
    capacity: int
    used: int
    held: int = 0

    @property
    def free(self) -> int:
        """Pixels/s that nobody has or was promised."""
        return self.capacity - max(self.used, self.held)

    @property
    def idle(self) -> bool:
        """Whether it has nothing and was promised nothing."""
        return not self.used and not self.held


def cost_of(plan: Plan, source: Source) -> int:
    """Pixels/s that the run takes: its decode and every encoded rung, as transcoders count it."""
    if not plan.encoded:
        return PASSING_THROUGH
    decoded = source.video.width * source.video.height * source.video.frame_rate
    encoded = sum((r.width * r.height * r.frame_rate for r in plan.encoded), start=Fraction(0))
    return int(decoded + encoded)


@lru_cache(maxsize=256)
def most_of(profile: Profile) -> int:
    """Pixels/s that a run of this profile is expected to take at most, before anybody knows its source."""
    return cost_of(make_plan(profile, _LARGEST), _LARGEST)


@lru_cache(maxsize=256)
def version_key(version: str) -> Version:
    """Sorts versions by their numbers; what is not released yet (`1.2.dev3`, `1.2-rc1`) comes before its release."""
    match = _VERSION.match(version)
    if match is None:
        return (), 0, version
    numbers, rest = match.groups()
    return tuple(map(int, numbers.split("."))), int(not rest or rest.startswith(("+", ".post"))), rest
