"""A publisher that was lost and comes back joins the same run: one timeline, a marked hole, media that plays on."""

import asyncio
import os
import signal
from itertools import pairwise

import numpy as np
import pytest
from prometheus_client import REGISTRY

from headrace.core.broadcast import Claim, End, Gap, Init, Part, Plan, Refused, RunId, RunStart
from headrace.core.hls.playlist import RunModel
from headrace.core.media import TICKS_PER_S, Frame, Kind
from headrace.livelog.base import Append, Cursor, Staged, Taken, Unreachable
from headrace.livelog.memory import MemoryLog
from headrace.wire.media import Open
from tests.integration.transcoder.harness import (
    Clip,
    Recipe,
    decoded_audio,
    decoded_video,
    made,
    numbers,
    packets,
)
from tests.integration.transcoder.test_supervisor import RUN, entries, published, supervising, worker_of

SMALL = {"rungs": [{"height": 180}, {"height": 90}]}
BOTH = {"source": True, **SMALL}
LOST_AT = 6 * TICKS_PER_S
BACK_AT = 964 * TICKS_PER_S // 100
ANCHOR_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return made(Recipe(seconds=7, gop=50), tmp_path_factory.mktemp("media") / "clip.mp4")


def opening(clip: Clip, plan: Plan, session: int = 1, starts_at: int = 0, attempt: int = 1) -> Open:
    return Open(RUN, session, f"session {session}", attempt, 0, plan, clip.source, ANCHOR_MS, starts_at)


def again(clip: Clip, at: int) -> list[Frame]:
    """The clip as an edge numbers it when its publish starts at tick `at`: sound stays on the plan's grid."""
    sound = clip.source.audio
    assert sound is not None
    skipped = -(-at * sound.sample_rate // (TICKS_PER_S * sound.frame_samples)) * sound.frame_samples

    def moved(frame: Frame) -> Frame:
        if frame.kind is Kind.VIDEO:
            return frame._replace(dts=frame.dts + at, pts=frame.pts + at)
        sample = frame.sample + skipped
        tick = sample * TICKS_PER_S // sound.sample_rate
        return frame._replace(sample=sample, dts=tick, pts=tick)

    return [moved(frame) for frame in clip.frames]


def before_the_loss(clip: Clip) -> list[Frame]:
    """What came before the loss; the last picture in decode order is the last that is shown."""
    frames = [frame for frame in clip.frames if frame.dts < LOST_AT]
    while True:
        pictures = [frame for frame in frames if frame.kind is Kind.VIDEO]
        if sorted(frame.pts for frame in pictures) == clip.shown[: len(pictures)]:
            return frames
        frames.remove(pictures[-1])


async def first_session(log: MemoryLog, clip: Clip, plan: Plan, killed: bool) -> None:
    """Six seconds, then the edge says that it stopped, or the worker dies amid its work."""
    frames = before_the_loss(clip)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan))
        if not killed:
            await work.feed(frames)
            await work.hold(LOST_AT)
            return
        await work.feed(frames)
        async with asyncio.timeout(30):
            while (await anext_progress(work)) < 3 * TICKS_PER_S:
                pass
        os.kill(worker_of(supervisor, work), signal.SIGKILL)
        with pytest.raises(Refused):
            await work.hold(LOST_AT)


async def anext_progress(work: object) -> int:
    seen = work.progress  # type: ignore[attr-defined]
    progress = await work.next_progress(seen)  # type: ignore[attr-defined]
    return progress.published if progress else 1 << 62


