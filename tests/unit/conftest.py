"""Unit tests open no socket: one that tries fails here, by name."""

import socket
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop's own socketpair stays possible; what would meet the outside does not."""

    def refuse(*_: object) -> NoReturn:
        pytest.fail("a unit test opened a socket: it belongs in tests/integration")

    for method in ("bind", "connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, method, refuse)
