"""What a child process used, whichever side of the comparison it is on."""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.05


@dataclass(frozen=True)
class Usage:
    """User and system time of the process and all that it waited for, seconds; its largest resident set, MiB."""

    cpu_s: float
    peak_mib: float


def watch(pid: int) -> Usage:
    """Wait for child `pid` to end. Raises SystemExit where it failed.

    The resident set is asked for while it runs: what `wait4` says of a child begins with the size of its parent.
    """
    peak_kib = 0
    while True:
        peak_kib = max(peak_kib, _peak_kib(pid))
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        time.sleep(POLL_S)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"a measured process ended with {code}")
    return Usage(used.ru_utime + used.ru_stime, peak_kib / 1024)


def _peak_kib(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0
