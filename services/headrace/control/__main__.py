"""`python -m headrace.control`: this service as a process of its own."""

from collections.abc import Callable

from headrace.runtime.process import Service, run_process


def _load() -> Callable[[], Service]:
    from headrace.control.service import ControlSettings, build

    return lambda: build(ControlSettings())  # type: ignore[call-arg]  # from the environment


if __name__ == "__main__":
    run_process("control", _load)
