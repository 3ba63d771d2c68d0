"""Where a rung goes on after an entry: the rule that no place is taken twice and none is left out.

Law: pure, and the same in every log. Neighbours: `held` applies it itself, `redis` sends it along with the entry.
"""

from headrace.core.broadcast import Gap, Part
from headrace.livelog.base import RungPosition

Placed = Part | Gap
Place = tuple[int, int, int, int]  # MSN, part, and the boundaries at which the part and its segment start


def place_of(entry: Placed) -> Place:
    """Where `entry` stands."""
    return entry.msn, entry.part, entry.start, entry.segment_start


def may_be_first(entry: Placed) -> bool:
    """Whether a rung may begin with it: any segment may, since a log that lost all goes on above what was used."""
    return entry.part == 0 and entry.segment_start == entry.start


def after(entry: Placed) -> RungPosition:
    """Where the rung goes on after it."""
    end, encoder = entry.end, entry.encoder
    if entry.segment_end:
        return RungPosition(entry.msn + 1, 0, end, end, opened=True, encoder=encoder)
    return RungPosition(entry.msn, entry.part + 1, end, entry.segment_start, entry.opened, encoder)
