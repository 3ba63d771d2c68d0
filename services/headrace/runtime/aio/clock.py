"""The process's only clocks.

Law: no other module reads the time; pure code is given it as an argument.
"""

import os
import time
from pathlib import Path

STARTED = 19  # of the fields behind the command's name in /proc/PID/stat (proc(5): starttime, the 22nd of all)


def monotonic_s() -> float:
    """Seconds that never go back; only differences mean something."""
    return time.monotonic()


def monotonic_ms() -> int:
    """The same in whole milliseconds."""
    return time.monotonic_ns() // 1_000_000


def unix_ms() -> int:
    """Milliseconds since 1970-01-01T00:00Z."""
    return time.time_ns() // 1_000_000


def unix_ns() -> int:
    """The same in nanoseconds."""
    return time.time_ns()


def process_age_s() -> float:
    """Seconds since this process was started, which is before its first line of Python."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[STARTED])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
