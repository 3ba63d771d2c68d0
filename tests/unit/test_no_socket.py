"""The guard of the inner loop: a unit test that reaches for the network fails."""

import socket

import pytest


@pytest.mark.parametrize("method", ["bind", "connect", "connect_ex"])
def test_a_unit_test_that_opens_a_socket_fails(method: str) -> None:
    with socket.socket() as opened, pytest.raises(pytest.fail.Exception, match="tests/integration"):
        getattr(opened, method)(("127.0.0.1", 0))
