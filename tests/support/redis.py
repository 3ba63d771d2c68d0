"""Real servers for the live log: one, one with a replica, a Cluster of three primaries with a replica each.

They listen on free ports of their hosts, keep nothing, and end with their `with`. With an authority they speak TLS
alone, among themselves as well, and ask everybody for a certificate of that authority's. `one_server`,
`server_with_replica` and `cluster` are for those who need a URL and no more.
"""

import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import redis

from tests.support.authority import Authority, Signed
from tests.support.hosts import LOOPBACK, Host
from tests.support.stack import Process, TooLate, eventually

START_S = 10.0
FAILOVER_S = 20.0
MAX_MEMORY = 256 << 20
NODE_TIMEOUT_MS = 500  # after how long a Cluster gives a node up
SHARDS = 3
SLOTS = 1 << 14
SETTINGS = {
    "protected-mode": "no",
    "save": "",
    "appendonly": "no",
    "maxmemory": str(MAX_MEMORY),
    "maxmemory-policy": "noeviction",
    "repl-diskless-sync-delay": "0",
    "repl-diskless-load": "swapdb",
    "set-proc-title": "no",  # it would write over its environment, and with it our mark
    "cluster-node-timeout": str(NODE_TIMEOUT_MS),
    "cluster-replica-validity-factor": "0",
    "cluster-require-full-coverage": "no",
}


