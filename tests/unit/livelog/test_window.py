"""What a window keeps of a log whose entries are in no order that a writer of ours would give them."""

from headrace.core.broadcast import Gap, RunStart
from headrace.livelog.window import Window
from tests.support.runs import ANCHOR_MS, plan_of

PLAN = plan_of(window_s=20)
D = PLAN.segment


def gap(rung: str, msn: int) -> Gap:
    """A whole segment."""
    return Gap(rung, msn, 0, msn * D, (msn + 1) * D, msn * D, True, segment_end=True)


def test_a_log_with_segments_left_out_is_trimmed_like_any_other() -> None:
    window = Window()
    window.show(RunStart(PLAN, ANCHOR_MS))
    for msn in (0, 1, 2, 40, 41, 42, 43, 44, 45, 46):
        for rung in ("a", "b"):
            window.show(gap(rung, msn))
            window.trim()
    assert window.oldest == 40
    assert window.duration == 7 * D


def test_a_rung_that_jumps_ahead_keeps_all_that_the_other_has_not() -> None:
    window = Window()
    window.show(RunStart(PLAN, ANCHOR_MS))
    window.show(gap("a", 0))
    window.show(gap("b", 0))
    window.show(gap("a", 90))
    for msn in range(1, 30):
        window.show(gap("b", msn))
        window.trim()
    assert window.oldest == 0
