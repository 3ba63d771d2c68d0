"""`headrace up` that cannot start says so as the one error that it is."""

import asyncio
from pathlib import Path

import pytest

from headrace.core.errors import HeadraceError
from headrace.runtime.lifecycle import CannotStart
from headrace.standalone import up as standalone
from headrace.standalone.settings import Address, UpSettings

ANY = Address("127.0.0.1", 0)


async def start(settings: UpSettings) -> None:
    async with asyncio.timeout(20):
        await standalone.up(settings, asyncio.Event(), lambda _: None)


@pytest.mark.parametrize("host", ["no such host", "a..b", "x" * 70])
async def test_a_host_that_cannot_be_is_a_sentence(tmp_path: Path, host: str) -> None:
    with pytest.raises(CannotStart, match="cannot listen for RTMP"):
        await start(UpSettings(tmp_path, Address(host, 0), ANY))


async def test_a_database_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "headrace.db").write_bytes(b"not a database" * 100)
    with pytest.raises(HeadraceError, match="not a database"):
        await start(UpSettings(tmp_path, ANY, ANY))
