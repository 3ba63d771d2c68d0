"""The URLs that are handed out."""

import asyncio
import socket
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from headrace.standalone import up as standalone
from headrace.standalone.public import public_host
from headrace.standalone.settings import Address, UpSettings
from headrace.standalone.up import Started


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "media.example", "192.0.2.7"])
def test_a_host_that_one_can_go_to_is_left_as_it_is(host: str) -> None:
    assert public_host(host) == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_to_listen_on_becomes_one_to_go_to(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ip_address(public_host(host)).is_unspecified

    def unreachable(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    assert public_host(host) == "127.0.0.1"


async def test_no_url_names_an_unspecified_address(tmp_path: Path) -> None:
    stopping = asyncio.Event()
    told: list[Started] = []

    def on_started(started: Started) -> None:
        told.append(started)
        asyncio.get_running_loop().call_later(0.5, stopping.set)

    everywhere = Address("0.0.0.0", 0)
    async with asyncio.timeout(20):
        await standalone.up(UpSettings(tmp_path, everywhere, everywhere), stopping, on_started)
    for url in (told[0].console_url, told[0].rtmp_url):
        assert urlsplit(url).hostname == public_host("0.0.0.0")
