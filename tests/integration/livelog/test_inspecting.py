"""What a cell's primaries tell of themselves, and what our user may do there, without anything being changed."""

from collections.abc import Iterator

import pytest

from headrace.livelog.redis.inspecting import Inspected, inspect, primaries_of
from headrace.livelog.redis.permissions import READS, SERVES, WRITES, User, user_of
from headrace.livelog.settings import parse_cells
from tests.support.log_contract import Writer
from tests.support.redis import Cluster, Pair, Server
from tests.support.redis_logs import opened
from tests.support.redis_users import READER, WRITER, add_users, as_user
from tests.support.stack import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(enable_debug_command="yes") as server:
        add_users(server)
        yield server


async def inspected(url: str, r: int = 0) -> list[Inspected]:
    """Every primary of the cell."""
    [cell] = parse_cells(url)
    return [await inspect(cell, address, r) for address in await primaries_of(cell)]


@pytest.mark.parametrize(("user", "is_a"), [(WRITER, User.WRITER), (READER, User.READER)])
async def test_a_user_of_the_page_is_what_it_is_called(server: Server, user: str, is_a: User) -> None:
    [found] = await inspected(as_user(user, server.url))
    assert user_of(found.refused) == (is_a, [])
    assert found.version.startswith("7.")
    assert not found.settings_told


@pytest.mark.parametrize("lost", sorted({*READS, *WRITES}))
async def test_each_thing_that_a_writer_may_not_is_named(server: Server, lost: str) -> None:
    rule = {"FUNCTION LOAD": "-function|load"}.get(lost, f"-{lost.split()[0].lower()}")
    server.ask("ACL", "SETUSER", WRITER, rule)
    try:
        [found] = await inspected(as_user(WRITER, server.url))
        assert user_of(found.refused)[0] is User.NEITHER
        assert lost in user_of(found.refused)[1]
    finally:
        add_users(server)


@pytest.mark.parametrize("lost", sorted(SERVES))
async def test_each_thing_that_a_reader_may_not_is_seen(server: Server, lost: str) -> None:
    server.ask("ACL", "SETUSER", READER, f"-{lost.split()[0].lower()}")
    try:
        [found] = await inspected(as_user(READER, server.url))
        assert lost in found.refused
        assert user_of(found.refused)[0] is User.NEITHER
    finally:
        add_users(server)


async def test_inspecting_changes_nothing(server: Server) -> None:
    server.empty()
    server.ask("FUNCTION", "FLUSH")
    [found] = await inspected(server.url)
    assert not found.has_library
    assert (server.ask("DBSIZE"), server.ask("FUNCTION", "LIST")) == (0, [])
    async with opened(server.url) as log:
        await Writer(log).open()
    before = server.ask("DEBUG", "DIGEST")
    [found] = await inspected(server.url)
    assert found.has_library
    assert server.ask("DEBUG", "DIGEST") == before
    assert len(server.ask("FUNCTION", "LIST")) == 1


async def test_what_is_wrong_is_told_with_and_without_the_right_to_ask_for_settings(server: Server) -> None:
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        for url in (server.url, as_user(WRITER, server.url)):
            [found] = await inspected(url)
            assert [said.split()[0] for said in found.complaints] == ["maxmemory-policy"]
    finally:
        server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_replicas_in_sync_are_counted(pair: Pair) -> None:
    def is_online() -> bool:  # a moment after it has everything, once it has said so
        return bool(pair.primary.ask("INFO", "replication").get("slave0", {}).get("state") == "online")

    eventually("a replica that is online", is_online, 5)
    [found] = await inspected(pair.url, 1)
    assert found.replicas == 1
    assert "replicas" not in found.complaints[0]
    [found] = await inspected(pair.url, 2)
    assert found.complaints[0] == "it has 1 replicas, and HEADRACE_LOG_REPLICAS says 2"


async def test_every_primary_of_a_cluster_is_inspected(cluster: Cluster) -> None:
    add_users(*cluster.nodes)
    found = await inspected(as_user(WRITER, cluster.url), 1)
    assert len(found) == 3
    assert all(user_of(each.refused)[0] is User.WRITER for each in found)
