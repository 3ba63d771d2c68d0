"""What control's tests share: a service without sockets, and a log that remembers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine

from headrace.control.accounts import Accounts
from headrace.control.auth import Auth
from headrace.control.db import Database, migrate
from headrace.control.db.tables import metadata
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.http import create_app
from headrace.control.leases import Leases
from headrace.control.pods import Pods
from headrace.control.registry import Registry
from headrace.control.sessions import Sessions
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import (
    AudioSource,
    Claim,
    End,
    Entry,
    Profile,
    RunId,
    Source,
    StreamId,
    StreamKey,
    VideoSource,
)
from headrace.livelog.base import (
    Append,
    Cursor,
    Fenced,
    LogError,
    NoRun,
    Reading,
    RunEnded,
    RungPosition,
    Staged,
    Taken,
)
from headrace.runtime.aio.tasks import beside
from headrace.wire.control import PodKind, PodReport, SessionReport

API_KEY = "test-api-key-of-enough-bits"
SOURCE = Source(
    VideoSource("avc1", b"\x01", 1280, 720, Fraction(1), Fraction(30)),
    AudioSource("mp4a", b"\x12\x10", 48_000, 2, 1024),
)


@dataclass
class RunLog:
    """One run in the log, as far as control writes it."""

    claim: Claim
    rungs: dict[str, RungPosition] = field(default_factory=dict)
    staged: list[Entry] = field(default_factory=list)
    publishes: list[int] = field(default_factory=list)
    safe: int = 0  # what was published when somebody last waited

    @property
    def published(self) -> int:
        """The last integer that readers see."""
        return max(self.publishes, default=0)


class FakeLog:
    """The part of a live log that control uses, in memory. `broken`: every call fails, with `failure`."""

    def __init__(self, *, in_process: bool = False) -> None:
        self.in_process = in_process
        self.runs: dict[RunId, RunLog] = {}
        self.newest: dict[StreamId, RunId] = {}
        self.broken = False
        self.failure = LogError("broken")

    def open(self, run: RunId, claim: Claim, *starts: int) -> None:
        """A transcoder writes `run`: one rung for each next part's start, ticks."""
        rungs = {f"r{i}": RungPosition(3, 0, start, start, True, "e") for i, start in enumerate(starts)}
        self.runs[run] = RunLog(claim, rungs)

    def end_of(self, run: RunId) -> End | None:
        """The run's published end."""
        log = self.runs[run]
        return next((e for e in log.staged[: log.published] if isinstance(e, End)), None)

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        if open_new and not self.broken and run not in self.runs:
            self.open(run, claim)
            return Taken(0, 0, "")
        log = self._run(run)
        if self.end_of(run):
            raise RunEnded
        if claim.epoch <= log.claim.epoch and claim != log.claim:
            raise Fenced(log.claim.epoch)
        log.claim = claim
        return Taken(len(log.staged), log.published, "", log.rungs)

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        log = self._run(run)
        assert claim == log.claim
        if any(isinstance(e, End) for e in log.staged):
            raise RunEnded
        assert n == len(log.staged) + 1
        log.staged += [append.entry for append in appends]
        return Staged(len(log.staged), "")

    async def wait(self, run: RunId) -> bool:
        log = self._run(run)
        log.safe = log.published
        return True

    async def publish(self, run: RunId, claim: Claim, n: int) -> None:
        log = self._run(run)
        assert claim == log.claim
        log.publishes.append(n)

    async def set_current(self, newest: Mapping[StreamId, RunId]) -> None:
        if self.broken:
            raise self.failure
        self.newest.update(newest)

    async def current(self, stream: StreamId) -> RunId | None:
        return self.newest.get(stream)

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        raise AssertionError("control reads no entries")

    def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        raise AssertionError("control reads no entries")

    def _run(self, run: RunId) -> RunLog:
        if self.broken:
            raise self.failure
        if run not in self.runs:
            raise NoRun
        return self.runs[run]


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Control:
    """Control's parts, joined as `service` joins them."""

    settings: ControlSettings
    database: Database
    log: FakeLog
    clock: Clock
    auth: Auth
    fleet: Fleet
    accounts: Accounts
    leases: Leases
    endings: Endings
    sessions: Sessions
    registry: Registry
    pods: Pods = field(default_factory=lambda: Pods(3.0, lambda: 0.0, lambda: 0))

    def report(self, *runs: RunId, pod: str = "t1", capacity: int = 10**9, used: int = 0, ready: bool = True) -> None:
        """A transcoder says what it does."""
        self.fleet.report(PodReport(pod, f"unix:/{pod}", "1", ready, capacity, used, runs))

    def edge(self, *sessions: str, idle_ms: int = 0, pod: str = "edge-1", zone: str = "") -> None:
        """An edge says which sessions it holds."""
        held = tuple(SessionReport(one, idle_ms) for one in sessions)
        self.fleet.report(PodReport(pod, "", "1", True, 0, 0, (), PodKind.EDGE, zone, held))

    async def stream(self, name: str = "a stream") -> tuple[StreamId, StreamKey]:
        """A new stream."""
        stream, key = await self.registry.create(name, "auto", Profile.parse("auto"), None)
        return stream.id, key

    async def state(self, stream: StreamId) -> str:
        """Its state, as the API shows it."""
        return (await self.registry.get(stream)).state.value

    def client(self, **headers: str) -> httpx.AsyncClient:
        """An HTTP client without a socket; it sends the API key unless `headers` say otherwise."""
        app = create_app(self.settings, self.registry, self.auth, lambda: "", self.pods, self.fleet)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        given = headers or {"Authorization": f"Bearer {API_KEY}"}
        return httpx.AsyncClient(transport=transport, base_url="http://control", headers=given)


