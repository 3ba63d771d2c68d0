"""Whatever a log does: what readers see is each part once, in order, none missing unless marked, and no splice."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from headrace.core.broadcast import Claim, End, Epoch, Gap, Init, Part, RunId, RunStart
from headrace.core.hls.durations import round_half_up_seconds
from headrace.core.media import TICKS_PER_MS
from headrace.livelog.base import Append, Cursor, Fenced, OutOfStep, StaleLog, Unreachable
from headrace.livelog.memory import MemoryLog
from headrace.transcoder.tail import KEPT
from headrace.transcoder.writer import Diverged, Progress, Writer
from tests.support.broadcasts import PLAN
from tests.support.log_contract import PARTS, SEGMENT, bytes_of, init_of, part_at
from tests.unit.transcoder.faults import Fault, FaultyLog, Viewer

RUN = RunId("run")
CLAIM = Claim(Epoch(2, 2), "session", "writer")
START = RunStart(PLAN, 0)
INITS = [Append(init_of(rung)) for rung in PLAN.rung_names]
EMPTYING = {Fault.EMPTIED, Fault.SILENTLY_EMPTIED}


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now_s

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


def writer_of(log: MemoryLog, claim: Claim = CLAIM, time: Time | None = None) -> Writer:
    time = time or Time()
    return Writer(log, RUN, claim, START, time.clock, time.pause)


def made(rung: str, msn: int, part: int) -> Append:
    """As a worker makes it: sound may be joined anywhere, pictures where a segment starts."""
    entry = part_at(rung, msn, part)
    entry = replace(entry, opened=True, independent=part == 0 or rung == "audio")
    return Append(entry, bytes_of(entry))


def a_run(segments: int, lag: int = 0) -> list[Append]:
    """All parts in the order of time; sound comes `lag` parts after pictures."""
    count = segments * PARTS
    order: list[tuple[int, int, str]] = []
    for each, rung in enumerate(PLAN.rung_names):
        order += [(k + (lag if rung == "audio" else 0), each, rung) for k in range(count)]
    placed = dict.fromkeys(PLAN.rung_names, 0)
    appends = []
    for _, _, rung in sorted(order):
        appends.append(made(rung, *divmod(placed[rung], PARTS)))
        placed[rung] += 1
    return appends


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_transcoder_{name}", labels) or 0.0


async def write(log: FaultyLog, batches: list[list[Append]]) -> Writer:
    writer = writer_of(log)
    faults, log.faults = log.faults, iter(())
    await writer.take(0)
    log.faults = faults
    seen = writer.progress
    for batch in batches:
        progress = await writer.append(batch)
        assert progress.published >= seen.published
        assert progress.durable >= seen.durable
        seen = progress
    return writer


def batched(appends: list[Append], sizes: list[int]) -> list[list[Append]]:
    batches, at = [], 0
    for size in sizes:
        batches.append(appends[at : at + size])
        at += size
    return [batch for batch in [*batches, appends[at:]] if batch]


def check(viewer: Viewer, appends: list[Append]) -> None:
    """What was shown, all logs together, against what a worker made."""
    logs = [log for log in viewer.logs if any(isinstance(one.entry, Part | Gap) for one in log)]
    for log in viewer.logs:
        if log:
            assert log[0].entry == START
    used = -1
    for log in logs:
        msns = {one.entry.msn for one in log if isinstance(one.entry, Part | Gap)}
        assert min(msns) > used
        used = max(msns)
        cuts = {
            (one.entry.msn, one.entry.segment_start, one.entry.end)
            for one in log
            if isinstance(one.entry, Part | Gap) and one.entry.segment_end
        }
        assert len(cuts) == len({msn for msn, _, _ in cuts}), "rungs are cut alike"
        assert all(round_half_up_seconds(end - start) <= PLAN.target_duration_s for _, start, end in cuts)
    for rung in PLAN.rung_names:
        shown: list[str] = []
        covered: list[tuple[int, int]] = []
        for placed in viewer.rung(rung):
            encoder = ""
            for entry, following in zip(placed, [*placed[1:], None], strict=True):
                if following is not None:
                    assert following.start == entry.end
                    place = (entry.msn + 1, 0) if entry.segment_end else (entry.msn, entry.part + 1)
                    assert (following.msn, following.part) == place
                if isinstance(entry, Gap):
                    assert entry.duration <= PLAN.part_target_ms * TICKS_PER_MS
                    covered.append((entry.start, entry.end))
                    encoder = ""
                    continue
                assert entry.independent or encoder == entry.encoder, "a splice"
                encoder = entry.encoder
                shown.append(entry.digest)
        assert len(shown) == len(set(shown)), "each part once"
        wanted = [a.entry for a in appends if isinstance(a.entry, Part) and a.entry.rung == rung]
        assert shown == [part.digest for part in wanted if part.digest in set(shown)], "in order"
        for part in wanted:
            if part.digest not in set(shown):
                assert any(start <= part.start and part.end <= end for start, end in merged(covered)), part


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


weighted = st.sampled_from([Fault.NONE, Fault.NONE, *Fault, Fault.UNDURABLE])
harmless = weighted.filter(lambda fault: fault not in EMPTYING)


@given(
    faults=st.lists(harmless, max_size=60), sizes=st.lists(st.integers(1, 25), max_size=30), lag=st.integers(0, 8)
)  # fmt: skip
def test_a_log_that_fails_and_forgets_what_was_not_durable_loses_nothing(
    faults: list[Fault], sizes: list[int], lag: int
) -> None:
    appends = a_run(3, lag)

    async def run() -> None:
        log = FaultyLog(iter(faults))
        log.viewers.append(viewer := Viewer())
        writer = await write(log, [INITS, *batched(appends, sizes)])
        check(viewer, appends)
        assert len(viewer.logs) == 1
        assert [one.entry for one in viewer.logs[0][1:]] == [append.entry for append in [*INITS, *appends]]
        assert writer.progress == Progress(3 * SEGMENT, writer.progress.durable)

    asyncio.run(run())


@given(
    faults=st.lists(weighted, max_size=60),
    quiet=st.integers(0, 60),
    sizes=st.lists(st.integers(1, 25), max_size=30),
    lag=st.integers(0, 8),
)
@example(faults=[Fault.NONE, Fault.EMPTIED], quiet=25, sizes=[1, 1, 1, 1, 1, 1, 14], lag=8)
def test_a_log_that_also_forgets_everything_shows_the_rest_above_all_that_was_used(
    faults: list[Fault], quiet: int, sizes: list[int], lag: int
) -> None:
    appends = a_run(6, lag)

    async def run() -> None:
        log = FaultyLog(iter([Fault.NONE] * quiet + faults))
        log.viewers.append(viewer := Viewer())
        writer = await write(log, [INITS, *batched(appends, sizes)])
        check(viewer, appends)
        assert writer.published == 6 * SEGMENT
        assert writer.furthest == 6 * SEGMENT
        newest = [one.entry for one in viewer.logs[-1]]
        assert {entry.rung for entry in newest if isinstance(entry, Init)} == set(PLAN.rung_names)

    asyncio.run(run())


def one_by_one(appends: list[Append]) -> list[list[Append]]:
    return [[append] for append in appends]


async def test_an_emptied_log_is_opened_again_with_the_lost_segment_marked() -> None:
    log = FaultyLog(iter(()))
    log.viewers.append(viewer := Viewer())
    appends = a_run(5)
    third = 3 * len(PLAN.rung_names) * PARTS
    writer = await write(log, [INITS, *one_by_one(appends[: third + 7])])
    log.lose_all(RUN)
    before = counted("dropped_parts_total")
    for append in appends[third + 7 :]:
        await writer.append([append])
    rung = viewer.rung("720p")[-1]
    end = 4 * SEGMENT
    msn = 4 * end // SEGMENT
    assert [type(entry) for entry in rung[:PARTS]] == [Gap] * PARTS
    assert {(entry.msn, entry.segment_start) for entry in rung[:PARTS]} == {(msn, 3 * SEGMENT)}
    assert rung[PARTS - 1].segment_end
    assert rung[PARTS - 1].end == end
    assert [(e.msn, e.part, e.start) for e in rung[PARTS:]] == [
        (msn + 1, part, end + part * PLAN.part) for part in range(PARTS)
    ]
    assert counted("dropped_parts_total") - before == len(PLAN.rung_names) * PARTS - 7
    check(viewer, appends)
    newest = [one.entry for one in viewer.logs[-1]]
    assert newest[0] == START
    assert newest[1:4] == [append.entry for append in INITS]


async def test_a_log_that_lost_what_is_still_kept_gets_all_of_it_again() -> None:
    log = FaultyLog(iter(()))
    log.viewers.append(viewer := Viewer())
    appends = a_run(1)
    writer = await write(log, [INITS, *one_by_one(appends)])
    log.lose_all(RUN)
    await writer.append([made("720p", 1, 0)])
    (shown,) = viewer.logs
    assert [one.entry for one in shown] == [START, *(a.entry for a in [*INITS, *appends]), part_of("720p", 1)]


def part_of(rung: str, msn: int) -> Part:
    entry = made(rung, msn, 0).entry
    assert isinstance(entry, Part)
    return entry


async def test_a_writer_goes_on_after_a_higher_epoch_only_in_somebody_elses_stead() -> None:
    log = MemoryLog()
    writer = writer_of(log)
    await writer.take(0)
    await writer.append(INITS)
    for claim in (Claim(Epoch(2, 3), "session", "other"), Claim(Epoch(3, 1), "another", "other")):
        await log.takeover(RUN, claim, 0)
        with pytest.raises(Fenced):
            await writer.append([made("720p", 0, 0)])


async def test_another_writer_of_the_same_epoch_is_not_fought() -> None:
    log = MemoryLog()
    writer = writer_of(log)
    await log.takeover(RUN, Claim(Epoch(2, 2), "session", "other"), 0, open_new=True)
    with pytest.raises(Fenced):
        await writer.take(0)


async def test_a_fence_rolled_back_to_a_lower_epoch_is_taken_again() -> None:
    log = FaultyLog(iter(()))
    first = writer_of(log, Claim(Epoch(1, 1), "before", "first"))
    await first.take(0)
    await first.append(INITS)
    durable = log.durable
    second = writer_of(log)
    await second.take(0)
    log.durable = durable
    log.roll_back(RUN)
    before = counted("log_retakes_total", reason="rolled_back")
    await second.append([made("720p", 0, 0)])
    assert counted("log_retakes_total", reason="rolled_back") == before + 1


async def test_a_fence_rolled_back_amid_a_retake_is_taken_once_more() -> None:
    log = FaultyLog(iter(()))
    first = writer_of(log, Claim(Epoch(1, 1), "before", "first"))
    await first.take(0)
    await first.append(INITS)
    second = writer_of(log)
    log.faults = iter([Fault.NONE, Fault.UNDURABLE, Fault.AFTER, Fault.NONE, Fault.UNDURABLE, Fault.SILENT_ROLLBACK])
    await second.take(0)
    await second.append([made("720p", 0, 0)])
    assert {fault for _, fault in log.met} >= {Fault.AFTER, Fault.SILENT_ROLLBACK}
    assert (await log.read(RUN, Cursor(0, ""))).entries[-1].entry == part_of("720p", 0)


async def test_what_was_rolled_back_is_not_durable_before_it_is_there_again() -> None:
    log = FaultyLog(iter(()))
    writer = writer_of(log)
    await writer.take(0)
    await writer.append([*INITS, *(made(rung, 0, 0) for rung in PLAN.rung_names)])
    log.faults = iter([Fault.NONE, Fault.UNDURABLE])
    await writer.append([made(rung, 0, 1) for rung in PLAN.rung_names])
    log.faults = iter([Fault.ROLLED_BACK, *[Fault.NONE] * 4, Fault.UNDURABLE])
    progress = await writer.append([made("720p", 0, 2)])
    assert progress == Progress(2 * PLAN.part, PLAN.part)


async def test_a_log_that_holds_what_this_writer_does_not_know_ends_its_encoders() -> None:
    log = FaultyLog(iter(()))
    writer = writer_of(log)
    await writer.take(0)
    await writer.append(INITS)
    durable = log.durable
    await writer.append([made("720p", 0, 0)])
    log.durable = durable
    log.roll_back(RUN)
    stranger = Claim(Epoch(1, 1), "session", "stranger")
    held = log._runs[RUN]
    held._claim = stranger
    odd = made("360p", 0, 0)
    await MemoryLog.stage(log, RUN, stranger, 5, odd)
    with pytest.raises(Diverged):
        await writer.append([made("audio", 0, 0)])


async def test_a_log_that_lost_more_than_is_kept_ends_the_encoders() -> None:
    log = FaultyLog(iter(()))
    writer = writer_of(log)
    await writer.take(0)
    await writer.append([*INITS, made("720p", 0, 0)])
    durable = log.durable
    for append in a_run(4)[1:]:
        await writer.append([append])
    log.durable = durable
    log.roll_back(RUN)
    writer._floor = 0  # or the log would be known to be stale
    with pytest.raises(Diverged):
        await writer.append([made("720p", 4, 0)])


async def test_what_is_kept_is_the_last_three_seconds_and_all_that_is_not_durable() -> None:
    log = FaultyLog(iter(()))
    writer = writer_of(log)
    await writer.take(0)
    await writer.append(INITS)
    for append in a_run(4):
        await writer.append([append])
    kept = [append.entry for append in writer._tail.batch(writer._tail._before, 1 << 20)]
    assert len(kept) == len(PLAN.rung_names) * KEPT // PLAN.part
    assert all(isinstance(entry, Part) and entry.end > 4 * SEGMENT - KEPT for entry in kept)
    log.faults = iter([Fault.NONE, Fault.UNDURABLE, Fault.NONE] * 200)
    for msn in range(4, 8):
        for part in range(PARTS):
            await writer.append([made("720p", msn, part)])
    assert len(writer._tail.batch(writer._tail._before, 1 << 20)) == 4 * PARTS


async def test_a_log_behind_what_was_durable_is_asked_for_ten_seconds_and_then_given_up() -> None:
    log, time = MemoryLog(), Time()
    first = writer_of(log, Claim(Epoch(1, 1), "session", "first"))
    await first.take(0)
    await first.append(INITS)
    writer = writer_of(log, time=time)
    with pytest.raises(StaleLog):
        await writer.take(90_000)
    assert 10 <= time.now_s < 14


async def test_pauses_grow_to_two_seconds_for_as_long_as_the_log_does_not_answer() -> None:
    log, time = FaultyLog(iter([Fault.NONE] * 4 + [Fault.BEFORE] * 20)), Time()
    writer = writer_of(log, time=time)
    await writer.take(0)
    await writer.append(INITS)
    assert time.pauses[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert set(time.pauses[6:]) == {2.0}
    assert len(time.pauses) == 20


async def test_a_writer_that_nobody_waits_for_gives_a_silent_log_up() -> None:
    log, time = FaultyLog(iter([Fault.NONE] * 4 + [Fault.BEFORE] * 50)), Time()
    writer = writer_of(log, time=time)
    await writer.take(0)
    writer.hurry()
    with pytest.raises(Unreachable):
        await writer.append(INITS)
    assert 10 <= time.now_s < 14


async def test_a_place_that_the_log_refuses_twice_is_a_failure() -> None:
    log = MemoryLog()
    writer = writer_of(log)
    await writer.take(0)
    await writer.append([*INITS, made("720p", 0, 0)])
    with pytest.raises(OutOfStep) as refused:
        await writer.append([made("720p", 0, 2)])
    assert refused.value.kind == "position"


async def test_an_end_whose_answer_was_lost_is_an_end() -> None:
    log = FaultyLog(iter(()))
    writer = await write(log, [INITS, a_run(1)])
    log.faults = iter([Fault.NONE, Fault.NONE, Fault.AFTER])
    await writer.append([Append(End(SEGMENT))])
    reading = await log.read(RUN, Cursor(0, ""))
    assert reading.entries[-1].entry == End(SEGMENT)


@pytest.mark.parametrize("at_the_wait", [Fault.NONE, Fault.BEFORE, Fault.AFTER, Fault.ROLLED_BACK])
async def test_an_end_whose_answer_was_lost_outlives_a_failover(at_the_wait: Fault) -> None:
    log = FaultyLog(iter(()))
    writer = await write(log, [INITS, a_run(1)])
    log.faults = iter([Fault.NONE, Fault.NONE, Fault.AFTER, Fault.NONE, at_the_wait])
    await writer.append([Append(End(SEGMENT))])
    log.roll_back(RUN)
    reading = await log.read(RUN, Cursor(0, ""))
    assert reading.entries[-1].entry == End(SEGMENT)


async def test_the_time_without_all_replicas_is_counted() -> None:
    time = Time()
    log = FaultyLog(iter([Fault.NONE, Fault.UNDURABLE, *[Fault.NONE, Fault.UNDURABLE, Fault.NONE] * 2]))
    writer = writer_of(log, time=time)
    before = counted("run_undurable_seconds_total")
    await writer.take(0)
    time.now_s = 3.0
    await writer.append(INITS)
    time.now_s = 5.0
    assert (await writer.append(a_run(1))) == Progress(SEGMENT, 0)
    time.now_s = 6.0
    assert (await writer.append([made("720p", 1, 0)])).durable == SEGMENT
    time.now_s = 60.0
    await writer.append([made("720p", 1, 1)])
    assert counted("run_undurable_seconds_total") - before == pytest.approx(6.0)


async def test_how_long_the_oldest_entry_waited_for_all_replicas_is_told() -> None:
    time = Time()
    log = FaultyLog(iter([Fault.NONE, Fault.UNDURABLE, *[Fault.NONE, Fault.UNDURABLE, Fault.NONE] * 2]))
    writer = writer_of(log, time=time)
    waits, waited_s = counted("durable_delay_seconds_count"), counted("durable_delay_seconds_sum")
    await writer.take(0)
    assert writer.undurable_s == 0
    time.now_s = 3.0
    await writer.append(INITS)
    time.now_s = 5.0
    await writer.append(a_run(1))
    assert writer.undurable_s == 2.0
    time.now_s = 6.0
    await writer.append([made("720p", 1, 0)])
    assert writer.undurable_s == 0
    time.now_s = 60.0
    await writer.append([made("720p", 1, 1)])
    assert counted("durable_delay_seconds_count") - waits == 2
    assert counted("durable_delay_seconds_sum") - waited_s == pytest.approx(3.0 + 0.0)
    assert counted("log_appends") == 0