@pytest.mark.parametrize("killed", [False, True], ids=["source lost", "worker lost too"])
@pytest.mark.parametrize("profile", [SMALL, "passthrough", BOTH], ids=["encoded", "passthrough", "both"])
async def test_a_second_session_goes_on_behind_a_hole(clip: Clip, profile: object, killed: bool) -> None:
    log, plan = MemoryLog(), clip.plan(profile)
    await first_session(log, clip, plan, killed)
    before = [entry for entry in await entries(log) if isinstance(entry, Part | Gap)]
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan, 2, BACK_AT))
        assert work.resume_from == BACK_AT
        await work.feed(again(clip, BACK_AT))
        await work.end()
    written = await entries(log)
    assert [entry for entry in written if isinstance(entry, RunStart)] == [RunStart(plan, ANCHOR_MS)]
    assert sorted(e.rung for e in written if isinstance(e, Init)) == sorted(plan.rung_names)
    assert written[-1] == End(BACK_AT + clip.end)
    cuts = set()
    for rung in plan.rung_names:
        placed = [e for e in written if isinstance(e, Part | Gap) and e.rung == rung]
        assert all(a.end == b.start for a, b in pairwise(placed))
        assert all(
            (b.msn, b.part) == ((a.msn + 1, 0) if a.segment_end else (a.msn, a.part + 1)) for a, b in pairwise(placed)
        )
        assert {entry.discontinuity for entry in placed} == {0}
        left = max(entry.end for entry in before if entry.rung == rung)
        hole = [entry for entry in placed if left <= entry.start < BACK_AT]
        assert all(isinstance(entry, Gap) for entry in hole)
        first = next(entry for entry in placed if entry.start == BACK_AT)
        assert isinstance(first, Part)
        assert (first.part, first.independent) == (0, True)
        assert not [e for e in placed if isinstance(e, Gap) and not min(left, LOST_AT) <= e.start < BACK_AT]
        cuts.add(tuple((entry.msn, entry.end) for entry in placed if entry.segment_end))
    if not killed:
        assert len(cuts) == 1
    assert len({tuple(cut for cut in each if cut[1] >= BACK_AT) for each in cuts}) == 1
    for video in plan.video:
        rung = video.name
        data = await published(log, rung)
        times = packets(data)
        assert all(a[0] < b[0] and a[0] + a[2] <= b[0] for a, b in pairwise(times))
        left = max(entry.end for entry in before if entry.rung == rung)
        fed = [f for f in before_the_loss(clip) if f.kind is Kind.VIDEO]
        # A passed-through sample is in the part where it is decoded.
        kept = sorted(f.pts for f in fed if (f.pts if video.encoding else f.dts + video.delta) < left)
        expected = kept + [pts + BACK_AT for pts in clip.shown]
        pictures = decoded_video(data)
        assert [pts for pts, _ in pictures] == expected
        assert numbers(pictures) == [*map(clip.shown.index, kept), *range(len(clip.shown))]
    await check_sound(log, plan)
    reading = await log.read(RUN, Cursor(0, ""))
    model = RunModel.read(reading.head, [(one.entry, one.id) for one in reading.entries if one.entry is not None])
    for rung in plan.rung_names:
        playlist = model.playlist(rung)
        assert playlist is not None
        assert any(segment.gap for segment in playlist.segments)
        assert not playlist.segments[-1].gap
        assert {segment.discontinuity for segment in playlist.segments} == {0}


async def check_sound(log: MemoryLog, plan: Plan) -> None:
    """Its units follow one another, lie on the grid, and sound from the first."""
    assert plan.audio is not None
    data = await published(log, "audio")
    times = packets(data)
    assert all(a[1] + a[2] <= b[1] for a, b in pairwise(times))
    assert {(pts - plan.audio.grid) % plan.audio.frame_samples for _, pts, _ in times} == {0}
    reading = await log.read(RUN, Cursor(0, ""))
    inits = [one.entry for one in reading.entries if isinstance(one.entry, Init) and one.entry.rung == "audio"]
    parts = [one.entry for one in reading.entries if isinstance(one.entry, Part) and one.entry.rung == "audio"]
    second = inits[0].data
    for part in parts:
        if part.start >= BACK_AT:
            second += await log.get(RUN, "audio", part.msn, part.part, part.encoder) or b""
    start, sound = decoded_audio(second)
    assert 0 <= start - BACK_AT * plan.audio.sample_rate // TICKS_PER_S <= plan.audio.frame_samples
    assert float(np.sqrt(np.mean(sound[0, 1200:2000] ** 2))) > 0.2