class Place:
    """A database that one test has for itself, as migrations left it."""

    def __init__(self, url: str, folder: Path | None = None) -> None:
        self.url = url
        self._folder = folder  # of its files, where it is files

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement behind control's back, and its rows."""
        engine = create_engine(self.url.replace("+aiosqlite", ""))
        try:
            with engine.begin() as connection:
                result = connection.exec_driver_sql(statement)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def contents(self) -> bytes:
        """Everything that is kept: the bytes of its files, or every value of every row."""
        if self._folder is not None:
            return read(self._folder)
        rows = [row for table in metadata.tables for row in self.execute(f"SELECT * FROM {table}")]
        return b"\n".join(v if isinstance(v, bytes) else str(v).encode() for row in rows for v in row)


_fresh: list[bytes] = []  # the database as migrated, so that it is migrated once and copied


async def place_on_sqlite(folder: Path) -> Place:
    """A migrated database in `folder`."""
    file = folder / "control.sqlite3"
    url = f"sqlite+aiosqlite:///{file}"
    if _fresh:
        file.write_bytes(_fresh[0])  # a test has nothing else to do meanwhile
    else:
        await migrate(url)
        _fresh.append(read(folder))
    return Place(url, folder)


def read(folder: Path) -> bytes:
    """Every byte of the files in `folder`."""
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def exists(file: Path) -> bool:
    """Whether `file` is there."""
    return file.exists()


@asynccontextmanager
async def control(place: Place, *, in_process: bool = False, **settings: float) -> AsyncIterator[Control]:
    """Control on the database of `place`, with some settings of its own."""
    url = place.url
    chosen = ControlSettings(database_url=url, api_key=SecretStr(API_KEY)).model_copy(update=settings)
    database, log, clock = Database(url), FakeLog(in_process=in_process), Clock()
    fleet = Fleet(chosen.fleet_silence_s, clock)
    accounts = Accounts(database, fleet, clock)
    leases = Leases(chosen.lease_s, chosen.fleet_silence_s, database, fleet, clock)
    endings = Endings(chosen, database, log, leases)
    sessions = Sessions(chosen, database, log, fleet, accounts, leases, endings)
    try:
        async with beside(sessions.run()):
            yield Control(
                chosen,
                database,
                log,
                clock,
                Auth(API_KEY, clock),
                fleet,
                accounts,
                leases,
                endings,
                sessions,
                Registry(database, endings, API_KEY),
            )
    finally:
        await database.close()


@pytest.fixture
async def parts(place: Place) -> AsyncIterator[Control]:
    """Control with one transcoder that has room."""
    async with control(place) as made:
        made.report()
        yield made
