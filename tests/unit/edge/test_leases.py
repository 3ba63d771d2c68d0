"""Renewing what is held: how many at once, how often, and what an answer does to whom."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from headrace.core.broadcast import LeaseToken, Refused, RunId, SignedLease, StreamId
from headrace.core.broadcast.refusals import Reason
from headrace.edge.leases import AT_ONCE, Leases
from headrace.edge.report import make_report
from headrace.edge.settings import EdgeSettings
from headrace.wire.control import HeldSession, SessionReport, SessionsClient, Verdict

LEASE_S = 0.03


@dataclass
class Control:
    """Answers as `answer` says."""

    answer: Callable[[HeldSession], Verdict] = lambda one: Verdict(one.session_id, held=True)
    silent: bool = False
    asked: list[list[str]] = field(default_factory=list)

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        assert edge == "edge-0"
        self.asked.append([one.session_id for one in sessions])
        if self.silent:
            raise Refused(Reason.UNAVAILABLE, "nobody is there")
        return [self.answer(one) for one in sessions]


@dataclass(eq=False)
class Borrower:
    """A session."""

    session_id: str
    lost: list[Refused] = field(default_factory=list)
    renewed: list[SignedLease] = field(default_factory=list)

    @property
    def held(self) -> HeldSession:
        return HeldSession(self.session_id, StreamId("s"), RunId("r"), 1, "192.0.2.1:5")

    def idle_ms(self) -> int:
        return 2499

    def renew(self, lease: SignedLease) -> None:
        self.renewed.append(lease)

    def lose(self, refusal: Refused) -> None:
        self.lost.append(refusal)


async def run_until(leases: Leases, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        running = group.create_task(leases.run())
        while not true():  # noqa: ASYNC110 - what is waited for happens in another task's lists
            await asyncio.sleep(0.005)
        running.cancel()


def lent(control: Control, count: int) -> tuple[Leases, list[Borrower]]:
    leases = Leases(cast(SessionsClient, control), "edge-0")
    borrowers = [Borrower(str(i)) for i in range(count)]
    for borrower in borrowers:
        leases.hold(borrower, LEASE_S)
    return leases, borrowers


async def test_every_session_is_renewed_and_no_question_names_more_than_a_hundred() -> None:
    control = Control()
    leases, borrowers = lent(control, 2 * AT_ONCE + 50)
    await run_until(leases, lambda: len(control.asked) >= 6)
    assert [len(asked) for asked in control.asked[:3]] == [100, 100, 50]
    once = [name for asked in control.asked[:3] for name in asked]
    assert once == [borrower.session_id for borrower in borrowers]


async def test_control_that_never_answers_takes_nothing_away() -> None:
    control = Control(silent=True)
    leases, borrowers = lent(control, 3)
    await run_until(leases, lambda: len(control.asked) >= 20)  # ten leases long
    assert all(borrower.lost == [] for borrower in borrowers)
    assert all(len(asked) == 3 for asked in control.asked)


async def test_a_verdict_is_for_its_session_alone() -> None:
    control = Control(lambda one: Verdict(one.session_id, held=one.session_id != "1", reason="busy", description="no"))
    leases, borrowers = lent(control, 3)
    await run_until(leases, lambda: bool(borrowers[1].lost))
    assert (borrowers[1].lost[0].reason, borrowers[1].lost[0].description) == (Reason.BUSY, "no")
    assert borrowers[0].lost == borrowers[2].lost == []


async def test_a_new_token_is_for_its_session_and_whether_or_not_its_transcoder_is_silent() -> None:
    lease = SignedLease(LeaseToken("new"), 1)
    answers = {
        "1": Verdict("1", held=True, lease=lease),
        "2": Verdict("2", held=True, suspect=True, lease=lease),
        "3": Verdict("3", held=False, reason="busy", description="gone", lease=lease),
    }
    control = Control(lambda one: answers.get(one.session_id, Verdict(one.session_id, held=True)))
    leases, borrowers = lent(control, 4)
    await run_until(leases, lambda: len(control.asked) > 1)
    assert [bool(borrower.renewed) for borrower in borrowers] == [False, True, True, False]
    assert {one for borrower in borrowers for one in borrower.renewed} == {lease}


async def test_a_session_that_ends_while_control_thinks_is_told_nothing() -> None:
    control = Control()
    leases, (borrower,) = lent(control, 1)

    def answer(one: HeldSession) -> Verdict:
        leases.drop(borrower)
        return Verdict(one.session_id, held=False)

    control.answer = answer
    await run_until(leases, lambda: bool(control.asked))
    assert borrower.lost == []


def test_a_report_names_what_is_held() -> None:
    leases, _ = lent(Control(), 2)
    report = make_report(EdgeSettings(pod="edge-0", zone="z"), leases, ready=False)
    # In steps, so that it is the same report while media flows; two seconds are two seconds.
    assert report.sessions == (SessionReport("0", 2000), SessionReport("1", 2000))
    assert (report.pod, report.zone, report.ready) == ("edge-0", "z", False)
