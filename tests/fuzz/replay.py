"""Feed a target files, or all files of folders: `python -m tests.fuzz.replay NAME PATH...`.

Law: each input is judged as in `make test`; the first that is found out is told with all that is known of it, and the
exit status is 1. Neighbours: `__main__` prints the line that comes here.
"""

import logging
import sys
import traceback
from pathlib import Path

from tests.fuzz.judge import feed, judge, judge_leaks
from tests.fuzz.targets import TARGETS

LEAKS_OF = 200  # inputs are looked at together


def main(name: str, *paths: str) -> int:
    """Exit status."""
    logging.disable(logging.CRITICAL)
    target = TARGETS[name]
    files = [file for path in map(Path, paths) for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    inputs = [file.read_bytes() for file in files]
    feed(target, b"")
    for file, data in zip(files, inputs, strict=True):
        try:
            judge(target, data)
        except Exception:
            print(f"{name}: {file} ({len(data)} bytes)", file=sys.stderr)
            traceback.print_exc()
            return 1
    if inputs:
        judge_leaks(target, inputs[:: max(1, len(inputs) // LEAKS_OF)])
    print(f"{name}: {len(files)} inputs hold")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
