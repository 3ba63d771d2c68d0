"""The transcoders in the order in which they are filled, kept so while they change.

Law: what `candidates` answers follows from what was put in alone, never from the order in which that happened. A change
and a question cost about as much with five thousand transcoders as with five.
Neighbours: `placement` has the rules.
"""

from bisect import bisect_left, insort
from collections.abc import Container, Iterator
from heapq import merge
from itertools import islice

from headrace.control.decisions.placement import CHOICE, Candidate, Version, version_key

_Row = list[tuple[int, str]]  # (free, pod), the fullest first


class Rooms:
    """The transcoders that take new work."""

    def __init__(self) -> None:
        self._by_pod: dict[str, Candidate] = {}
        self._rows: dict[Version, dict[str, _Row]] = {}
        self._newest_first: list[Version] = []

    def __len__(self) -> int:
        return len(self._by_pod)

    def get(self, pod: str) -> Candidate | None:
        """This one, as it was put in."""
        return self._by_pod.get(pod)

    def put(self, candidate: Candidate) -> None:
        """It is like this now."""
        self.drop(candidate.pod)
        self._by_pod[candidate.pod] = candidate
        version = version_key(candidate.version)
        if version not in self._rows:
            self._rows[version] = {}
            self._newest_first = sorted(self._rows, reverse=True)
        insort(self._rows[version].setdefault(candidate.zone, []), (candidate.free, candidate.pod))

    def drop(self, pod: str) -> None:
        """It takes nothing any more."""
        candidate = self._by_pod.pop(pod, None)
        if candidate is None:
            return
        version = version_key(candidate.version)
        zones = self._rows[version]
        row = zones[candidate.zone]
        del row[bisect_left(row, (candidate.free, pod))]
        if not row:
            del zones[candidate.zone]
        if not zones:
            del self._rows[version]
            self._newest_first.remove(version)

    @property
    def largest(self) -> int:
        """The most room that any has, pixels/s; 0 where nobody has any."""
        return max((row[-1][0] for zones in self._rows.values() for row in zones.values()), default=0)

    def candidates(self, cost: int, zone: str, but: Container[str] = ()) -> list[Candidate]:
        """At most `CHOICE` that are equally good for a run of this cost from `zone`, without those in `but`."""
        for version in self._newest_first:
            zones = self._rows[version]
            near = [zones[zone]] if zone in zones else []
            for rows in (near, [row for name, row in zones.items() if name != zone]):
                roomy = (pod for _, pod in merge(*(_from(row, cost) for row in rows)) if pod not in but)
                if found := [self._by_pod[pod] for pod in islice(roomy, CHOICE)]:
                    return found
        idle = [one for one in self._by_pod.values() if one.idle and one.pod not in but]
        idle.sort(key=lambda one: (version_key(one.version), one.zone == zone, one.capacity, one.pod), reverse=True)
        return idle[:CHOICE]


def _from(row: _Row, cost: int) -> Iterator[tuple[int, str]]:
    """Those with room for `cost`."""
    return (row[place] for place in range(bisect_left(row, (cost, "")), len(row)))
