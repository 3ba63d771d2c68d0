"""Whether a server is set up to keep a live log: what is wrong with it, in words.

Law: nothing is changed, and a server that does not tell is not called wrong. Neighbours: `log` says it at its start.
"""

from collections.abc import Mapping

from headrace.livelog.redis.connection import Link, ServerError

CHECK_S = 3.0
LEAST_VERSION = 7
BACKLOG_S = 10
LEAST_BACKLOG_BYTES = 256 << 20  # ten seconds of 25 MB/s, which is 25 streams of 8 Mbit/s
LEAST_REPLICA_BUFFER_BYTES = 1 << 30

_SETTINGS = (
    b"maxmemory",
    b"maxmemory-policy",
    b"repl-backlog-size",
    b"client-output-buffer-limit",
    b"save",
    b"appendonly",
)


async def complaints(link: Link, r: int) -> list[str]:
    """What is wrong with this primary, where `r` replicas are counted on. Raises Unreachable."""
    replies = await link.ask((b"INFO",), (b"CONFIG", b"GET", *_SETTINGS), deadline_s=CHECK_S, keep_errors=True)
    info = {} if isinstance(replies[0], ServerError) else _info(replies[0])
    if isinstance(replies[1], ServerError):  # those who only read may not ask
        return _of_info(info, r)
    settings = [each.decode() for each in replies[1]]
    return [*_of_info(info, r), *of_settings(dict(zip(settings[::2], settings[1::2], strict=True)), info, r)]


def of_settings(settings: Mapping[str, str], info: Mapping[str, str], r: int) -> list[str]:
    """What is wrong with these settings, named as in the server's configuration."""
    said = []
    if settings.get("maxmemory-policy") != "noeviction":
        said.append(
            f"maxmemory-policy is {settings.get('maxmemory-policy')}: it throws keys of live runs away; set noeviction"
        )
    if settings.get("maxmemory") == "0":
        said.append("maxmemory is not set: when memory is gone the system ends the server, instead of it refusing runs")
    if not r:
        return said
    backlog = int(settings.get("repl-backlog-size", 0))
    measured = int(float(info.get("instantaneous_input_kbps", 0)) * 1024 * BACKLOG_S)
    least = max(LEAST_BACKLOG_BYTES, measured)
    if backlog < least:
        said.append(
            f"repl-backlog-size is {backlog} bytes: set {least} or more, {BACKLOG_S} seconds of writes, or a replica "
            "that lost its connection for a moment copies everything"
        )
    limit = _replica_limit(settings.get("client-output-buffer-limit", ""))
    if 0 < limit < LEAST_REPLICA_BUFFER_BYTES:
        said.append(
            f"client-output-buffer-limit for replicas is {limit} bytes: set {LEAST_REPLICA_BUFFER_BYTES} or more, or "
            "a replica that copies everything is thrown out before it is done"
        )
    if settings.get("appendonly") != "yes" and not settings.get("save"):
        said.append(
            "nothing is kept on disk: a primary that restarts before its replica has taken over is empty, and empties "
            "the replica; turn appendonly on, or let it restart later than a failover takes"
        )
    return said


def _of_info(info: Mapping[str, str], r: int) -> list[str]:
    said = []
    version = info.get("valkey_version") or info.get("redis_version")
    if version and int(version.partition(".")[0]) < LEAST_VERSION:
        said.append(f"version {version} is too old: the live log needs {LEAST_VERSION} or later")
    replicas = info.get("connected_slaves")
    if replicas is not None and int(replicas) != r:
        said.append(f"it has {replicas} replicas, and HEADRACE_LOG_REPLICAS says {r}")
    return said


def _replica_limit(limits: str) -> int:
    """The hard limit for replicas in `normal 0 0 0 slave 268435456 67108864 60 pubsub …`, bytes; 0 for none."""
    words = limits.split()
    for name in ("replica", "slave"):
        if name in words[:-1]:
            return int(words[words.index(name) + 1])
    return 0


def _info(reply: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in reply.decode().splitlines() if ":" in line)
    return {name: value for name, _, value in lines}
