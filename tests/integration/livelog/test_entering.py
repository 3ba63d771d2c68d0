"""How servers are entered: passwords, several cells; and what is said of servers that are set up wrongly."""

import asyncio
from collections.abc import Iterator

import pytest

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.base import NoRun, Unreachable
from headrace.livelog.cell import Access, Address
from headrace.livelog.redis.checks import complaints
from headrace.livelog.redis.connection import Link
from tests.support.log_contract import Writer, claim_of, everything, part_at
from tests.support.redis import Pair, Server
from tests.support.redis_logs import opened
from tests.support.stack import eventually

PASSWORD = "s3cret:of/the@log"
QUOTED = "s3cret%3Aof%2Fthe%40log"


@pytest.fixture
def guarded() -> Iterator[Server]:
    with Server() as server:
        server.ask("ACL", "SETUSER", "writer", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        server.ask("ACL", "SETUSER", "default", "resetpass", "nopass", "-@all", "+ping", "+acl")
        yield server


async def test_a_user_and_a_password_are_taken_from_the_url(guarded: Server) -> None:
    async with opened(f"redis://writer:{QUOTED}@127.0.0.1:{guarded.port}") as log:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0))
        assert await log.get(RunId("run"), "720p", 0, 0, "e1") is not None
        assert len((await everything(log)).entries) == writer.n


@pytest.mark.parametrize("user", [f"writer:{PASSWORD[:6]}%3Awrong@", ""])
async def test_who_may_not_enter_is_told_so_without_the_password(guarded: Server, user: str) -> None:
    async with opened(f"redis://{user}127.0.0.1:{guarded.port}") as log:
        with pytest.raises(Unreachable) as refused:
            await log.takeover(RunId("run"), claim_of(), 0, open_new=True)
        assert "password" in str(refused.value) or "permission" in str(refused.value).lower()
        assert "s3cret" not in str(refused.value)


async def test_an_entry_is_not_staged_where_its_bytes_were_refused(guarded: Server) -> None:
    async with opened(f"redis://writer:{QUOTED}@127.0.0.1:{guarded.port}") as log:
        writer = Writer(log)
        await writer.open()
        guarded.ask("ACL", "SETUSER", "writer", "-set")
        with pytest.raises(Unreachable):
            await writer.stage(part_at("720p", 0, 0))
        taken = await log.takeover(writer.run, claim_of(take=2), 0)
        assert (taken.n, taken.rungs) == (writer.n, {})


async def test_a_run_lives_in_the_cell_that_its_id_names(server: Server, pair: Pair) -> None:
    server.empty()
    pair.primary.empty()
    async with opened(f"a={server.url} b={pair.url}") as log:
        assert log.cells == ("a", "b")
        assert not log.in_process
        for run in ("a-run", "b-run"):
            await Writer(log, run=RunId(run)).open()
        assert len((await everything(log, RunId("a-run"))).entries) == 4
        for each, key in ((server, b"{a-run}:h"), (pair.primary, b"{b-run}:h")):
            assert each.ask("KEYS", "*:h") == [key]
        for unknown in ("c-run", "run"):
            with pytest.raises(NoRun):
                await log.read(RunId(unknown), (await everything(log, RunId("a-run"))).cursor)


async def test_of_several_cells_the_newest_run_of_a_stream_wins_and_a_dead_cell_is_left_out(pair: Pair) -> None:
    pair.primary.empty()
    stream, unknown = StreamId("stream"), StreamId("another")
    with Server() as server:
        async with opened(f"a={server.url} b={pair.url}") as log:
            await log.set_current({stream: RunId("a-run")})
            assert await log.current(stream) == "a-run"
            await log.set_current({stream: RunId("b-run")})
            pair.primary.ask("SET", "current:stream", f"{10**14} b-run")
            assert await log.current(stream) == "b-run"
            assert await log.current(unknown) is None
            server.kill()
            assert await log.current(stream) == "b-run"
            with pytest.raises(Unreachable):
                await log.current(unknown)  # perhaps the one that is away knows it
            await Writer(log, run=RunId("b-run")).open()


async def test_a_log_says_in_words_how_its_servers_are_set_up_wrongly(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    link = await Link.open(Address("127.0.0.1", server.port), Access(), 2)
    assert await complaints(link, 0) == []
    said = await complaints(link, 1)
    assert [sentence.split()[0] for sentence in said] == [
        "it",
        "repl-backlog-size",
        "client-output-buffer-limit",
        "nothing",
    ]
    link.close()


@pytest.mark.parametrize(
    ("cell", "warned"),
    [
        ("redis://writer:hidden@log.invalid:6379", True),
        ("rediss://writer:hidden@log.invalid:6379", False),
        ("redis://writer:hidden@127.0.0.1:9", False),
    ],
)
async def test_plaintext_to_another_machine_is_warned_of_at_the_start(
    cell: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def checked() -> bool:
        return any("cannot be checked" in record.message for record in caplog.records)

    async with opened(cell):
        await asyncio.to_thread(eventually, "the end of the check", checked, 10)
    found = [record for record in caplog.records if "plaintext" in record.message]
    assert [record.__dict__["servers"] for record in found] == (["log.invalid:6379"] if warned else [])
    assert "hidden" not in caplog.text
