"""A process as `lifecycle` runs it."""

import subprocess
import sys

ASKS_FOR_ITS_LIMIT = """
import resource
from headrace.runtime.lifecycle import run_until_signalled
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, hard), hard))
async def main(stopping):
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
run_until_signalled(main)
"""


def test_a_process_may_open_as_many_files_as_the_system_lets_it() -> None:
    ran = subprocess.run([sys.executable, "-c", ASKS_FOR_ITS_LIMIT], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