class Server:
    """One redis-server; `settings` go before `SETTINGS`. It can be killed, and started again at the same port.

    `authority` has it speak TLS, with a certificate for its address or the one that is `signed` already.
    """

    def __init__(
        self, host: Host = LOOPBACK, authority: Authority | None = None, signed: Signed | None = None, **settings: str
    ) -> None:
        if shutil.which("redis-server") is None:
            raise RuntimeError("the live log's tests need redis-server 7 or later: apt-get install redis-server")
        self.host = host
        self.settings = {
            "bind": host.address,
            **SETTINGS,
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._client: dict[str, Any] = {}
        if authority is not None:
            self._speak_tls(authority, signed or authority.sign(host.address))
        self.port = 0
        self._process: Process | None = None

    def __enter__(self) -> "Server":
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Its process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def at(self) -> str:
        """Its host and port."""
        return f"{self.host.address}:{self.port}"

    @property
    def url(self) -> str:
        """Where it is, as settings name a cell."""
        return f"{'rediss' if self._client else 'redis'}://{self.at}"

    def start(self) -> None:
        """Start it, empty; the first time at a port that is free, and then at the same."""
        for _ in range(5 if not self.port else 1):
            port, cluster_port = (self.port, 0) if self.port else _free_ports()
            if cluster_port:
                self.settings["cluster-port"] = str(cluster_port)
            ports = {"port": "0", "tls-port": str(port)} if self._client else {"port": str(port)}
            given = [word for name, value in {**self.settings, **ports}.items() for word in (f"--{name}", value)]
            self._process = Process([*self.host.command, "redis-server", *given, "--dir", self._folder.name])
            try:
                self.port = port
                eventually("an answer", self._answers, START_S)
            except TooLate as error:
                error.add_note(self._process.output)
                self._process.kill()
                self.port = port if self.port != port else 0
                continue
            return
        raise TooLate("no redis-server came up")

    def kill(self) -> None:
        """End it at once; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """It stands still: connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.signal(signal.SIGCONT)

    def ask(self, *command: str | bytes | int) -> Any:
        """What it answers to a command. Raises redis.RedisError."""
        with redis.Redis(
            host=self.host.address, port=self.port, socket_timeout=5, single_connection_client=True, **self._client
        ) as client:
            return client.execute_command(*command)

    def empty(self) -> None:
        """Throw all data away, and leave the functions."""
        self.ask("FLUSHALL", "SYNC")

    def cut(self) -> None:
        """Close all of its clients' connections."""
        self.ask("CLIENT", "KILL", "TYPE", "normal")
        self.ask("CLIENT", "KILL", "TYPE", "pubsub")

    def _speak_tls(self, authority: Authority, signed: Signed) -> None:
        self.settings |= {
            "tls-ca-cert-file": authority.file,
            "tls-cert-file": signed.certificate,
            "tls-key-file": signed.key,
            "tls-replication": "yes",
            "tls-cluster": "yes",
        }
        ours = authority.sign("client")
        # Whatever its certificate says: tests ask servers with a wrong one, too.
        self._client = {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False}
        self._client |= {"ssl_certfile": ours.certificate, "ssl_keyfile": ours.key}

    def _answers(self) -> bool:
        assert self._process is not None
        if not self._process.running:
            raise TooLate("it has ended")
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False


class Pair:
    """A primary and its replica. After `fail_over` the replica is the primary, and the old one is gone."""

    def __init__(self, primary: Host = LOOPBACK, replica: Host = LOOPBACK, authority: Authority | None = None) -> None:
        self._hosts = primary, replica
        self._authority = authority
        self._stack = ExitStack()

    def __enter__(self) -> "Pair":
        self.primary, self.replica = (self._stack.enter_context(Server(host, self._authority)) for host in self._hosts)
        self.join()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Both, as settings name a cell."""
        return f"{self.primary.url},{self.replica.at}"

    def join(self) -> None:
        """Make `replica` the replica of `primary`, and wait until it has everything."""
        self.replica.ask("REPLICAOF", self.primary.host.address, self.primary.port)
        eventually("a replica in sync", lambda: _in_sync(self.replica), START_S)

    def fail_over(self) -> None:
        """The primary dies, and the replica is the primary."""
        self.primary.kill()
        self.replica.ask("REPLICAOF", "NO", "ONE")
        self.primary, self.replica = self.replica, self.primary

    def restore(self) -> None:
        """What died comes back as a replica."""
        self.replica.start()
        self.join()


class Cluster:
    """Three primaries with a replica each."""

    def __init__(self, authority: Authority | None = None) -> None:
        self._authority = authority
        self._stack = ExitStack()
        self.nodes: list[Server] = []

    def __enter__(self) -> "Cluster":
        try:
            for _ in range(2 * SHARDS):
                self.nodes.append(self._stack.enter_context(Server(authority=self._authority, cluster_enabled="yes")))
            self._meet()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """All nodes, as settings name a cell."""
        scheme = "redis" if self._authority is None else "rediss"
        return f"{scheme}+cluster://" + ",".join(node.at for node in self.nodes)

    def primaries(self) -> list[Server]:
        """The living nodes that are primaries now."""
        return [node for node in self.alive() if node.ask("ROLE")[0] == b"master"]

    def alive(self) -> Iterator[Server]:
        """The nodes that answer."""
        for node in self.nodes:
            with suppress(redis.RedisError):
                node.ask("PING")
                yield node

    def primary_of(self, key: str) -> Server:
        """The node that has this key now."""
        any_node = next(self.alive())
        slot = any_node.ask("CLUSTER", "KEYSLOT", key)
        for first, last, primary, *_ in any_node.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == primary[1])
        raise AssertionError(f"nobody has {key}")

    def move(self, key: str, first: bytes) -> Iterator[None]:
        """Move the slot of `key` to another primary: its key `first`, and when asked again all others."""
        source = self.primary_of(key)
        target = next(node for node in self.primaries() if node is not source)
        slot, names = source.ask("CLUSTER", "KEYSLOT", key), [node.ask("CLUSTER", "MYID") for node in (source, target)]
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
        migrate = partial(source.ask, "MIGRATE", "127.0.0.1", target.port)
        migrate(first, 0, 1000)
        yield
        for each in source.ask("CLUSTER", "GETKEYSINSLOT", slot, SLOTS):
            migrate(each, 0, 1000)
        for node in (target, source):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", names[1])

    def empty(self) -> None:
        """Throw all data away."""
        for node in self.primaries():
            node.empty()

    def whole(self) -> bool:
        """Whether there are three primaries, each with a replica in sync."""
        nodes = list(self.alive())
        roles = [node.ask("ROLE") for node in nodes]
        if sum(role[0] == b"master" and len(role[2]) == 1 for role in roles) != SHARDS:
            return False
        states = [node.ask("CLUSTER", "INFO") for node in nodes]
        return (
            len(nodes) == 2 * SHARDS
            and all(_state(state) == "ok" for state in states)
            and all(role[0] == b"master" or role[3] == b"connected" for role in roles)
        )

    def _meet(self) -> None:
        first = self.nodes[0]
        for index, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if index < SHARDS:
                bounds = [SLOTS * each // SHARDS for each in (index, index + 1)]
                node.ask("CLUSTER", "ADDSLOTSRANGE", bounds[0], bounds[1] - 1)
            if node is not first:
                first.ask("CLUSTER", "MEET", "127.0.0.1", node.port, int(node.settings["cluster-port"]))
        names = [node.ask("CLUSTER", "MYID") for node in self.nodes]
        for index, node in enumerate(self.nodes[SHARDS:]):
            eventually("nodes that know each other", partial(_knows, node, names[index]), START_S)
            node.ask("CLUSTER", "REPLICATE", names[index])
        eventually("a whole cluster", self.whole, FAILOVER_S)


@asynccontextmanager
async def one_server() -> AsyncIterator[str]:
    """The URL of a server."""
    with Server() as server:
        yield server.url


@asynccontextmanager
async def server_with_replica() -> AsyncIterator[str]:
    """The URL of a server with a replica."""
    with Pair() as pair:
        yield pair.url


@asynccontextmanager
async def cluster() -> AsyncIterator[str]:
    """The URL of a Cluster."""
    with Cluster() as servers:
        yield servers.url


def _in_sync(replica: Server) -> bool:
    role = replica.ask("ROLE")
    return bool(role[0] == b"slave" and role[3] == b"connected")


def _knows(node: Server, name: bytes) -> bool:
    return bool(name in node.ask("CLUSTER", "NODES"))


def _state(info: bytes) -> str:
    return dict(line.split(":", 1) for line in info.decode().split()).get("cluster_state", "")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
