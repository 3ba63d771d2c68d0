"""What every live log must do, whatever keeps it: the contract of `livelog.base`, as tests.

A test module subclasses `LogContract` with a fixture `log`; each test uses runs of its own.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from headrace.core.broadcast import Claim, End, Entry, Epoch, Gap, Hold, Init, Part, Plan, RunId, RunStart, StreamId
from headrace.livelog.base import (
    Append,
    Cursor,
    Fenced,
    LiveLog,
    NoRun,
    OutOfStep,
    Published,
    Reading,
    RunEnded,
    RungPosition,
    StaleLog,
)
from tests.support.broadcasts import PLAN

RUN = RunId("run")
START = Cursor(0, "")
RUN_START = RunStart(PLAN, 1_700_000_000_000)
PARTS = 6  # of each segment of PLAN
SEGMENT, PART = PLAN.segment, PLAN.part


def init_of(rung: str) -> Init:
    """An initialization section of this rung."""
    return Init(rung, "avc1.64001f", f"init {rung}".encode(), 1280, 720)


def body(rung: str, msn: int, part: int, encoder: str) -> bytes:
    """A part's bytes."""
    return f"{rung} {msn} {part} {encoder}".encode()


def part_at(rung: str, msn: int, part: int, encoder: str = "e1", data: bytes | None = None) -> Part:
    """The entry of the part at this place on the grid; the first of each segment is independent."""
    data = body(rung, msn, part, encoder) if data is None else data
    start = msn * SEGMENT + part * PART
    return Part(
        rung,
        msn,
        part,
        start,
        start + PART,
        msn * SEGMENT,
        opened=False,
        independent=part == 0,
        size=len(data),
        digest=hashlib.sha256(data).hexdigest()[:16],
        encoder=encoder,
        segment_end=part == PARTS - 1,
    )


def gap_at(rung: str, msn: int, part: int, encoder: str = "") -> Gap:
    """The same as a gap."""
    start = msn * SEGMENT + part * PART
    return Gap(rung, msn, part, start, start + PART, msn * SEGMENT, False, part == PARTS - 1, encoder=encoder)


def claim_of(session: int = 1, attempt: int = 1, writer: str = "w1", take: int = 1, session_id: str = "") -> Claim:
    """A writer's claim; each session has an id of its own."""
    return Claim(Epoch(session, attempt), session_id or f"s{session}", writer, take)


@dataclass
class Writer:
    """A writer of one run, as a transcoder's is."""

    log: LiveLog
    claim: Claim = field(default_factory=claim_of)
    run: RunId = RUN
    n: int = 0

    async def take(self, floor: int = 0) -> dict[str, RungPosition]:
        """Take the run over, and show what was staged."""
        taken = await self.log.takeover(self.run, self.claim, floor, open_new=True)
        self.n = taken.n
        assert await self.log.wait(self.run)
        await self.log.publish(self.run, self.claim, taken.n)
        return taken.rungs

    async def stage(self, *entries: Entry) -> None:
        """Stage entries in order."""
        for entry in entries:
            staged = await self.log.stage(self.run, self.claim, self.n + 1, Append(entry, bytes_of(entry)))
            assert staged.n == self.n + 1
            self.n = staged.n

    async def append(self, *entries: Entry) -> None:
        """Stage, wait, publish."""
        await self.stage(*entries)
        assert await self.log.wait(self.run)
        await self.log.publish(self.run, self.claim, self.n)

    async def segments(self, first: int, last: int, *rungs: str, encoder: str = "e1") -> None:
        """Append whole segments of these MSNs, both included."""
        for msn in range(first, last + 1):
            for rung in rungs or PLAN.rung_names:
                await self.append(*(part_at(rung, msn, part, encoder) for part in range(PARTS)))

    async def open(self, plan: Plan = PLAN) -> None:
        """Take a new run over and begin it."""
        await self.take()
        await self.append(replace(RUN_START, plan=plan), *(init_of(rung) for rung in plan.rung_names))


def bytes_of(entry: Entry) -> bytes | None:
    """What `part_at` was made with."""
    return body(entry.rung, entry.msn, entry.part, entry.encoder) if isinstance(entry, Part) else None


