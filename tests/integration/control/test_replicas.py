"""Two replicas of control over one PostgreSQL: whoever is asked, the rows decide."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from headrace.control.db import migrate
from headrace.control.keys import new_session_id
from headrace.control.service import ControlSettings, Service, build
from headrace.core.broadcast import Claim, End, Epoch, Refused, RunId, RunStart, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Append, Cursor
from headrace.livelog.memory import MemoryLog
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.channel import open_channel
from headrace.wire.control import (
    Allocated,
    FleetClient,
    HeldSession,
    OpenedSession,
    PodKind,
    PodReport,
    ReleaseReason,
    SessionReport,
    SessionsClient,
)
from headrace.wire.replicas import Replicas
from tests.support.postgres import Postgres
from tests.unit.control.support import API_KEY, SOURCE, Place, exists
from tests.unit.control.test_accounts import COST

T = TypeVar("T")

PEER = "192.0.2.1:5000"
ROOM = 6  # runs that a transcoder has room for


class Cluster:
    """Two replicas, and what pods tell both: transcoders their runs, one edge its sessions."""

    def __init__(self, services: list[Service], targets: list[str], log: MemoryLog, transcoders: int) -> None:
        self.services = services
        self.targets = targets
        self.log = log
        self.runs: dict[str, set[RunId]] = {f"t{number}": set() for number in range(transcoders)}
        self.sessions: set[str] = set()
        self.edges: list[SessionsClient] = []

    def reports(self) -> list[Callable[[], PodReport]]:
        """One for each pod."""

        def transcoder(pod: str) -> Callable[[], PodReport]:
            def say() -> PodReport:
                runs = tuple(sorted(self.runs[pod]))
                return PodReport(pod, f"unix:/{pod}", "1", True, ROOM * COST, len(runs) * COST, runs)

            return say

        def edge() -> PodReport:
            held = tuple(SessionReport(one, 0) for one in sorted(self.sessions))
            return PodReport("edge-1", "", "1", True, 0, 0, (), PodKind.EDGE, "", held)

        return [edge, *map(transcoder, self.runs)]

    async def create(self, name: str) -> tuple[str, StreamKey]:
        """A stream's id and key."""
        transport = httpx.ASGITransport(self.services[0].http_app)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://control", headers=headers) as http:
            made = (await http.post("/v1/streams", json={"name": name})).json()
            return made["id"], StreamKey(made["stream_key"])

    async def publish(self, key: StreamKey, replica: int = 0) -> tuple[OpenedSession, Allocated]:
        """A publish up to its first entry in the log. Raises Refused."""
        edge, session_id = self.edges[replica], new_session_id()
        self.sessions.add(session_id)
        try:
            opened = await patiently(lambda: edge.open_session("live", key, "edge-1", PEER, session_id))
            allocated = await patiently(lambda: edge.allocate(session_id, SOURCE, opened.anchor_ms or unix_ms()))
        except Refused:
            self.sessions.discard(session_id)
            raise
        self.runs[allocated.transcoders[0].removeprefix("unix:/")].add(opened.run)
        claim = Claim(Epoch(opened.session, 1), opened.session_id, "writer")
        taken = await self.log.takeover(opened.run, claim, 0, open_new=True)
        if not taken.n:
            await self.log.stage(opened.run, claim, 1, Append(RunStart(allocated.plan, unix_ms())))
        return opened, allocated

    def leave(self, opened: OpenedSession) -> None:
        """The edge and the transcoder have let go of it."""
        self.sessions.discard(opened.session_id)
        for runs in self.runs.values():
            runs.discard(opened.run)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again where control has no time or no room now: on a busy machine that is a question of time."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await ask()
            except Refused as refused:
                if refused.reason not in (Reason.UNAVAILABLE, Reason.NO_CAPACITY):
                    raise
            await asyncio.sleep(0.1)


@asynccontextmanager
async def cluster(place: Place, folder: Path, transcoders: int) -> AsyncIterator[Cluster]:
    """Two replicas that have heard everybody."""
    log, services, targets = MemoryLog(), [], []
    for number in range(2):
        target = f"unix:{folder}/control-{number}.sock"
        settings = ControlSettings(database_url=place.url, api_key=SecretStr(API_KEY), control_target=target)
        services.append(build(settings, log=log))
        targets.append(target)
    made = Cluster(services, targets, log, transcoders)

    async def report(target: str, say: Callable[[], PodReport]) -> None:
        async def reports() -> AsyncIterator[PodReport]:
            while True:
                yield say()
                await asyncio.sleep(0.2)

        channel = open_channel(target)
        try:
            await FleetClient(channel).report(reports())
        finally:
            await channel.close()

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        running = [group.create_task(service.run()) for service in services]
        async with asyncio.timeout(10):
            for target in targets:
                while not exists(Path(target.removeprefix("unix:"))):  # noqa: ASYNC110  # a file sets no event
                    await asyncio.sleep(0.01)
        telling = [group.create_task(report(target, say)) for target in targets for say in made.reports()]
        for target in targets:
            made.edges.append(SessionsClient(await stack.enter_async_context(Replicas(target))))
        await asyncio.sleep(0.5)
        try:
            yield made
        finally:
            for task in telling:
                task.cancel()
            for service in services:
                service.stop()
            await asyncio.wait(running)


