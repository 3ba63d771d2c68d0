"""`make bench-livelog`: how soon what a transcoder appends is visible on another origin, and what that costs Redis.

A primary with a replica in sync; fifty runs of three renditions and sound, each part appended in its time with all
that an append is (bytes and entries staged, waited for on the replica, published), and a reader on connections of its
own that follows all of them. Then, as fast as one writer can, how many bytes the primary takes for a second of its
processor, beside bare SETs of the same bytes by the same client. Medians of three runs.
"""

import math
import re
import sys
from collections import defaultdict
from statistics import median

from tests.bench.origin import used_cpu_s
from tests.bench.report import report
from tests.support.redis import Pair, Server
from tests.support.stack import Process, eventually

REPEATS = 3
RUNS = 50
PLAY_S = 12.0
FLOOD_MB = 1000
MAX_MEMORY = 4 << 30

GOALS = {"visible_p99_ms": "<= 20"}


def main() -> None:
    """Measure and report."""
    runs: dict[str, list[float]] = defaultdict(list)
    for _ in range(REPEATS):
        for measure in (visible, flooded):
            with Pair() as servers:
                for server in (servers.primary, servers.replica):
                    server.ask("CONFIG", "SET", "maxmemory", MAX_MEMORY)
                for name, value in measure(servers).items():
                    runs[name].append(value)
    report("livelog", {name: median(values) for name, values in runs.items()}, GOALS, f"bare SETs, {version()}")


def visible(servers: Pair) -> dict[str, float]:
    """From before the append to the reader's hands, milliseconds; and the load that this was."""
    with process("follow", servers.url, RUNS) as reader:
        eventually("the reader", lambda: "ready" in reader.output, 10)
        before_s = used_cpu_s(servers.primary.pid)
        with process("write", servers.url, RUNS, PLAY_S) as writer:
            if code := writer.wait(PLAY_S + 30):
                raise SystemExit(f"void: the writer ended with {code}\n{writer.output[-2000:]}")
        used_s = used_cpu_s(servers.primary.pid) - before_s
        appended = marks(writer, "appended")
        eventually("everything visible", lambda: len(marks(reader, "visible")) >= 0.99 * len(appended), 10)
        seen = marks(reader, "visible")
    delays_ms = sorted(1000 * (seen[place] - at_s) for place, at_s in appended.items() if place in seen)
    return {
        "visible_p50_ms": delays_ms[len(delays_ms) // 2],
        "visible_p99_ms": delays_ms[math.ceil(0.99 * len(delays_ms)) - 1],
        "appends": float(len(appended)),
        "redis_core_percent": 100 * used_s / PLAY_S,
    }


def flooded(servers: Pair) -> dict[str, float]:
    """Megabytes for a second of the primary's processor, of the log and of bare SETs."""
    ours, bare = (rate(servers.primary, what, servers.url) for what in ("flood", "set"))
    return {"mb_per_cpu_s": ours, "bare_mb_per_cpu_s": bare, "mb_per_cpu_s_ratio": ours / bare}


def rate(primary: Server, what: str, url: str) -> float:
    """What one process that does nothing else gets through."""
    before_s = used_cpu_s(primary.pid)
    with process(what, url, FLOOD_MB) as flooding:
        if code := flooding.wait(120):
            raise SystemExit(f"void: {what} ended with {code}\n{flooding.output[-2000:]}")
    used_s = used_cpu_s(primary.pid) - before_s
    said = re.search(r"^flooded (\d+)$", flooding.output, re.M)
    if said is None:
        raise SystemExit(f"void: {flooding.output[-2000:]}")
    primary.empty()
    return int(said[1]) / 1e6 / used_s


def marks(process: Process, word: str) -> dict[tuple[str, str, str], float]:
    """What a process printed of places: when."""
    found = re.findall(rf"^{word} (\S+) (\d+) (\d+) (\S+)$", process.output, re.M)
    return {(run, msn, part): float(at_s) for run, msn, part, at_s in found}


def process(what: str, *arguments: object) -> Process:
    """One of `livelog_process`."""
    return Process([sys.executable, "-m", "tests.bench.livelog_process", what, *map(str, arguments)])


def version() -> str:
    """Redis's."""
    with Server() as server:
        return f"Redis {server.ask('INFO', 'server')['redis_version']}"


if __name__ == "__main__":
    main()
