"""A state machine for any live log.

Whatever several writers do, in whatever order: nothing is published twice, left out, or seen out of order.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from headrace.core.broadcast import Claim, End, Entry, Gap, Part
from headrace.livelog.base import (
    Append,
    Cursor,
    Fenced,
    LiveLog,
    LogError,
    NoRun,
    OutOfStep,
    Published,
    RunEnded,
    RungPosition,
    Staged,
)
from tests.support.log_contract import (
    PARTS,
    RUN,
    RUN_START,
    START,
    body,
    bytes_of,
    claim_of,
    gap_at,
    init_of,
    part_at,
)

RUNGS = ("720p", "audio")
WRITERS = range(3)
READERS = range(2)
T = TypeVar("T")

writers = st.sampled_from(WRITERS)
HOLDER = -1
# Who holds the run acts more often than those who do not, or little would happen.
actors = st.sampled_from([HOLDER, HOLDER, HOLDER, *WRITERS])


class Reader:
    """A reader as an origin is: it replaces all it knows when the log says so."""

    def __init__(self) -> None:
        self.cursor = START
        self.seen: list[Published] = []


class LogMachine(RuleBasedStateMachine):
    """Writers that believe what they were last told, and do everything wrong that they can. Subclass it with `open`."""

    @abstractmethod
    def open(self) -> LiveLog:
        """A log that is empty."""

    def close(self) -> None:
        """The log is needed no more."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.log = self.open()
        self.claims: list[Claim] = [claim_of(writer=f"w{writer}") for writer in WRITERS]
        self.holder: Claim | None = None
        self.n = dict.fromkeys(WRITERS, 0)
        self.rungs: dict[int, dict[str, RungPosition]] = {writer: {} for writer in WRITERS}
        self.accepted: list[tuple[Entry, str]] = []
        self.shown = 0
        self.readers = [Reader() for _ in READERS]
        self.take_over(0, 0, 0, 0)

    def teardown(self) -> None:
        self.close()
        self.runner.close()

    @rule(writer=writers, session=st.integers(0, 1), attempt=st.integers(0, 2), take=st.integers(0, 1))
    def take_over(self, writer: int, session: int, attempt: int, take: int) -> None:
        claim, newest = self.claims[writer], self.holder or claim_of()
        if session:
            claim = claim_of(newest.epoch.session + session, 1, claim.writer)
        elif attempt:
            claim = claim_of(newest.epoch.session, newest.epoch.attempt + attempt - 1, claim.writer)
        claim = replace(claim, take=claim.take + take)
        taken, refused = self.tried(self.log.takeover(RUN, claim, 0, open_new=True))
        assert refused is None or isinstance(refused, Fenced | RunEnded)
        if taken is None:
            return
        assert self.holder is None or claim.epoch >= self.holder.epoch
        assert (taken.n, taken.published) == (len(self.accepted), self.shown)
        self.claims[writer] = self.holder = claim
        self.n[writer], self.rungs[writer] = taken.n, taken.rungs

    @rule(
        actor=actors,
        rung=st.sampled_from(RUNGS),
        kind=st.sampled_from(["part", "part", "keyframe", "gap", "skip"]),
        encoder=st.sampled_from(["e1", "e1", "e2"]),
    )
    def stage_a_part(self, actor: int, rung: str, kind: str, encoder: str) -> None:
        writer = self.acting(actor)
        position = self.rungs[writer].get(rung)
        msn, part = (position.msn, position.part) if position else (0, 0)
        part += kind == "skip"
        entry: Entry = part_at(rung, msn, part % PARTS, encoder)
        if kind == "gap":
            entry = gap_at(rung, msn, part)
        elif kind == "keyframe" and isinstance(entry, Part):
            entry = replace(entry, independent=True)
        if self.stage(writer, self.n[writer] + 1, entry) and isinstance(entry, Part | Gap):
            self.rungs[writer][rung] = (
                RungPosition(msn + 1, 0, entry.end, entry.end, True, encoder)
                if entry.segment_end
                else RungPosition(msn, part + 1, entry.end, entry.segment_start, entry.opened, encoder)
            )

    @rule(actor=actors, entry=st.sampled_from([RUN_START, init_of("720p")]), ahead=st.integers(1, 2))
    def stage_something_else(self, actor: int, entry: Entry, ahead: int) -> None:
        writer = self.acting(actor)
        self.stage(writer, self.n[writer] + ahead, entry)

    @rule(actor=actors, index=st.integers(0, 200), change=st.booleans())
    def stage_again(self, actor: int, index: int, change: bool) -> None:
        writer = self.acting(actor)
        if not self.accepted:
            return
        index %= len(self.accepted)
        entry, entry_id = self.accepted[index]
        if change:
            entry = part_at("720p", 0, 0, "e9")
        staged, _ = self.tried(self.log.stage(RUN, self.claims[writer], index + 1, Append(entry, bytes_of(entry))))
        assert staged in (None, Staged(index + 1, entry_id))
        assert staged is None or not change

    @rule(actor=actors, happens=st.integers(0, 30))
    def end(self, actor: int, happens: int) -> None:
        writer = self.acting(actor)
        if happens == 17:  # seldom: nothing happens after it
            self.stage(writer, self.n[writer] + 1, End(0))

    @rule(actor=actors, back=st.integers(-1, 3))
    def publish(self, actor: int, back: int) -> None:
        writer = self.acting(actor)
        n = self.n[writer] - back
        _, refused = self.tried(self.log.publish(RUN, self.claims[writer], n))
        assert self.claims[writer] == self.holder or isinstance(refused, Fenced | NoRun)
        assert refused is None or isinstance(refused, Fenced | NoRun | OutOfStep)
        if refused is not None:
            return
        self.shown = max(self.shown, n)

    @rule(reader=st.sampled_from(READERS), forgets=st.integers(0, 4))
    def read(self, reader: int, forgets: int) -> None:
        if self.holder is None:
            return
        state = self.readers[reader]
        if not forgets:
            self.readers[reader] = state = Reader()
        reading = self.runner.run(self.log.read(RUN, state.cursor))
        state.seen = list(reading.entries) if reading.whole else state.seen + list(reading.entries)
        state.cursor = reading.cursor
        assert [(seen.n, seen.id, seen.entry) for seen in state.seen] == [
            (index + 1, entry_id, entry) for index, (entry, entry_id) in enumerate(self.accepted[: self.shown])
        ]
        assert state.cursor == (Cursor(self.shown, self.accepted[self.shown - 1][1]) if self.shown else START)

    def acting(self, actor: int) -> int:
        """The writer that is meant."""
        return next((w for w in WRITERS if self.claims[w] == self.holder), 0) if actor == HOLDER else actor

    def tried(self, call: Coroutine[Any, Any, T]) -> tuple[T | None, LogError | None]:
        """What a call answered, or how it was refused."""
        try:
            return self.runner.run(call), None
        except LogError as error:
            return None, error

    def stage(self, writer: int, n: int, entry: Entry) -> bool:
        """Whether the log took it as new."""
        claim = self.claims[writer]
        staged, refused = self.tried(self.log.stage(RUN, claim, n, Append(entry, bytes_of(entry))))
        assert claim == self.holder or isinstance(refused, Fenced | NoRun)
        assert refused is None or isinstance(refused, Fenced | NoRun | OutOfStep | RunEnded)
        if staged is None:
            return False
        assert staged.n == n
        self.n[writer] = n
        if n == len(self.accepted) + 1:
            self.accepted.append((entry, staged.id))
            return True
        assert self.accepted[n - 1] == (entry, staged.id)
        return False

    @invariant()
    def each_rung_is_whole(self) -> None:
        """No position twice, none left out, no splice; an end is the last."""
        for rung in RUNGS:
            placed = [e for e, _ in self.accepted if isinstance(e, Part | Gap) and e.rung == rung]
            assert [(e.msn, e.part) for e in placed] == [divmod(k, PARTS) for k in range(len(placed))]
            encoder = ""
            for entry in placed:
                if isinstance(entry, Part) and not entry.independent:
                    assert entry.encoder == encoder
                encoder = entry.encoder
        ends = [index for index, (entry, _) in enumerate(self.accepted) if isinstance(entry, End)]
        assert ends in ([], [len(self.accepted) - 1])

    @invariant()
    def the_newest_published_part_has_its_bytes(self) -> None:
        for entry, _ in reversed(self.accepted[: self.shown]):
            if isinstance(entry, Part):
                name = (entry.rung, entry.msn, entry.part, entry.encoder)
                assert self.runner.run(self.log.get(RUN, *name)) == body(*name)
                return
