"""How much memory this process may use.

Law: the container's limit counts, not the node's; where there is no limit, the machine's memory.
"""

import os
from pathlib import Path

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_limit_bytes(limit_files: tuple[Path, ...] = _CGROUP_LIMITS) -> int:
    """The smaller of the cgroup's limit and the machine's memory, bytes."""
    limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in limit_files:
        try:
            limit = min(limit, int(file.read_text()))
        except (OSError, ValueError):
            continue  # no such hierarchy, or "max"
    return limit
