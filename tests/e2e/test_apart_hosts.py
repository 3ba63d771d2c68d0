"""Hosts of their own, on which the tests of services apart stand."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import hosts
from tests.support.hosts import Host, NeedsRoot, Network
from tests.support.stack import Process, eventually

LISTENS = (
    "import socket, sys, time; server = socket.create_server((sys.argv[1], 7)); print('listens', flush=True);"
    "[server.accept()[0].send(b'here') for _ in iter(int, 1)]"
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root alone")


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture
def server(network: Network) -> Iterator[Host]:
    """A host on which something answers at port 7."""
    host = network.host()
    with Process([*host.command, sys.executable, "-c", LISTENS, host.address]) as process:
        eventually("it listens", lambda: "listens" in process.output, 10)
        yield host


def answers(host: Host, asker: Host | None = None) -> bool:
    """Whether port 7 of `host` answers within half a second, asked from another one or from here."""
    ask = f"import socket; assert socket.create_connection(({host.address!r}, 7), 0.5).recv(4) == b'here'"
    command = [*(asker.command if asker else ()), sys.executable, "-c", ask]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


@needs_root
def test_each_host_has_an_address_that_others_reach(network: Network, server: Host) -> None:
    other = network.host()
    assert other.address != server.address
    assert answers(server)
    assert answers(server, other)


@needs_root
def test_a_host_whose_cable_is_pulled_is_reached_by_itself_alone_until_it_is_back(server: Host) -> None:
    server.unplug()
    assert not answers(server)
    assert answers(server, server)
    server.plug_in()
    eventually("it is reached again", lambda: answers(server), 5)


@needs_root
def test_what_listens_on_one_host_is_not_in_the_way_on_another(network: Network, server: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"import socket; socket.create_server(('127.0.0.1', {taken.getsockname()[1]}))"
        subprocess.run([*server.command, sys.executable, "-c", bind], check=True, timeout=20)


@needs_root
def test_a_network_leaves_nothing_behind() -> None:
    with Network() as network:
        network.host()
        assert mine()
    assert not mine()


@needs_root
def test_what_a_killed_process_left_behind_is_removed_by_the_next_network() -> None:
    make = "import os; from tests.support.hosts import Network; n = Network(); n.host(); print(n.name); os._exit(1)"
    killed = subprocess.run(
        [sys.executable, "-c", make], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=20
    )
    name = killed.stdout.strip()
    assert {name, f"{name}-1"} <= hosts.names()
    with Network():
        assert not {each for each in hosts.names() if each.startswith(name)}


def test_without_root_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NeedsRoot, match="root"):
        Network()


def mine() -> list[str]:
    """What carries this process's id."""
    return [name for name in hosts.names() if name.startswith(f"{hosts.MARK}{os.getpid()}")]