async def until(place: Place, query: str, rows: list[tuple[object, ...]], seconds: float) -> None:
    """Wait until the rows are as expected."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (found := place.execute(query)) != rows:
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.1)


async def test_of_two_hundred_publishes_of_a_hundred_keys_a_hundred_are_accepted(place: Place, tmp_path: Path) -> None:
    over = "SELECT id, held, capacity FROM pods WHERE held > capacity"
    uneven = "SELECT id FROM pods WHERE held <> (SELECT coalesce(sum(cost), 0) FROM allocations WHERE pod = pods.id)"
    async with cluster(place, tmp_path, transcoders=20) as parts:
        keys = [(await parts.create(f"stream {number}"))[1] for number in range(100)]
        accepted: list[OpenedSession] = []
        refused: list[Reason] = []

        async def attempt(key: StreamKey, replica: int) -> None:
            try:
                accepted.append((await parts.publish(key, replica))[0])
            except Refused as error:
                refused.append(error.reason)

        with psycopg.connect(place.url.replace("+psycopg", ""), autocommit=True) as watching:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(attempt(key, replica)) for key in keys for replica in (0, 1)]
                while not all(task.done() for task in tasks):
                    assert watching.execute(over).fetchall() == []
                    await asyncio.sleep(0.05)
        assert len(accepted) == len({one.stream for one in accepted}) == 100
        assert refused == [Reason.BUSY] * 100
        assert place.execute(over) == place.execute(uneven) == []
        assert place.execute("SELECT count(*), sum(cost) FROM allocations") == [(100, 100 * COST)]
        await asyncio.sleep(2.5)
        for number, one in enumerate(accepted):
            parts.leave(one)
            await parts.edges[number % 2].release(one.session_id, ReleaseReason.ENDED, flushed=True)
        await until(place, "SELECT count(*) FROM allocations", [(0,)], 30)
        assert place.execute("SELECT DISTINCT held FROM pods") == [(0,)]


@pytest.fixture
async def yesterday(
    postgres: Postgres, tmp_path: Path
) -> AsyncIterator[tuple[Place, list[StreamKey], Callable[[], None]]]:
    """A database, the keys of its three streams, and how it is set back to now. The first stream is live now."""
    name, copy = await postgres.migrated(migrate), ""
    place = Place(postgres.url(name))
    async with cluster(place, tmp_path, transcoders=1) as parts:
        keys = [(await parts.create(f"stream {number}"))[1] for number in range(3)]
        await parts.publish(keys[0])
    copy = f"{name}_copy"
    postgres.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")

    def restore() -> None:
        postgres.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        postgres.execute(f"ALTER DATABASE {name} RENAME TO {name}_lost")
        postgres.execute(f"ALTER DATABASE {copy} RENAME TO {name}")

    yield place, keys, restore
    postgres.drop(name)
    postgres.drop(f"{name}_lost")


async def test_a_database_of_yesterday_blocks_no_live_run(
    yesterday: tuple[Place, list[StreamKey], Callable[[], None]], tmp_path: Path
) -> None:
    place, keys, restore = yesterday
    async with cluster(place, tmp_path, transcoders=2) as parts:
        keys = [*keys, (await parts.create("made today"))[1]]
        await asyncio.sleep(3.5)  # then a replica knows everybody
        live = [await parts.publish(key, number % 2) for number, key in enumerate(keys)]
        for opened, _ in live[1:3]:  # these have been moved often
            claim = Claim(Epoch(opened.session + 5, 1), opened.session_id, "writer")
            await parts.log.takeover(opened.run, claim, 0)
        await asyncio.sleep(2.5)
        restore()
        held = [
            HeldSession(
                one.session_id, one.stream, one.run, one.session, PEER, unix_ms(), allocated.plan, SOURCE,
                allocated.transcoders[0],
            )
            for one, allocated in live
        ]  # fmt: skip

        async def renewed(edge: SessionsClient) -> list[bool]:
            async with asyncio.timeout(20):
                while True:
                    with suppress(Refused):  # for a moment nothing is known: the edge keeps all
                        return [verdict.held for verdict in await edge.renew("edge-1", held)]
                    await asyncio.sleep(0.2)

        for edge in (*parts.edges, parts.edges[0]):
            assert await renewed(edge) == [True] * 4
        states = "SELECT count(*) FROM sessions WHERE state = 'active'"
        assert place.execute(states) == [(3,)]  # nobody knows the stream of the fourth
        for number, key in enumerate(keys[:3]):
            with pytest.raises(Refused) as caught:
                await parts.edges[number % 2].open_session("live", key, "edge-2", PEER, new_session_id())
            assert caught.value.reason is Reason.BUSY
        sums = "SELECT id FROM pods WHERE held <> (SELECT coalesce(sum(cost), 0) FROM allocations WHERE pod = pods.id)"
        await until(place, "SELECT count(*) FROM allocations", [(4,)], 30)
        assert place.execute(sums) == []

        (one, _), (two, _), (three, _), _ = live
        await parts.edges[1].release(one.session_id, ReleaseReason.ENDED, flushed=True)
        assert await ended(parts.log, one.run)
        await parts.edges[0].release(two.session_id, ReleaseReason.LOST, flushed=True)
        again, _ = await parts.publish(keys[1], 1)
        assert (again.run, again.plan is not None) == (two.run, True)
        assert again.session > two.session + 5
        await parts.edges[0].release(three.session_id, ReleaseReason.FAILED, flushed=True)
        assert await ended(parts.log, three.run)
        assert (await parts.publish(keys[2], 0))[0].run != three.run


async def ended(log: MemoryLog, run: RunId) -> bool:
    """Whether the run has its end in the log."""
    reading = await log.read(run, Cursor(0, ""))
    return any(isinstance(published.entry, End) for published in reading.entries)