def entries_of(reading: Reading) -> list[Entry | None]:
    """The entries alone."""
    return [published.entry for published in reading.entries]


async def everything(log: LiveLog, run: RunId = RUN) -> Reading:
    """All that a new reader sees."""
    return await log.read(run, START)


async def next_of(readings: AsyncIterator[Reading]) -> Reading:
    """The next reading, soon."""
    async with asyncio.timeout(5):
        return await anext(readings)


async def told(readings: AsyncIterator[Reading], count: int) -> list[Entry | None]:
    """The next `count` entries: a log may tell in several readings what was published at once."""
    entries: list[Entry | None] = []
    while len(entries) < count:
        entries += entries_of(await next_of(readings))
    return entries


class LogContract:
    """Subclass it with a fixture `log: LiveLog`."""

    # Takeover

    async def test_an_unknown_run_is_no_run(self, log: LiveLog) -> None:
        with pytest.raises(NoRun):
            await log.takeover(RUN, claim_of(), 0)
        with pytest.raises(NoRun):
            await log.read(RUN, START)
        with pytest.raises(NoRun):
            await next_of(log.follow(RUN, START))
        assert await log.get(RUN, "720p", 0, 0, "e1") is None

    async def test_a_run_is_opened_empty(self, log: LiveLog) -> None:
        taken = await log.takeover(RUN, claim_of(), 0, open_new=True)
        assert (taken.n, taken.published, taken.id, taken.rungs) == (0, 0, "", {})
        reading = await everything(log)
        assert (reading.entries, reading.cursor, reading.head) == ((), START, ())

    async def test_a_takeover_answers_where_each_rung_goes_on(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.append(*(part_at("720p", 0, part) for part in range(PARTS)))
        await writer.append(part_at("audio", 0, 0, "a1"), replace(part_at("audio", 0, 1, "a1"), opened=True))
        await writer.stage(gap_at("360p", 0, 0))
        taken = await log.takeover(RUN, claim_of(attempt=2), 0)
        assert taken.n == writer.n
        assert taken.published == writer.n - 1
        assert taken.rungs == {
            "720p": RungPosition(1, 0, SEGMENT, SEGMENT, opened=True, encoder="e1"),
            "audio": RungPosition(0, 2, 2 * PART, 0, opened=True, encoder="a1"),
            "360p": RungPosition(0, 1, PART, 0, opened=False, encoder=""),
        }

    async def test_a_takeover_publishes_nothing(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.stage(part_at("720p", 0, 0))
        before = await everything(log)
        await log.takeover(RUN, claim_of(attempt=2), 0)
        assert await everything(log) == before

    @pytest.mark.parametrize(
        "claim",
        [
            claim_of(2, 1, "w3"),
            claim_of(1, 9, "w3"),
            claim_of(2, 2, "w3", session_id="another"),
            claim_of(2, 3, "w3", session_id="another"),
            claim_of(2, 2, "w3"),
            claim_of(2, 2, "w2", take=1),
        ],
        ids=[
            "a lower attempt",
            "a lower session",
            "another edge of the same session",
            "another edge of the same session with a higher attempt",
            "another writer of the same epoch",
            "an earlier take",
        ],
    )
    async def test_a_claim_that_does_not_win_is_refused_with_the_fence(self, log: LiveLog, claim: Claim) -> None:
        await Writer(log, claim_of(2, 2, "w2", take=2)).open()
        with pytest.raises(Fenced) as fenced:
            await log.takeover(RUN, claim, 0)
        assert fenced.value.epoch == Epoch(2, 2)

    @pytest.mark.parametrize(
        "claim",
        [claim_of(3, 1, "w3"), claim_of(2, 3, "w3"), claim_of(2, 2, "w2", take=3), claim_of(2, 2, "w2", take=2)],
        ids=["a higher session", "a higher attempt", "a later take", "the same take again"],
    )
    async def test_a_claim_that_wins_fences_the_one_before(self, log: LiveLog, claim: Claim) -> None:
        first = Writer(log, claim_of(2, 2, "w2", take=2))
        await first.open()
        second = Writer(log, claim)
        await second.take()
        await second.append(part_at("720p", 0, 0))
        if claim != first.claim:
            with pytest.raises(Fenced) as fenced:
                await first.append(part_at("360p", 0, 0))
            assert fenced.value.epoch == claim.epoch
            with pytest.raises(Fenced):
                await log.publish(RUN, first.claim, 1)

    async def test_a_log_behind_the_floor_is_stale_and_stays_with_its_writer(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        with pytest.raises(StaleLog):
            await log.takeover(RUN, claim_of(2), 1)
        await writer.append(part_at("720p", 0, 0), part_at("720p", 0, 1), part_at("audio", 0, 0))
        with pytest.raises(StaleLog):
            await log.takeover(RUN, claim_of(2), PART + 1)  # the oldest rung counts
        await writer.append(part_at("audio", 0, 1))
        await log.takeover(RUN, claim_of(2), PART + 1)

    # Stage and publish

    async def test_readers_see_what_is_published_and_nothing_else(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        opened = await everything(log)
        parts = [part_at("720p", 0, part) for part in range(3)]
        await writer.stage(*parts)
        assert await everything(log) == opened
        await log.publish(RUN, writer.claim, writer.n - 1)
        reading = await log.read(RUN, opened.cursor)
        assert entries_of(reading) == parts[:2]
        assert not reading.whole
        await log.publish(RUN, writer.claim, writer.n)
        assert entries_of(await log.read(RUN, reading.cursor)) == parts[2:]

    async def test_a_parts_bytes_are_found_by_its_whole_name(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0))
        assert await log.get(RUN, "720p", 0, 0, "e1") == body("720p", 0, 0, "e1")
        assert await log.get(RUN, "720p", 0, 0, "e2") is None
        assert await log.get(RUN, "360p", 0, 0, "e1") is None
        assert await log.get(RunId("another"), "720p", 0, 0, "e1") is None

    async def test_ids_are_chained_over_the_entries(self, log: LiveLog) -> None:
        other = RunId("other")
        for run, last in ((RUN, Hold(5)), (other, Hold(6))):
            await Writer(log, run=run).take()
            writer = Writer(log, run=run)
            await writer.append(RUN_START, Hold(4), last, Hold(7))
        one, two = await everything(log), await everything(log, other)
        ids = [[published.id for published in reading.entries] for reading in (one, two)]
        assert ids[0][:2] == ids[1][:2]
        assert not set(ids[0][2:]) & set(ids[1][2:])
        assert len(set(ids[0])) == 4
        assert [published.n for published in one.entries] == [1, 2, 3, 4]

    async def test_an_entry_staged_again_is_answered_as_the_first_time(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        part = part_at("720p", 0, 0)
        first = await log.stage(RUN, writer.claim, writer.n + 1, Append(part, bytes_of(part)))
        assert await log.stage(RUN, writer.claim, writer.n + 1, Append(part, bytes_of(part))) == first
        await log.publish(RUN, writer.claim, first.n)
        await log.publish(RUN, writer.claim, first.n)
        assert await log.stage(RUN, writer.claim, writer.n + 1, Append(part, bytes_of(part))) == first
        assert entries_of(await everything(log))[-1:] == [part]

    async def test_several_are_staged_at_once_up_to_the_first_that_is_refused(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        parts = [part_at("720p", 0, part) for part in (0, 1, 3, 2)]
        several = [Append(part, bytes_of(part)) for part in parts]
        assert (await log.stage(RUN, writer.claim, writer.n + 1, *several[:2])).n == writer.n + 2
        with pytest.raises(OutOfStep) as refused:
            await log.stage(RUN, writer.claim, writer.n + 1, *several)
        assert refused.value.kind == "position"
        await log.publish(RUN, writer.claim, writer.n + 2)
        assert entries_of(await everything(log))[-2:] == parts[:2]
        assert await log.get(RUN, "720p", 0, 2, "e1") is None

    async def test_another_entry_at_the_same_integer_is_a_conflict(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0))
        for other in (part_at("720p", 0, 0, "e2"), Hold(1)):
            with pytest.raises(OutOfStep) as refused:
                await log.stage(RUN, writer.claim, writer.n, Append(other, bytes_of(other)))
            assert refused.value.kind == "conflict"
        assert await log.get(RUN, "720p", 0, 0, "e2") is None

    async def test_an_integer_that_was_left_out_is_behind(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        with pytest.raises(OutOfStep) as refused:
            await log.stage(RUN, writer.claim, writer.n + 2, Append(Hold(1)))
        assert refused.value.kind == "behind"
        with pytest.raises(OutOfStep) as refused:
            await log.publish(RUN, writer.claim, writer.n + 1)
        assert refused.value.kind == "behind"

    @pytest.mark.parametrize(
        "entry",
        [
            part_at("720p", 0, 1),
            part_at("720p", 0, 3),
            part_at("720p", 1, 0),
            replace(part_at("720p", 0, 2), start=2 * PART - 1),
            replace(part_at("720p", 0, 2), segment_start=1),
            gap_at("720p", 0, 3),
            part_at("360p", 0, 1),
        ],
        ids=["taken", "left out", "next segment", "start", "segment start", "a gap left out", "a rung's first"],
    )
    async def test_only_a_rungs_next_position_is_taken(self, log: LiveLog, entry: Entry) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0), part_at("720p", 0, 1))
        if isinstance(entry, Part):
            entry = replace(entry, independent=True)
        with pytest.raises(OutOfStep) as refused:
            await writer.stage(entry)
        assert refused.value.kind == "position"
        await writer.append(part_at("720p", 0, 2))

    async def test_a_run_may_begin_at_any_segment(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.segments(40, 41)
        assert (await log.takeover(RUN, claim_of(2), 0)).rungs["audio"].msn == 42

    async def test_two_encoders_are_never_spliced_in_the_middle_of_a_gop(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0, "e1"), part_at("720p", 0, 1, "e1"))
        spliced = part_at("720p", 0, 2, "e2")
        with pytest.raises(OutOfStep) as refused:
            await writer.stage(spliced)
        assert refused.value.kind == "splice"
        await writer.append(replace(spliced, independent=True), part_at("720p", 0, 3, "e2"))

    async def test_a_rungs_first_part_is_independent(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        with pytest.raises(OutOfStep) as refused:
            await writer.stage(replace(part_at("720p", 0, 0), independent=False))
        assert refused.value.kind == "splice"

    async def test_after_a_gap_comes_an_independent_part_or_the_encoder_that_the_gap_names(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0), gap_at("720p", 0, 1))
        with pytest.raises(OutOfStep) as refused:
            await writer.stage(part_at("720p", 0, 2))
        assert refused.value.kind == "splice"
        await writer.append(replace(part_at("720p", 0, 2), independent=True), gap_at("720p", 0, 3, "e1"))
        await writer.append(part_at("720p", 0, 4))

    async def test_a_refused_entry_leaves_no_trace(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        before = await log.takeover(RUN, writer.claim, 0)
        for entry in (part_at("720p", 0, 1, "e9"), replace(part_at("720p", 0, 0, "e9"), independent=False)):
            with pytest.raises(OutOfStep):
                await writer.stage(entry)
            assert await log.get(RUN, "720p", 0, entry.part, "e9") is None
        assert await log.takeover(RUN, writer.claim, 0) == before

    # A writer dies

    async def test_a_new_writer_publishes_what_the_dead_one_staged_and_goes_on(self, log: LiveLog) -> None:
        dead = Writer(log)
        await dead.open()
        await dead.append(part_at("720p", 0, 0))
        await dead.stage(part_at("720p", 0, 1))
        new = Writer(log, claim_of(attempt=2, writer="w2"))
        rungs = await new.take()
        assert rungs["720p"] == RungPosition(0, 2, 2 * PART, 0, opened=False, encoder="e1")
        await new.append(replace(part_at("720p", 0, 2, "e2"), independent=True))
        parts = [e for e in entries_of(await everything(log)) if isinstance(e, Part)]
        assert [(e.part, e.encoder) for e in parts] == [(0, "e1"), (1, "e1"), (2, "e2")]

    async def test_a_writer_whose_reply_was_lost_takes_over_again_and_finds_its_entry(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        part = part_at("720p", 0, 0)
        await writer.stage(part)  # and suppose that the answer never came
        again = Writer(log, replace(writer.claim, take=2))
        assert (await again.take())["720p"].part == 1
        assert again.n == writer.n
        assert await log.stage(RUN, again.claim, again.n, Append(part, bytes_of(part)))
        with pytest.raises(Fenced):
            await writer.stage(part_at("720p", 0, 1))

    async def test_of_two_writers_with_one_position_exactly_one_is_published(self, log: LiveLog) -> None:
        old, new = Writer(log), Writer(log, claim_of(attempt=2, writer="w2"))
        await old.open()
        await new.take()
        for writer, encoder in ((old, "e1"), (new, "e2")):
            part = part_at("720p", 0, 0, encoder)
            if writer is old:
                with pytest.raises(Fenced):
                    await writer.append(part)
            else:
                await writer.append(part)
        assert entries_of(await everything(log))[-1] == part_at("720p", 0, 0, "e2")
        assert await log.get(RUN, "720p", 0, 0, "e1") is None

    # The end

    async def test_an_ended_run_takes_nothing_more(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.append(End(0))
        with pytest.raises(RunEnded):
            await writer.stage(Hold(1))
        with pytest.raises(RunEnded):
            await log.takeover(RUN, claim_of(9), 0, open_new=True)
        assert entries_of(await everything(log))[-1] == End(0)

    async def test_an_end_that_its_writer_did_not_publish_is_published_by_the_next(self, log: LiveLog) -> None:
        dead = Writer(log)
        await dead.open()
        await dead.stage(End(0))
        new = Writer(log, claim_of(2, writer="w2"))
        await new.take()
        with pytest.raises(RunEnded):
            await new.stage(End(0))
        assert entries_of(await everything(log))[-1] == End(0)

    # Reading

    async def test_a_first_reading_has_the_head_and_everything(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        newer = replace(init_of("720p"), data=b"newer")
        await writer.append(part_at("audio", 0, 0), newer)
        await writer.stage(replace(newer, data=b"not published"))
        reading = await everything(log)
        assert reading.whole
        assert reading.head[0] == RUN_START
        assert set(reading.head[1:]) == {newer, init_of("360p"), init_of("audio")}
        assert entries_of(reading)[0] == RUN_START
        assert entries_of(reading)[-1] == newer
        assert reading.cursor == Cursor(reading.entries[-1].n, reading.entries[-1].id)

    async def test_a_reader_goes_on_from_any_cursor(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.segments(0, 1)
        whole = await everything(log)
        for index in range(0, len(whole.entries), 7):
            at = whole.entries[index]
            reading = await log.read(RUN, Cursor(at.n, at.id))
            assert not reading.whole
            assert reading.entries == whole.entries[index + 1 :]
            assert reading.cursor == whole.cursor

    async def test_a_cursor_that_is_not_in_the_log_gets_the_whole_window(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.segments(0, 0)
        whole = await everything(log)
        at = whole.entries[5]
        for cursor in (Cursor(at.n, "another"), Cursor(at.n + 1, at.id), Cursor(10_000, at.id)):
            assert await log.read(RUN, cursor) == whole

    async def test_following_tells_at_once_what_is_published(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        readings = log.follow(RUN, START)
        first = await next_of(readings)
        assert first == await everything(log)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(next_of(readings))
            await asyncio.sleep(0)
            assert not following.done()
            await writer.append(part_at("720p", 0, 0))
        assert entries_of(following.result()) == [part_at("720p", 0, 0)]
        await writer.append(part_at("720p", 0, 1))
        await writer.append(part_at("720p", 0, 2))
        assert await told(readings, 2) == [part_at("720p", 0, 1), part_at("720p", 0, 2)]

    async def test_following_an_empty_run_tells_its_beginning(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.take()
        readings = log.follow(RUN, START)
        assert entries_of(await next_of(readings)) == []
        await writer.append(RUN_START)
        assert entries_of(await next_of(readings)) == [RUN_START]

    async def test_following_ends_after_the_end(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        readings = log.follow(RUN, START)
        await next_of(readings)
        await writer.append(Hold(1), End(1))
        assert await told(readings, 2) == [Hold(1), End(1)]
        last = await everything(log)
        with pytest.raises(StopAsyncIteration):
            await next_of(readings)
        again = log.follow(RUN, last.cursor)
        assert entries_of(await next_of(again)) == []
        with pytest.raises(StopAsyncIteration):
            await next_of(again)

    async def test_several_follow_one_run_and_none_misses_anything(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()

        async def follow() -> list[Published]:
            return [published async for reading in log.follow(RUN, START) for published in reading.entries]

        # A first reading is whole even where nothing was published, so nobody sees an entry twice here.
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            readers = [group.create_task(follow()) for _ in range(3)]
            for msn in range(3):
                await writer.segments(msn, msn)
                await asyncio.sleep(0)
            await writer.append(End(3 * SEGMENT))
        whole = await everything(log)
        assert [reader.result() for reader in readers] == [list(whole.entries)] * 3

    # The window

    async def test_the_window_is_trimmed_behind_its_margin_and_the_head_stays(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.segments(0, 9)
        early = (await everything(log)).cursor
        await writer.segments(10, 60)
        reading = await everything(log)
        parts = [e for e in entries_of(reading) if isinstance(e, Part)]
        first = min(e.msn for e in parts)
        kept_s = (61 - first) * SEGMENT / 90_000
        assert kept_s >= PLAN.window_s + 2 + 3 * PLAN.target_duration_s
        assert kept_s <= PLAN.window_s + 2 + 3 * PLAN.target_duration_s + 3 * 2
        assert set(reading.head) == {RUN_START, *map(init_of, PLAN.rung_names)}
        assert [e for e in parts if e.rung == "audio"] == [
            part_at("audio", msn, part) for msn in range(first, 61) for part in range(PARTS)
        ]
        assert await log.get(RUN, "720p", first, 0, "e1") == body("720p", first, 0, "e1")
        assert await log.read(RUN, early) == reading  # a reader that fell behind begins anew

    async def test_the_init_that_the_window_begins_with_stays_in_the_head(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        builds = [{rung: replace(init_of(rung), data=b"%d" % build) for rung in PLAN.rung_names} for build in range(3)]
        for first, build in zip((0, 40, 50), builds, strict=True):
            await writer.append(*build.values())
            await writer.segments(first, first + 9 if build is not builds[0] else 39)
        await writer.segments(60, 60)
        reading = await everything(log)
        for rung in PLAN.rung_names:
            inits = [entry for entry in reading.head if isinstance(entry, Init) and entry.rung == rung]
            assert (inits[0], inits[-1]) == (builds[0][rung], builds[2][rung])
            assert [init for init in builds if init[rung] in entries_of(reading)] == builds[1:]

    async def test_six_segments_stay_however_long_they_are(self, log: LiveLog) -> None:
        writer = Writer(log)
        plan = replace(PLAN, window_s=20, segment=30 * 90_000, target_duration_s=30)
        await writer.open(plan)
        for msn in range(9):
            for rung in plan.rung_names:
                start = msn * plan.segment
                part = replace(
                    part_at(rung, msn, 0), start=start, end=start + plan.segment, segment_start=start, segment_end=True
                )
                await writer.append(part)
        msns = {e.msn for e in entries_of(await everything(log)) if isinstance(e, Part)}
        assert msns >= set(range(3, 9))

    async def test_a_rung_that_lags_keeps_its_window(self, log: LiveLog) -> None:
        writer = Writer(log)
        await writer.open()
        await writer.segments(0, 20, "360p", "audio")
        await writer.segments(0, 60, "720p")
        parts = [e for e in entries_of(await everything(log)) if isinstance(e, Part)]
        for rung in PLAN.rung_names:
            assert min(e.msn for e in parts if e.rung == rung) == 0

    # Streams

    async def test_a_streams_current_run_is_the_last_one_set(self, log: LiveLog) -> None:
        stream = StreamId("stream")
        assert await log.current(stream) is None
        await log.set_current({stream: RUN})
        await log.set_current({stream: RunId("newer")})
        await log.set_current({StreamId("another"): RUN})
        assert await log.current(stream) == "newer"
