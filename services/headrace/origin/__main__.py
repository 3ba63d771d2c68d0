"""`python -m headrace.origin`: this service as a process of its own."""

from collections.abc import Callable

from headrace.runtime.process import Service, run_process


def _load() -> Callable[[], Service]:
    from headrace.origin.service import OriginSettings, build

    return lambda: build(OriginSettings())


if __name__ == "__main__":
    run_process("origin", _load)
