"""A worker that fails ends, whatever becomes of its last words: threads that wait for the failed one would wait on."""

import os
from typing import NoReturn, cast

import pytest

from headrace.transcoder.pipe import Message, WorkerEnd
from headrace.transcoder.worker.main import Outbox


class Gone(BaseException):
    """The process has ended."""


class NobodyListens:
    """A pipe upward that fails in its own way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send(self, message: Message) -> None:
        raise self._error


class Closed:
    """Words that reach nobody."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def gone(status: int) -> NoReturn:
    raise Gone(status)


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("cannot be said")])
@pytest.mark.parametrize("stderr_closed", [False, True])
def test_a_worker_that_fails_ends_though_it_cannot_say_why(
    error: Exception, stderr_closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "_exit", gone)
    if stderr_closed:
        monkeypatch.setattr("sys.stderr", Closed())
    with pytest.raises(Gone, match="1"):
        Outbox(cast(WorkerEnd, NobodyListens(error))).fail(RuntimeError("broken"))
