"""`make bench-origin`: what one origin process serves, against nginx with the same bytes on disk, and how soon a
thousand players that wait for a part have the playlist that lists it.

wrk keeps 32 connections busy with one address; ours and theirs take turns, each on a core of its own beside wrk's. Then
players, spread over all renditions, hold blocking reloads while a run goes on: the time from before the part's append
to the answer's last byte, for the plain and for the compressed playlist. All figures are medians of three runs.
"""

import math
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from pathlib import Path
from statistics import median

from tests.bench import origin_nginx
from tests.bench.origin_process import PLAN, RUN, STREAM
from tests.bench.report import report
from tests.support.stack import Process, eventually

REPEATS = 3
WRK_S = 2
CONNECTIONS = 32
PLAYERS = 1000
PLAY_S = 6.0
LEAST_ROUNDS = 10
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
RUN_PATH = f"/live/{STREAM}/{RUN}"

GOALS = {
    "playlist_ratio": ">= 0.5",
    "part_ratio": ">= 0.5",
    "segment_ratio": ">= 0.5",
    "wake_p99_ms": "<= 100",
    "wake_gzip_p99_ms": "<= 100",
}


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        figures = throughput(Path(name))
        runs: dict[str, list[float]] = defaultdict(list)
        for _ in range(REPEATS):
            for kind, coding in (("wake", "identity"), ("wake_gzip", "gzip")):
                for key, value in wakes(Path(name), coding).items():
                    runs[f"{kind}_{key}"].append(value)
        figures |= {key: median(values) for key, values in runs.items()}
    report("origin", figures, GOALS, origin_nginx.version())


def throughput(folder: Path) -> dict[str, float]:
    """Requests per second, and the CPU that each cost, of ours and theirs; medians, and of the ratio as well."""
    runs: dict[str, list[float]] = defaultdict(list)
    with origin() as ours:
        path = f"{RUN_PATH}/{PLAN.rung_names[0]}/"
        url = f"{address(ours)}{path}"
        listed = read(f"{url}index.m3u8").decode()
        part, segment = re.findall(r'"(.*\.2-.*\.m4s)"', listed)[-1], re.findall(r"^[^#].*\.m4s$", listed, re.M)[-1]
        files = {"playlist": "index.m3u8", "part": part, "segment": segment}
        (folder / path[1:]).mkdir(parents=True)
        for name in files.values():
            (folder / path[1:] / name).write_bytes(read(url + name))
        theirs = origin_nginx.Nginx(folder, *on_core(0))
        with theirs:
            for _ in range(REPEATS):
                for what, name in files.items():
                    our = load(f"{url}{name}", ours.pid)
                    their = load(f"{theirs.url}{path}{name}", theirs.worker)
                    runs[f"{what}_rps"].append(our[0])
                    runs[f"nginx_{what}_rps"].append(their[0])
                    runs[f"{what}_ratio"].append(our[0] / their[0])
                    runs[f"{what}_cpu_us"].append(our[1])
                    runs[f"nginx_{what}_cpu_us"].append(their[1])
                rps, cpu_us = load(f"{url}index.m3u8", ours.pid, "-H", "Accept-Encoding: gzip, deflate, br")
                runs["playlist_gzip_rps"].append(rps)
                runs["playlist_gzip_cpu_us"].append(cpu_us)
        sizes = {f"{what}_bytes": float((folder / path[1:] / name).stat().st_size) for what, name in files.items()}
    return {key: median(values) for key, values in runs.items()} | sizes


def load(url: str, pid: int, *options: str) -> tuple[float, float]:
    """Requests per second that `url` was good for, and microseconds of CPU that each cost process `pid`."""
    before_s = used_cpu_s(pid)
    command = [*on_core(1), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{WRK_S}s", *options, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    used_s = used_cpu_s(pid) - before_s
    requests, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s+([\d.]+)", said)
    if requests is None or rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"void: {said}")
    return float(rate[1]), 1e6 * used_s / int(requests[1])


def wakes(folder: Path, coding: str) -> dict[str, float]:
    """How long the answers took from the append of the part that they waited for; only whole rounds count."""
    result = folder / coding
    with origin("live") as live:
        url = address(live)
        paths = [f"{RUN_PATH}/{rung}/index.m3u8" for rung in PLAN.rung_names]
        first = max(map(int, re.findall(r'"(\d+)\.', read(f"{url}{paths[0]}").decode()))) + 1
        arguments = [url.rpartition(":")[2], str(PLAYERS), str(PLAY_S), coding, str(first), str(result), *paths]
        before_s = used_cpu_s(live.pid)
        command = [*on_core(1), sys.executable, "-m", "tests.bench.origin_players", *arguments]
        subprocess.run(command, check=True, timeout=PLAY_S + 30)
        used_s = used_cpu_s(live.pid) - before_s
        appends = re.findall(r"^appended (\S+) (\d+) (\d+) (\S+)$", live.output, re.M)
    appended_s = {(PLAN.rung_names.index(rung), int(msn), int(part)): float(at) for rung, msn, part, at in appends}
    rounds: dict[tuple[int, int], list[float]] = defaultdict(list)
    seen = result.read_text().splitlines()
    for line in seen:
        playlist, msn, part, asked_s, arrived_s = line.split()
        at_s = appended_s[int(playlist), int(msn), int(part)]
        if float(asked_s) < at_s:
            rounds[int(msn), int(part)].append(1000 * (float(arrived_s) - at_s))
    whole = [delays for delays in rounds.values() if len(delays) == PLAYERS]
    if len(whole) < LEAST_ROUNDS:
        raise SystemExit(f"void: all players waited in {len(whole)} of {len(rounds)} rounds only")
    delays_ms = sorted(delay for delays in whole for delay in delays)
    return {
        "p50_ms": delays_ms[len(delays_ms) // 2],
        "p99_ms": delays_ms[math.ceil(0.99 * len(delays_ms)) - 1],
        "rounds": float(len(whole)),
        "cpu_us": 1e6 * used_s / len(seen),
    }


def origin(*arguments: str) -> Process:
    """An origin process on the first core."""
    return Process([*on_core(0), sys.executable, "-m", "tests.bench.origin_process", *arguments])


def address(process: Process) -> str:
    """The URL at which the origin serves."""

    def said() -> str | None:
        found = re.search(r"^port (\d+)$", process.output, re.M)
        return f"http://127.0.0.1:{found[1]}" if found else None

    return eventually("the origin's port", said, 15)


def on_core(which: int) -> list[str]:
    """What goes before a command so that it stays on one core: servers on the first, clients on the second."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[which % len(cores)])]


def read(url: str) -> bytes:
    """The body at `url`."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def used_cpu_s(pid: int) -> float:
    """User and system time of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


if __name__ == "__main__":
    main()
