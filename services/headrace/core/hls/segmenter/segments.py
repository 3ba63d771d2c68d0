"""Where segments start: the grid rule, the keyframe rule and the forced cut.

Law: a pure function of the plan, the segment's start, whether it opened on a source keyframe, and the times and
keyframe flags that follow; nothing about parts. Neighbours: `encoded` asks for every picture, `cutline` for every
point of a passed-through rung.
"""

from headrace.core.hls.segmenter.position import Position
from headrace.core.hls.segmenter.rules import SLACK, Rules


class Segments:
    """The running state of the segment rules: `start` of the present segment, and whether it `opened` on a keyframe."""

    __slots__ = ("_fresh", "_from", "_rules", "opened", "start")

    def __init__(self, rules: Rules, position: Position) -> None:
        self._rules = rules
        self._from = position.start
        self._fresh = position.part == 0
        self.start = position.segment_start
        self.opened = position.opened and not self._fresh

    def cut(self, t: int, keyframe: bool, following: int) -> bool:
        """Whether a segment starts at `t`, given when the next one comes. Call in order; state moves on a cut."""
        if t <= self._from:
            if t == self._from and self._fresh:
                self.opened = keyframe
            return False
        if not self._cuts(t, keyframe, following):
            return False
        self.start = t
        self.opened = keyframe
        return True

    def cut_inside(self, following: int) -> bool:
        """Whether a segment must start (at the new `start`) before anything follows, as what follows is too far away.

        Ask until it is not so.
        """
        if self._rules.grid or following - self.start < self._rules.segment_limit:
            return False
        self.start += self._rules.target
        self.opened = False
        return True

    def _cuts(self, t: int, keyframe: bool, following: int) -> bool:
        rules = self._rules
        if rules.grid:
            next_multiple = ((self.start + SLACK) // rules.segment + 1) * rules.segment
            return t >= next_multiple - SLACK
        # After a forced cut the source's next keyframe is a cut at once: every other rung of the run waits for it.
        if keyframe and (not self.opened or t >= self.start + rules.segment_least):
            return True
        return following - self.start >= rules.segment_limit
