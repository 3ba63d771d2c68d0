"""Whether a server is set up to keep a live log: what is wrong with it, in words.

Law: nothing is changed, and a server that does not tell is not called wrong. Neighbours: `log` says it at its start,
`inspecting` asks more for `headrace doctor`.
"""

from collections.abc import Mapping

from headrace.livelog.redis.connection import Link, ServerError

CHECK_S = 3.0
LEAST_VERSION = 7
BACKLOG_S = 10
LEAST_BACKLOG_BYTES = 256 << 20  # ten seconds of 25 MB/s, which is 25 streams of 8 Mbit/s
LEAST_REPLICA_BUFFER_BYTES = 1 << 30

# What INFO tells those who may not ask for settings, by the settings' names.
_IN_INFO = {
    "maxmemory": "maxmemory",
    "maxmemory-policy": "maxmemory_policy",
    "repl-backlog-size": "repl_backlog_size",
}

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
    info, settings = await asked(link)
    return of_answers(info, settings, r)


async def asked(link: Link) -> tuple[dict[str, str], dict[str, str]]:
    """What it tells of itself, and of its settings: all of them, or those that INFO tells. Raises Unreachable."""
    replies = await link.ask((b"INFO",), (b"CONFIG", b"GET", *_SETTINGS), deadline_s=CHECK_S, keep_errors=True)
    info = {} if isinstance(replies[0], ServerError) else _info(replies[0])
    if isinstance(replies[1], ServerError):  # the log's own users may not ask
        return info, {name: info[told] for name, told in _IN_INFO.items() if told in info}
    settings = [each.decode() for each in replies[1]]
    return info, dict(zip(settings[::2], settings[1::2], strict=True))


def of_answers(info: Mapping[str, str], settings: Mapping[str, str], r: int) -> list[str]:
    """What is wrong with a primary that says this."""
    return [*_of_info(info, r), *of_settings(settings, info, r)]


def of_settings(settings: Mapping[str, str], info: Mapping[str, str], r: int) -> list[str]:
    """What is wrong with these settings, named as in the server's configuration."""
    said = []
    if (policy := settings.get("maxmemory-policy", "noeviction")) != "noeviction":
        said.append(f"maxmemory-policy is {policy}: it throws keys of live runs away; set noeviction")
    if settings.get("maxmemory") == "0":
        said.append("maxmemory is not set: when memory is gone the system ends the server, instead of it refusing runs")
    if not r:
        return said
    measured = int(float(info.get("instantaneous_input_kbps", 0)) * 1024 * BACKLOG_S)
    least = max(LEAST_BACKLOG_BYTES, measured)
    backlog = int(settings.get("repl-backlog-size", least))
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
    if settings.get("appendonly") == "no" and not settings.get("save"):
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
    if replicas is None:
        return said
    if int(replicas) != r:
        said.append(f"it has {replicas} replicas, and HEADRACE_LOG_REPLICAS says {r}")
    in_sync = sum("state=online" in info.get(f"slave{number}", "") for number in range(int(replicas)))
    if in_sync < int(replicas):
        said.append(f"of its {replicas} replicas {in_sync} are in sync: until the others are, no run is durable")
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
