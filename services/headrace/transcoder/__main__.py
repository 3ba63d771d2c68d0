"""`python -m headrace.transcoder`: this service as a process of its own."""

from collections.abc import Callable

from headrace.runtime.process import Service, run_process


def _load() -> Callable[[], Service]:
    from headrace.transcoder.service import TranscoderSettings, build

    return lambda: build(TranscoderSettings())


if __name__ == "__main__":
    run_process("transcoder", _load)
