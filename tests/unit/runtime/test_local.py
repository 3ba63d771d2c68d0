"""Which hosts are this machine."""

import pytest

from headrace.runtime.local import is_local


@pytest.mark.parametrize(
    "host",
    ["", "localhost", "LocalHost.", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "/run/postgresql", "@abstract"],
)
def test_loopback_addresses_and_sockets_are_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["db", "db.example", "10.0.0.1", "0.0.0.0", "::", "2001:db8::1", "localhost.example", "127.0.0.1.example"]
)
def test_everything_else_may_be_anywhere(host: str) -> None:
    assert not is_local(host)
