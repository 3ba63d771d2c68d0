"""The two users of the log, as the documentation says them: each does what it must, and nothing else."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.base import Cursor, LiveLog, NoRun, Unreachable
from headrace.livelog.cells import Cells
from headrace.livelog.redis import library
from tests.support.broadcasts import PLAN
from tests.support.log_contract import RUN_START, START, LogContract, Writer, claim_of, init_of, part_at
from tests.support.redis import Cluster, Pair, Server
from tests.support.redis_logs import opened
from tests.support.redis_users import PAGE, PASSWORDS, READER, WRITER, add_users, as_user

READS = ("read", "follow", "get", "current")
WRITES = ("takeover", "stage", "wait", "publish", "set_current")


class AsServices:
    """A log that is written as transcoders and control do it, and read as origins do, each with its own user."""

    def __init__(self, writer: Cells, reader: Cells) -> None:
        self._logs = {**dict.fromkeys(READS, reader), **dict.fromkeys(WRITES, writer)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logs[name], name)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(enable_debug_command="yes") as server:
        add_users(server)
        yield server


class TestOneServer(LogContract):
    """All of the contract."""

    @pytest.fixture
    async def log(self, server: Server) -> AsyncIterator[LiveLog]:
        server.empty()
        server.ask("FUNCTION", "FLUSH")  # the writer's user loads them
        async with (
            opened(as_user(WRITER, server.url)) as writer,
            opened(as_user(READER, server.url)) as reader,
        ):
            yield AsServices(writer, reader)


class TestServerWithReplica(LogContract):
    """All of it with a replica: WAIT, and finding the primary."""

    @pytest.fixture
    async def log(self, pair: Pair) -> AsyncIterator[LiveLog]:
        add_users(pair.primary, pair.replica)
        pair.primary.empty()
        async with (
            opened(as_user(WRITER, pair.url), 1) as writer,
            opened(as_user(READER, pair.url), 1) as reader,
        ):
            yield AsServices(writer, reader)


class TestCluster(LogContract):
    """All of it on a Cluster."""

    @pytest.fixture
    async def log(self, cluster: Cluster) -> AsyncIterator[LiveLog]:
        add_users(*cluster.nodes)
        cluster.empty()
        async with (
            opened(as_user(WRITER, cluster.url), 1) as writer,
            opened(as_user(READER, cluster.url), 1) as reader,
        ):
            yield AsServices(writer, reader)


async def test_the_writer_reads_entries_as_well(server: Server) -> None:
    """A transcoder reads what is there before it goes on with a run, and services ask whether the log answers."""
    server.empty()
    async with opened(as_user(WRITER, server.url)) as log:
        assert (await _opened_run(log)).n > 0
        with pytest.raises(NoRun):
            await log.read(RunId("0"), START)


async def test_the_reader_writes_nothing(server: Server) -> None:
    server.empty()
    async with opened(as_user(WRITER, server.url)) as log, opened(as_user(READER, server.url)) as origin:
        await _opened_run(log)
        with pytest.raises(Unreachable, match="NOPERM"):
            await origin.takeover(RunId("run"), claim_of(9), 0)
        with pytest.raises(Unreachable, match="NOPERM"):
            await origin.set_current({StreamId("stream"): RunId("run")})


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "{run}:b:720p:0:0:e1", "x"),
        ("DEL", "{run}:h"),
        ("UNLINK", "{run}:h"),
        ("HSET", "{run}:h", "pub", "9"),
        ("XADD", "{run}:s", "*", "id", "x"),
        ("EXPIRE", "{run}:h", "1"),
        ("GET", "{run}:t:720p:0:0:e1"),
        ("XRANGE", "{run}:g", "-", "+"),
        ("GET", "another"),
        ("SPUBLISH", "{run}", "x"),
        ("SSUBSCRIBE", "another"),
        ("FUNCTION", "LOAD", library.code()),
        ("FUNCTION", "FLUSH"),
        ("FCALL", f"{library.NAME}_read", 3, "{run}:h", "{run}:c", "{run}:s", 0, ""),
        ("EVAL", "return 1", 0),
        ("KEYS", "*"),
        ("SCAN", 0),
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("REPLICAOF", "NO", "ONE"),
    ],
    ids=lambda command: " ".join(str(word) for word in command)[:30],
)
def test_the_reader_may_not(server: Server, command: tuple[str | int, ...]) -> None:
    assert _refusal(server, READER, command).startswith("NOPERM")


@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",),
        ("FLUSHDB",),
        ("CONFIG", "GET", "*"),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("DEBUG", "SLEEP", "0"),
        ("KEYS", "*"),
        ("SCAN", 0),
        ("FUNCTION", "FLUSH"),
        ("FUNCTION", "DELETE", library.NAME),
        ("EVAL", "return 1", 0),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
        ("REPLICAOF", "NO", "ONE"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("SET", "another", "x"),
        ("SPUBLISH", "another", "x"),
    ],
    ids=lambda command: " ".join(str(word) for word in command)[:30],
)
def test_the_writer_may_not(server: Server, command: tuple[str | int, ...]) -> None:
    assert _refusal(server, WRITER, command).startswith("NOPERM")


@pytest.mark.parametrize("key", ["{run}:h", "{run}:c", "{run}:s", "{run}:b:720p:0:0:e1", "current:stream"])
def test_what_the_reader_may_read_it_could_not_write_with_every_command(server: Server, key: str) -> None:
    server.ask("ACL", "SETUSER", READER, "+@all")
    try:
        assert _refusal(server, READER, ("GET", key)).startswith(("it was done", "another error: WRONGTYPE"))
        for command in (("SET", key, "x"), ("DEL", key), ("EXPIRE", key, "1")):
            assert _refusal(server, READER, command).startswith("NOPERM")
    finally:
        add_users(server)


async def test_a_password_from_a_file_may_change_while_the_log_is_open(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORDS[WRITER] + "\n")
    server.empty()
    async with opened(server.url, log_user=WRITER, log_password_file=str(file)) as log:
        await _opened_run(log)
        server.ask("ACL", "SETUSER", WRITER, ">another", f"<{PASSWORDS[WRITER]}")
        try:
            file.write_text("another")
            server.cut()
            await _opened_run(log, take=await _after_the_cut(log, 2))
            file.unlink()
            server.cut()
            take = await _after_the_cut(log, 4)
            with pytest.raises(Unreachable, match=f"the password cannot be read: {file}"):
                await _opened_run(log, take)
        finally:
            add_users(server)


async def _after_the_cut(log: Cells, take: int) -> int:
    """The next take: the connection that was cut is found out by using it, unless it was seen already."""
    with suppress(Unreachable):
        await log.takeover(RunId("run"), claim_of(take=take), 0)
    return take + 1


def _refusal(server: Server, user: str, command: tuple[str | int, ...]) -> str:
    with redis.Redis(
        host="127.0.0.1", port=server.port, username=user, password=PASSWORDS[user], socket_timeout=5
    ) as client:
        try:
            client.execute_command(*command)
        except redis.exceptions.NoPermissionError as error:
            return f"NOPERM {error}"
        except redis.RedisError as error:
            return f"another error: {error}"
    return "it was done"


async def _opened_run(log: Cells, take: int = 1) -> Cursor:
    writer = Writer(log, claim_of(take=take))
    await writer.take()
    if take == 1:
        await writer.append(RUN_START, *(init_of(rung) for rung in PLAN.rung_names), part_at("720p", 0, 0))
    return (await log.read(RunId("run"), START)).cursor


def test_the_pages_lines_for_a_servers_settings_are_such_as_a_server_reads() -> None:
    [block] = re.findall(r"```\n(port 0\n.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [line for line in block.splitlines() if not line.startswith("#")]
    assert len(lines) == 7
    assert [len(line.split()) for line in lines] == [2] * 7, "a comment behind a value is a part of it"