async def test_another_attempt_at_a_second_session_goes_on_from_what_is_logged(clip: Clip) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    await first_session(log, clip, plan, killed=False)
    frames = again(clip, BACK_AT)
    half = next(i for i, f in enumerate(frames) if f.keyframe and f.kind is Kind.VIDEO and f.pts > BACK_AT)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan, 2, BACK_AT))
        await work.feed(frames[:half])
        await work.hold(frames[half].pts)
        holes = [entry for entry in await entries(log) if isinstance(entry, Gap)]
        work = await supervisor.take(opening(clip, plan, 2, BACK_AT, attempt=2))
        await work.feed(frames)
        await work.end()
    assert [entry for entry in await entries(log) if isinstance(entry, Gap)] == holes
    assert numbers(decoded_video(await published(log, "180p")))[-len(clip.shown) :] == [*range(len(clip.shown))]


async def test_what_lies_before_the_session_is_dropped_and_counted(clip: Clip) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    await first_session(log, clip, plan, killed=False)
    labels = {"reason": "before_the_session"}
    before = REGISTRY.get_sample_value("headrace_transcoder_dropped_frames_total", labels) or 0
    early = [frame for frame in again(clip, BACK_AT - TICKS_PER_S) if frame.pts < BACK_AT]
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan, 2, BACK_AT))
        await work.feed([*early, *again(clip, BACK_AT)])
        await work.end()
    counted = REGISTRY.get_sample_value("headrace_transcoder_dropped_frames_total", labels) or 0
    assert counted - before == len(early)
    assert numbers(decoded_video(await published(log, "180p")))[-len(clip.shown) :] == [*range(len(clip.shown))]


async def test_other_settings_than_the_run_began_with_are_refused(
    clip: Clip, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = made(Recipe(seconds=2, width=160, height=90), tmp_path_factory.mktemp("media") / "other.mp4")
    log, plan = MemoryLog(), clip.plan("passthrough")
    await first_session(log, clip, plan, killed=False)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(other, plan, 2, BACK_AT))
        with pytest.raises(Refused, match="settings of source are not those that the run began with"):
            await work.end()


async def test_a_session_in_a_log_that_knows_nothing_starts_above_all_that_was_used(clip: Clip) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan, 2, BACK_AT))
        await work.feed(again(clip, BACK_AT))
        await work.end()
    placed = [entry for entry in await entries(log) if isinstance(entry, Part | Gap)]
    assert not [entry for entry in placed if isinstance(entry, Gap)]
    firsts = {next((e.msn, e.part, e.start) for e in placed if e.rung == rung) for rung in plan.rung_names}
    assert firsts == {(-(-4 * BACK_AT // plan.segment), 0, BACK_AT)}


async def test_a_hole_that_no_continuation_window_allows_is_refused(clip: Clip) -> None:
    log, plan = MemoryLog(), clip.plan(SMALL)
    await first_session(log, clip, plan, killed=False)
    async with supervising(log) as supervisor:
        with pytest.raises(Refused, match="more than 60 s"):
            await supervisor.take(opening(clip, plan, 2, 70 * TICKS_PER_S))


class Silent(MemoryLog):
    """A log that does not answer for a while, and then has lost what was not waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = True
        self.asked = 0
        self.asked_often = asyncio.Event()

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        if not self.answers:
            raise Unreachable("no answer")
        return await super().stage(run, claim, n, *appends)

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        self.asked += 1
        if self.asked > 4:
            self.asked_often.set()
        if not self.answers:
            raise Unreachable("no answer")
        return await super().takeover(run, claim, floor, open_new=open_new)


async def test_a_log_that_does_not_answer_costs_no_picture_and_does_not_stop_the_worker(clip: Clip) -> None:
    log, plan = Silent(), clip.plan(SMALL)
    async with supervising(log) as supervisor:
        work = await supervisor.take(opening(clip, plan))
        await work.feed(clip.frames[:100])
        assert await anext_progress(work) >= 0
        log.answers = False
        await work.feed(clip.frames[100:])
        async with asyncio.timeout(20):
            await log.asked_often.wait()
        assert work._made.held_bytes > 0, "the worker goes on"
        log.answers = True
        await work.end()
    assert numbers(decoded_video(await published(log, "180p"))) == [*range(len(clip.shown))]
    assert not [entry for entry in await entries(log) if isinstance(entry, Gap)]
