"""The numbers by which a plan is obeyed, in ticks.

Law: computed from the plan once, never changed; every slack has its reason here. Neighbours: all cutters.
"""

from headrace.core.broadcast import Cut, Plan
from headrace.core.broadcast.plan import GRID_SLACK, SLACK_MS
from headrace.core.media import TICKS_PER_MS, TICKS_PER_S

# Timestamps in whole milliseconds are half a millisecond early or late, at both ends of a span, and so are 1/rate
# steps.
SLACK = SLACK_MS * TICKS_PER_MS
# A segment of TARGETDURATION + 0.5 s rounds, half up, to one second more than TARGETDURATION (RFC 8216bis §4.4.3.1).
HALF_SECOND = TICKS_PER_S // 2
# No part may be shorter than this share of PART-TARGET, but for a few kinds (RFC 8216bis §4.4.4.9).
LEAST_PERCENT = 85
# Media this far behind the cuts that it follows is missing: an edge calls a source silent after as long (5 s).
LATEST = 5 * TICKS_PER_S


class Rules:
    """What the cutters compare with. Ticks, but for `grid` and `stride`.

    `grid`: segments are cut at multiples of `segment`, else at source keyframes from `segment_least` on.
    `segment_limit`: a segment must be shorter. `target`: TARGETDURATION. `part`: P. `part_fit`: a part may end this
    long after its start. `part_least`: shorter ones need a reason. `gap`: G. `stride`: the largest of all encoded
    rungs.
    """

    __slots__ = (
        "gap",
        "grid",
        "part",
        "part_fit",
        "part_least",
        "segment",
        "segment_least",
        "segment_limit",
        "stride",
        "target",
    )

    def __init__(self, plan: Plan) -> None:
        self.grid = plan.cut is Cut.GRID
        self.segment = plan.segment
        self.segment_least = plan.segment - GRID_SLACK
        self.target = plan.target_duration_s * TICKS_PER_S
        self.segment_limit = self.target + HALF_SECOND
        self.part = plan.part
        self.part_fit = plan.part + SLACK
        self.part_least = -(-LEAST_PERCENT * plan.part_target_ms * TICKS_PER_MS // 100)
        self.gap = plan.gap
        self.stride = max((rung.stride for rung in plan.encoded), default=1)
