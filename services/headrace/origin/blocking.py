"""Blocking reloads: what a player asks to wait for, and whether a run shows it already.

Law: a pure function of the query and the model. Numbers that no playlist will reach soon are a client's error and never
a wait. Source: RFC 8216bis §6.2.5.2. Neighbours: `http` waits, `follower` wakes it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from headrace.core.hls.playlist import RunModel

SEGMENTS_AHEAD = 2
_PARTS_TIME_MS = 3000  # how far ahead a part may be asked for: three seconds of parts, but at least three
_QUERIES_KEPT = 256  # players that wait for the same ask the same
_NUMBER = re.compile(rb"[0-9]{1,20}")


class BadDirective(ValueError):
    """The query asks for something that cannot be; the message says what."""


@dataclass(frozen=True, slots=True)
class Directives:
    """What a playlist is wanted to hold: segment `msn` whole, or its `part` (from 0)."""

    msn: int
    part: int | None

    def shown(self, model: RunModel, rung: str) -> bool:
        """Whether the rung's playlist holds it, or something after it.

        A part beyond its segment's last one means the first part of the next segment.
        """
        newest = model.newest(rung)
        if newest.msn > self.msn:
            return True
        if self.part is None:
            return model.segment(rung, self.msn) is not None
        return newest.msn == self.msn and newest.part >= self.part

    def too_far(self, model: RunModel, rung: str, part_target_ms: int) -> bool:
        """Whether it is more than two segments, or three seconds of parts, ahead of what is listed."""
        newest = model.newest(rung)
        whole = newest.msn if model.segment(rung, newest.msn) else newest.msn - 1
        if self.msn > whole + SEGMENTS_AHEAD:
            return True
        if self.part is None or self.msn <= whole:
            return False
        beyond = self.part - newest.part if self.msn == newest.msn else self.part + 1
        return beyond > max(3, -(-_PARTS_TIME_MS // part_target_ms))


@lru_cache(_QUERIES_KEPT)
def directives(query: bytes) -> Directives | None:
    """The directives in a query, None where there are none. Raises BadDirective.

    Those that nobody knows are reserved for the future and say nothing today.
    """
    given: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name in given:
            raise BadDirective(f"{name.decode()} stands twice")
        if name in (b"_HLS_msn", b"_HLS_part"):
            given[name] = value
    if not given:
        return None
    msn, part = (_number(name, given[name]) if name in given else None for name in (b"_HLS_msn", b"_HLS_part"))
    if msn is None:
        raise BadDirective("_HLS_part is nothing without _HLS_msn")
    return Directives(msn, part)


def _number(name: bytes, value: bytes) -> int:
    if not _NUMBER.fullmatch(value):
        raise BadDirective(f"{name.decode()} is not a number")
    return int(value)
