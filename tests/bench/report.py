"""What a bench says at its end: one line of JSON with its figures, its goals, and the machine they were taken on."""

import json
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

GIB = 1 << 30


def report(name: str, figures: Mapping[str, float], goals: Mapping[str, str], against: str) -> None:
    """Print the line. `figures` have their units in their names; a goal is `<= x` or `>= x` of a figure.

    `against`: the peer and its version, or "" where there is none. Raises KeyError for a goal without a figure.
    """
    holds = all(met(figures[figure], goal) for figure, goal in goals.items())
    line = {
        "name": name,
        "figures": {figure: float(f"{value:.4g}") for figure, value in figures.items()},
        "goals": dict(goals),
        "holds": holds,
        "against": against,
        "machine": machine(),
    }
    print(json.dumps(line), flush=True)


def met(value: float, goal: str) -> bool:
    """Whether `value` is what `goal` asks for. Raises ValueError for a goal of another form."""
    match goal.split():
        case ["<=", bound]:
            return value <= float(bound)
        case [">=", bound]:
            return value >= float(bound)
    raise ValueError(f"a goal is '<= x' or '>= x', not {goal!r}")


def machine() -> str:
    """This machine in a few words: processor, cores that may be used, memory, Python."""
    names = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    cores = len(os.sched_getaffinity(0))
    processor = names[0] if names else platform.machine()
    return f"{processor}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"
