"""One target under atheris, guided by coverage: `python -m tests.fuzz.one NAME [libFuzzer's own arguments]`.

Law: the package is instrumented before anything of it is imported, so this module imports nothing of it by itself.
Every input is held to its time, one in `MEASURED` to its memory as well: what was found worth keeping is measured
afterwards, all of it (`replay`). Neighbours: `__main__` starts one process of this for each target.
"""

import logging
import sys

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

MEASURED = 64
SLOWER = 12.0  # than without instruments, at the worst


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer has enough; it ends this process."""
    name = arguments.pop(1)
    with atheris.instrument_imports(include=["headrace"], enable_loader_override=False):
        from tests.fuzz.judge import judge_memory, judge_time
        from tests.fuzz.targets import TARGETS
    logging.disable(logging.CRITICAL)
    target = TARGETS[name]
    fed = 0

    def take(data: bytes) -> None:
        nonlocal fed
        fed += 1
        judge_time(target, data, SLOWER)
        if fed % MEASURED == 0:
            judge_memory(target, data)

    take(b"")  # what is made once is made before anything is measured
    # libFuzzer starts itself again for each attempt at a merge, by a shell.
    again = f"{sys.executable} -W ignore -m tests.fuzz.one {name}"
    atheris.Setup([again, *arguments[1:], f"-max_len={target.max_bytes}"], take)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
