"""A run that lost its log twice: what follows is numbered once, and above everything."""

from dataclasses import replace

from headrace.core.broadcast import Gap, Part
from headrace.livelog.base import Append
from headrace.transcoder.renumbering import Renumbering, Shown
from tests.support.broadcasts import PLAN
from tests.support.log_contract import PARTS, SEGMENT, init_of, part_at


def segment(msn: int) -> list[Append]:
    return [
        Append(replace(part_at(rung, msn, part), opened=True), b"")
        for part in range(PARTS)
        for rung in PLAN.rung_names
    ]  # fmt: skip


def show(shown: Shown, appends: list[Append]) -> None:
    for entry, _ in appends:
        if isinstance(entry, Part | Gap):
            shown.add(entry)
    shown.confirm()


def msns(appends: list[Append]) -> set[int]:
    return {append.entry.msn for append in appends if isinstance(append.entry, Part | Gap)}


def test_what_was_not_shown_when_the_log_was_lost_again_is_numbered_from_its_worker() -> None:
    numbers, shown = Renumbering(PLAN), Shown(PLAN)
    show(shown, numbers.place([*segment(0), *segment(1)]))
    assert numbers.lose(shown, []) == []
    shown = Shown(PLAN)
    second = numbers.place(segment(2))
    assert msns(second) == {4 * 2}
    show(shown, second)
    unseen = numbers.place(segment(3))
    again = numbers.lose(shown, unseen)
    assert msns(again) == {4 * 3}
    assert [type(append.entry) for append in again] == [Part] * len(again)
    assert msns(numbers.place(segment(4))) == {4 * 3 + 1}
    assert numbers.dropped == 0


def test_what_is_in_mid_gop_waits_for_something_independent() -> None:
    numbers, shown = Renumbering(PLAN), Shown(PLAN)
    show(shown, numbers.place(segment(0)))
    numbers.lose(shown, [])
    forced = [Append(replace(a.entry, independent=False), b"") for a in segment(1) if isinstance(a.entry, Part)]
    lasting = Gap("720p", 2, 0, 2 * SEGMENT, 2 * SEGMENT + PLAN.part, 2 * SEGMENT, True, encoder="e1")
    waiting = numbers.place([*forced, Append(lasting)])
    assert [type(append.entry) for append in waiting] == [Gap] * len(waiting)
    assert {append.entry.encoder for append in waiting if isinstance(append.entry, Gap)} == {""}
    init = Append(init_of("720p"))
    (joined, kept) = numbers.place([Append(replace(part_at("720p", 2, 1), independent=True), b""), init])
    assert isinstance(joined.entry, Part)
    assert kept == init
    (after,) = numbers.place([Append(replace(part_at("720p", 2, 2), independent=False), b"")])
    assert isinstance(after.entry, Part)
