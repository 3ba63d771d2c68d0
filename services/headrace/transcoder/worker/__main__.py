"""`python -m headrace.transcoder.worker FD`: started by the supervisor, which left its pipe open as FD.

Law: it steps back before it loads anything, because loading is what a start costs.
"""

import os
import sys
from contextlib import suppress

NICE = 5  # the supervisor, and whatever else shares the node, comes first
OOM_SCORE = "500"  # when memory runs out a worker is the cheapest to lose


def step_back() -> None:
    """Let everybody else go first."""
    os.nice(NICE)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(OOM_SCORE)


step_back()

from headrace.transcoder.worker.main import main  # noqa: E402

main(int(sys.argv[1]))
