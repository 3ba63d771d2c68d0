"""`make bench-edge`: what a publisher costs an edge, against nginx-rtmp's push in the same run.

Each side gets the same load, in turn: 100 publishers of the 1080p60 clip at 2.7 Mbit/s in chunks of 4096 bytes. CPU is
that of the one process that takes RTMP in and sends the media out, all threads, in a window after the start. A run in
which media was lost, or the load came late, ends the bench: its figures would mean nothing. Then one publisher alone,
for the delay that the edge adds.
"""

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.bench import edge_nginx
from tests.bench.edge_clip import clip
from tests.bench.edge_load import SPREAD_S
from tests.bench.report import report
from tests.support.stack import Process, eventually

PUBLISHERS = 100
REPEATS = 3
WARM_S = 2.0  # after the last publisher began
WINDOW_S = 12.0
ALONE_S = 8.0
LATE_MS = 250.0  # the 99th percentile; more is no pace of an encoder
HEADERS = 0.02  # what nginx counts besides the messages, of their bytes

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Window(NamedTuple):
    """What a process used from one moment to another."""

    begun: float
    ended: float
    cpu_s: float
    rss_mib: float

    @property
    def percent(self) -> float:
        """Of one core."""
        return 100 * self.cpu_s / (self.ended - self.begun)


def main() -> None:
    """Measure and report."""
    clip()  # made before anything is measured
    ours, theirs, alone = [], [], {}
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        for i in range(REPEATS):
            folder = Path(name, str(i))
            folder.mkdir()
            os.chmod(name, 0o755)  # nginx's workers are nobody
            ours.append(headrace(folder, PUBLISHERS, WINDOW_S))
            theirs.append(nginx(folder, PUBLISHERS, WINDOW_S))
            print({k: round(v, 4) for k, v in (ours[-1] | theirs[-1]).items()}, file=sys.stderr, flush=True)
        folder = Path(name, "alone")
        folder.mkdir()
        alone = headrace(folder, 1, ALONE_S)
    figures = {key: median(run[key] for run in runs) for runs in (ours, theirs) for key in runs[0]}
    figures["ratio"] = median(
        our["cpu_percent_per_publisher"] / their["nginx_cpu_percent_per_publisher"]
        for our, their in zip(ours, theirs, strict=True)
    )
    figures |= {f"alone_{key}": alone[key] for key in ("delay_p50_ms", "delay_p99_ms")}
    report("edge", figures, {"ratio": "<= 2.0"}, edge_nginx.version())


def headrace(folder: Path, publishers: int, window_s: float) -> dict[str, float]:
    """One run of ours."""
    result = folder / "sink.json"
    with python("edge_sink", str(result)) as sink, python("edge_process", word(sink, "target")) as edge:
        url = f"rtmp://127.0.0.1:{word(edge, 'port')}/live"
        window, load = under_load(folder, url, publishers, window_s, edge.pid)
        eventually("every run's end", result.exists, 15)
        came = json.loads(result.read_text())
    if came["frames"] != load["frames"]:
        raise SystemExit(f"void: {sum(came['frames'].values())} of {sum(load['frames'].values())} frames arrived")
    delays_ms = sorted(
        (arrived - sent) / 1000
        for run, times in load["sent_us"].items()
        for sent, arrived in zip(times, came["arrived_us"][run], strict=True)
        if window.begun <= sent / 1e6 < window.ended
    )
    return {
        "cpu_percent_per_publisher": window.percent / publishers,
        "rss_mib": window.rss_mib,
        "delay_p50_ms": delays_ms[len(delays_ms) // 2],
        "delay_p99_ms": delays_ms[len(delays_ms) * 99 // 100],
        "frames_per_message": sum(came["frames"].values()) / came["messages"],
    }


def nginx(folder: Path, publishers: int, window_s: float) -> dict[str, float]:
    """One run of theirs."""
    with edge_nginx.Nginx(folder / "behind") as behind, edge_nginx.Nginx(folder / "before", behind.url) as before:
        window, load = under_load(folder, before.url, publishers, window_s, before.worker)
        time.sleep(0.5)
        passed = behind.received_bytes() / load["payload_bytes"]
    if not 1 <= passed < 1 + HEADERS:
        raise SystemExit(f"void: {passed:.1%} of the bytes passed nginx")
    return {
        "nginx_cpu_percent_per_publisher": window.percent / publishers,
        "nginx_rss_mib": window.rss_mib,
    }


def under_load(folder: Path, url: str, publishers: int, window_s: float, pid: int) -> tuple[Window, dict[str, Any]]:
    """What `pid` used in the window, and what the load wrote down."""
    result, whole_s = folder / "load.json", SPREAD_S + WARM_S + window_s
    with python("edge_load", url, str(publishers), str(whole_s), str(result)) as load:
        begin = float(word(load, "begun", 30)) + SPREAD_S + WARM_S
        time.sleep(max(0.0, begin - time.monotonic()))
        begun, cpu_s = time.monotonic(), used_cpu_s(pid)
        time.sleep(window_s)
        window = Window(begun, time.monotonic(), used_cpu_s(pid) - cpu_s, rss_mib(pid))
        eventually("the load's end", lambda: "ended" in load.lines or not load.running, 15)
        if "ended" not in load.lines:
            raise SystemExit(f"void: the load failed: {load.output}")
        wrote: dict[str, Any] = json.loads(result.read_text())
    if wrote["late_p99_ms"] > LATE_MS:
        raise SystemExit(f"void: the load came {wrote['late_p99_ms']:.0f} ms late")
    return window, wrote


def python(module: str, *arguments: str) -> Process:
    """One of the bench's processes."""
    return Process([sys.executable, "-m", f"tests.bench.{module}", *arguments], HEADRACE_PLAINTEXT="true")


def word(process: Process, name: str, within_s: float = 15) -> str:
    """What the process says after `name`."""

    def said() -> str | None:
        if not process.running:
            raise SystemExit(f"void: {process.output}")
        found = re.search(rf"^{name} (\S+)$", process.output, re.MULTILINE)
        return found[1] if found else None

    return eventually(name, said, within_s)


def used_cpu_s(pid: int) -> float:
    """User and system time of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_mib(pid: int) -> float:
    """Resident memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main()
