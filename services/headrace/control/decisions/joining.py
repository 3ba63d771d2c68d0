"""Where a returning publisher's media goes on, and whether it may.

Law: timeline positions never go back, and never off the grid that the plan's parts lie on. Times are ticks.
"""

from headrace.core.broadcast import Cut, Plan, Source
from headrace.core.media import TICKS_PER_MS


def start_of_return(plan: Plan, elapsed_ms: int, furthest: int, segment_start: int) -> int:
    """T₁: the first part boundary at or after all that is logged and all the time that has passed.

    `elapsed_ms`: since timeline 0, by control's clock; `furthest`: the end of what is logged, in the segment that began
    at `segment_start`.
    """
    wanted = max(elapsed_ms * TICKS_PER_MS, furthest)
    if plan.cut is Cut.GRID:
        segment_start = wanted // plan.segment * plan.segment
    boundary = segment_start + -(-(wanted - segment_start) // plan.part) * plan.part
    return min(boundary, segment_start + plan.segment) if plan.cut is Cut.GRID else boundary


def same_for_decoders(now: Source, before: Source) -> bool:
    """Whether what this publisher sends can go on where the other one's stopped, without any decoder noticing."""
    return _picture(now) == _picture(before) and _sound(now) == _sound(before)


def _picture(source: Source) -> tuple[object, ...]:
    video = source.video
    return video.codec, video.config, video.width, video.height


def _sound(source: Source) -> tuple[object, ...] | None:
    audio = source.audio
    return None if audio is None else (audio.codec, audio.config, audio.sample_rate, audio.channels)
