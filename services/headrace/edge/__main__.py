"""`python -m headrace.edge`: this service as a process of its own."""

from collections.abc import Callable

from headrace.runtime.process import Service, run_process


def _load() -> Callable[[], Service]:
    from headrace.edge.service import EdgeSettings, build

    return lambda: build(EdgeSettings())


if __name__ == "__main__":
    run_process("edge", _load)
