"""`python -m headrace.transcoder.worker FD`: started by the supervisor, which left its pipe open as FD.

Law: it steps back before it loads anything, because loading is what a start costs. It never outlives its supervisor:
a worker that reads its pipe sees the pipe's end, and the kernel sees to one that is stuck.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress

NICE = 5  # the supervisor, and whatever else shares the node, comes first
OOM_SCORE = "500"  # when memory runs out a worker is the cheapest to lose
PR_SET_PDEATHSIG = 1  # prctl(2): the signal that comes with the parent's death


def step_back() -> None:
    """Let everybody else go first."""
    os.nice(NICE)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(OOM_SCORE)


def die_with_supervisor() -> None:
    """Be killed when the supervisor is, whatever state this process is in."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


die_with_supervisor()
step_back()

from headrace.transcoder.worker.main import main  # noqa: E402

main(int(sys.argv[1]))
