"""`make bench-control`: how many publishes two replicas of control accept, how soon, and what a fleet's reports cost.

PostgreSQL whose commits take 2 ms, Redis for the log, two replicas that know five thousand transcoders, and a process
that plays edges, all on the same cores. An allocation is OpenSession and Allocate, one after the other; so many
publishers at once do nothing else. Two loads, each on a new database: publishes that stay, as after a failure of
everything; and publishes that are released two seconds later, ended and flushed, so that as many end as begin:
`turnover`, without a goal. The five thousand report inside each replica's process, since as many connections would need
cores of their own; what reports cost is measured apart: a thousand pods, each on its own connection to one replica that
does nothing else, less what that replica costs when nobody reports. The peer is psycopg alone with as many transactions
as publishes one by one would need on the same server, and nothing around them. All figures are medians of three runs.
"""

import json
import math
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

import psycopg

from tests.bench import control_books
from tests.bench.control_process import CAPACITY_PIXELS_S
from tests.bench.report import report
from tests.support.postgres import Postgres
from tests.support.redis import Server
from tests.support.stack import Process, eventually

REPEATS = 3
PODS = 5000
STREAMS = 8000
CLIENTS = 20
RAW_CLIENTS = 16
TURNOVER_S = 2.0
STAYING_S = 100.0  # longer than it takes
PUBLISH_S = 6.0  # nobody reports these sessions: before that counts all is over
RAW_S = 4.0
REPORTING_PODS = 1000
REPORTING_S = 6.0

GOALS = {"allocations_per_s": ">= 500", "allocation_p99_ms": "<= 50", "reports_core_percent": "<= 10"}


def main() -> None:
    """Measure and report."""
    runs: dict[str, list[float]] = defaultdict(list)
    for _ in range(REPEATS):
        postgres = Postgres(slow=True)
        postgres.start()
        try:
            for measure in (allocations, turnover, reports):
                with Server() as log:
                    for name, value in measure(postgres, log).items():
                        runs[name].append(value)
        finally:
            postgres.stop()
    report("control", {name: median(values) for name, values in runs.items()}, GOALS, f"psycopg {psycopg.__version__}")


def allocations(postgres: Postgres, log: Server) -> dict[str, float]:
    """Publishes that stay, and the peer beside its database."""
    said, raw = publishes(postgres, log, STAYING_S, raw=True)
    took_ms, seconds = sorted(said["took_ms"]), said["seconds"]
    of_replicas, of_redis, of_postgres = sum(said["cpu_s"][:2]), said["cpu_s"][2], said["cpu_s"][3]
    return {
        "allocations_per_s": len(took_ms) / seconds,
        "allocation_p50_ms": took_ms[len(took_ms) // 2],
        "allocation_p99_ms": took_ms[math.ceil(0.99 * len(took_ms)) - 1],
        "control_cpu_us": 1e6 * of_replicas / len(took_ms),
        "postgres_cpu_us": 1e6 * of_postgres / len(took_ms),
        "load_cpu_us": 1e6 * said["cpu_s"][4] / len(took_ms),
        "redis_cpu_us": 1e6 * of_redis / len(took_ms),
        "raw_per_s": raw,
        "raw_ratio": len(took_ms) / seconds / raw,
    }


def turnover(postgres: Postgres, log: Server) -> dict[str, float]:
    """As many ends as beginnings."""
    said, _ = publishes(postgres, log, TURNOVER_S)
    return {
        "turnover_allocations_per_s": len(said["took_ms"]) / said["seconds"],
        "turnover_releases_per_s": said["released"] / said["seconds"],
    }


def publishes(postgres: Postgres, log: Server, hold_s: float, *, raw: bool = False) -> tuple[Any, float]:
    """Two replicas under publishes that stay for `hold_s`; and the peer's transactions a second."""
    database = control_books.with_streams(postgres, STREAMS)
    with ExitStack() as stack:
        per_s = answered("raw", postgres.raw_url(database), RAW_CLIENTS, RAW_S)["per_s"] if raw else 0.0
        replicas, targets = [], []
        for _ in range(2):
            process, port = stack.enter_context(replica(postgres, database, log, "tests.bench.control_process", PODS))
            replicas.append(process)
            targets.append(f"127.0.0.1:{port}")
        eventually(
            "every transcoder's row",
            lambda: postgres.execute("SELECT count(*) FROM pods", database)[0][0] == PODS,
            30,
        )
        pids = ",".join(str(pid) for pid in [*(one.pid for one in replicas), log.pid, postmaster(postgres)])
        said = answered("publish", ",".join(targets), STREAMS, CLIENTS, hold_s, PUBLISH_S, pids)
    if said["refused"]:
        raise SystemExit(f"void: {len(said['refused'])} were refused: {said['refused'][:3]}")
    return said, per_s


def reports(postgres: Postgres, log: Server) -> dict[str, float]:
    """What a thousand pods add to a replica that hears nobody; its own rounds go on beside it."""
    database = control_books.with_holds(postgres, REPORTING_PODS, CAPACITY_PIXELS_S)
    with replica(postgres, database, log, "headrace.control") as (process, port):
        idle, busy = (
            answered("report", port, pods, REPORTING_S, process.pid)["core_percent"] for pods in (0, REPORTING_PODS)
        )
    return {"reports_core_percent": busy - idle, "idle_core_percent": idle}


@contextmanager
def replica(
    postgres: Postgres, database: str, log: Server, module: str, *arguments: object
) -> Iterator[tuple[Process, int]]:
    """A replica of control, and its port."""
    port = free_port()
    settings = {
        "HEADRACE_DATABASE_URL": postgres.url(database),
        "HEADRACE_API_KEY": "bench-api-key-of-enough-bits",
        "HEADRACE_CONTROL_TARGET": f"0.0.0.0:{port}",
        "HEADRACE_HTTP_PORT": "0",
        "HEADRACE_PLAINTEXT": "true",
        "HEADRACE_LOG_CELLS": log.url,
        "HEADRACE_LOG_REPLICAS": "0",
    }
    with Process([sys.executable, "-m", module, *map(str, arguments)], **settings) as process:
        eventually("a replica that answers", lambda: answers(port), 20)
        yield process, port
        if not process.running:
            raise SystemExit(f"void: a replica ended\n{process.output[-2000:]}")


def answered(what: str, *arguments: object) -> Any:
    """What one process of `control_load` prints."""
    with Process([sys.executable, "-m", "tests.bench.control_load", what, *map(str, arguments)]) as load:
        if code := load.wait(PUBLISH_S + 60):
            raise SystemExit(f"void: {what} ended with {code}\n{load.output[-2000:]}")
        return json.loads(load.lines[-1])


def postmaster(postgres: Postgres) -> int:
    """The process whose children the server's others are."""
    [[written]] = postgres.execute("SELECT pg_read_file('postmaster.pid')")
    return int(str(written).split()[0])


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
