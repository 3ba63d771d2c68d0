"""How much memory processes take, as the kernel counts it.

The proportional set size, not the resident one: workers share their interpreter's and libraries' pages, and a page that
twenty processes map is one page.
"""

from collections.abc import Iterable
from pathlib import Path


def pss_bytes(pids: Iterable[int]) -> int:
    """The sum over those that live."""
    return sum(map(_of, pids))


def _of(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # gone, or on its way
        return 0
    return next((int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Pss:")), 0)
