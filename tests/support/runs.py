"""Made-up runs: log entries with chained ids, and a log that plays them back.

Law: boundaries lie on the plan's grid, part bytes are a function of their place, so every test can say what to expect.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from headrace.core.broadcast import (
    AudioSource,
    End,
    Entry,
    Gap,
    Init,
    Part,
    Plan,
    Profile,
    RunId,
    RunStart,
    Source,
    StreamId,
    VideoSource,
    make_plan,
)
from headrace.core.media import TICKS_PER_S
from headrace.livelog.base import Cursor, NoRun, Published, Reading

ANCHOR_MS = 1_772_366_400_123  # 2026-03-01T12:00:00.123Z
ENCODER = "e1"
Recorded = list[tuple[Entry, str]]


def plan_of(profile: str | Profile = "auto", *, audio: bool = True, window_s: int | None = None) -> Plan:
    """The plan of a 1080p25 source with stereo sound."""
    asked = profile if isinstance(profile, Profile) else Profile.parse(profile)
    if window_s is not None:
        asked = Profile(source=asked.source, auto=asked.auto, rungs=asked.rungs, window_s=window_s)
    video = VideoSource("avc1", b"avcC", 1920, 1080, Fraction(1), Fraction(25), first_segment=2 * TICKS_PER_S)
    return make_plan(asked, Source(video, AudioSource("mp4a", b"asc", 48_000, 2, 1024) if audio else None))


def init_of(plan: Plan, rung: str, build: str = "") -> Init:
    """The rung's init; another `build` gives other bytes."""
    data = f"init {rung} {build}".encode()
    for video in plan.video:
        if video.name == rung:
            return Init(rung, "avc1.64001f", data, video.width, video.height, video.frame_rate)
    return Init(rung, "mp4a.40.2", data, channels=2)


def part_bytes(rung: str, msn: int, part: int) -> bytes:
    """What a part is made of."""
    return f"<{rung} {msn}.{part}>".encode() * 20


def parts_of(
    plan: Plan,
    rung: str,
    msn: int,
    *,
    gaps: Collection[int] = (),
    filled: Collection[int] = (),
    independent: Collection[int] = (),
    discontinuity: int = 0,
    count: int = 6,
    of: int = 6,
    encoder: str = ENCODER,
) -> list[Entry]:
    """The first `count` of a segment's `of` parts; those in `gaps` are missing, those in `filled` listed as gaps.

    The first is independent, those in `independent` are too, and of audio all.
    """
    base = msn * plan.segment
    entries: list[Entry] = []
    for number in range(count):
        start, end = base + number * plan.segment // of, base + (number + 1) * plan.segment // of
        last = number == of - 1
        if number in gaps or number in filled:
            goes_on = encoder if number in filled else ""
            entries.append(Gap(rung, msn, number, start, end, base, True, last, discontinuity, goes_on))
            continue
        data = part_bytes(rung, msn, number)
        digest = hashlib.sha256(data).hexdigest()[:16]
        opens = number == 0 or number in independent or rung == "audio"
        entries.append(
            Part(rung, msn, number, start, end, base, True, opens, len(data), digest, encoder, last, discontinuity)
        )
    return entries


def start_of(plan: Plan) -> list[Entry]:
    """What every run's log begins with."""
    return [RunStart(plan, ANCHOR_MS), *(init_of(plan, rung) for rung in plan.rung_names)]


def whole_run(plan: Plan, segments: int, *, ended: bool = False) -> list[Entry]:
    """`segments` whole segments of every rung, rung after rung."""
    entries = start_of(plan)
    for msn in range(segments):
        for rung in plan.rung_names:
            entries += parts_of(plan, rung, msn)
    return [*entries, End(segments * plan.segment)] if ended else entries


def chained(entries: Sequence[Entry]) -> Recorded:
    """Entries with their chained ids."""
    recorded: Recorded = []
    last = ""
    for entry in entries:
        last = hashlib.sha1((last + repr(entry)).encode(), usedforsecurity=False).hexdigest()
        recorded.append((entry, last))
    return recorded


@dataclass
class PlaybackLog:
    """A log of runs that a test fills, with the reading half of `LiveLog`."""

    runs: dict[RunId, list[Published]] = field(default_factory=dict)
    newest: dict[StreamId, RunId] = field(default_factory=dict)
    expired: set[tuple[str, int]] = field(default_factory=set)  # (rung, MSN)
    failures: list[Exception] = field(default_factory=list)  # raised one by one, by whatever is called next
    calls: dict[str, int] = field(default_factory=dict)
    trimmed: int = 0  # entries that no reading shows any more
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def append(self, run: str, *entries: Entry) -> None:
        """Publish `entries` at the end of `run`."""
        held = self.runs.setdefault(RunId(run), [])
        for entry in entries:
            last = held[-1].id if held else ""
            chain = hashlib.sha1((last + repr(entry)).encode(), usedforsecurity=False).hexdigest()
            held.append(Published(len(held) + 1, chain, entry))
        async with self._changed:
            self._changed.notify_all()

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        """As `LiveLog.read`."""
        self._called("read")
        held = self.runs.get(run)
        if held is None:
            raise NoRun(run)
        window = held[self.trimmed :]
        after = Cursor(held[-1].n, held[-1].id)
        if max(1, self.trimmed) <= cursor.n <= len(held) and held[cursor.n - 1].id == cursor.id:
            return Reading(tuple(held[cursor.n :]), after)
        newest: dict[str, Entry] = {}
        for each in held:
            if isinstance(each.entry, RunStart):
                newest[""] = each.entry
            elif isinstance(each.entry, Init):
                newest[each.entry.rung] = each.entry
        return Reading(tuple(window), after, whole=True, head=tuple(newest.values()))

    async def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        """As `LiveLog.follow`."""
        self._called("follow")
        while True:
            reading = await self.read(run, cursor)
            cursor = reading.cursor
            yield reading
            if any(isinstance(each.entry, End) for each in reading.entries):
                return
            async with self._changed:
                while not self.failures and self.runs[run][-1].n <= cursor.n:
                    await self._changed.wait()

    async def current(self, stream: StreamId) -> RunId | None:
        """As `LiveLog.current`."""
        self._called("current")
        return self.newest.get(stream)

    async def get(self, run: RunId, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        """As `LiveLog.get`."""
        self._called("get")
        await asyncio.sleep(0)
        return None if (rung, msn) in self.expired or encoder != ENCODER else part_bytes(rung, msn, part)

    async def fail(self, error: Exception) -> None:
        """Let the next call, or whoever follows now, meet `error`."""
        self.failures.append(error)
        async with self._changed:
            self._changed.notify_all()

    def _called(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.failures:
            raise self.failures.pop(0)
