"""A log over TLS: one server, one with a replica, a Cluster; and each way in which it cannot be entered, in words."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest

from headrace.core.broadcast import RunId
from headrace.livelog.base import LiveLog, Unreachable
from tests.support.authority import Authority, Signed
from tests.support.log_contract import LogContract, Writer, claim_of, everything, part_at
from tests.support.redis import Cluster, Pair, Server
from tests.support.redis_logs import opened

_CUT_SHORT = "it may want another certificate of ours"  # where the server's alert was lost with the connection


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with Authority() as authority:
        yield authority


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Signed:
    return authority.sign("transcoder")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Server]:
    with Server(authority=authority) as server:
        yield server


def files(authority: Authority, ours: Signed | None) -> dict[str, Any]:
    """The settings."""
    certificate, key = ours or ("", "")
    return {"log_tls_authority": authority.file, "log_tls_certificate": certificate, "log_tls_key": key}


class TestOneServer(LogContract):
    """All of the contract."""

    @pytest.fixture
    async def log(self, server: Server, authority: Authority, ours: Signed) -> AsyncIterator[LiveLog]:
        server.empty()
        async with opened(server.url, **files(authority, ours)) as log:
            yield log


async def test_files_may_be_named_in_the_url(server: Server, authority: Authority, ours: Signed) -> None:
    server.empty()
    named = f"?ssl_ca_certs={authority.file}&ssl_certfile={ours.certificate}&ssl_keyfile={ours.key}"
    async with opened(server.url + named) as log:
        await _a_run(log)


async def test_a_server_with_a_replica(authority: Authority, ours: Signed) -> None:
    with Pair(authority=authority) as pair:
        async with opened(pair.url, 1, **files(authority, ours)) as log:
            await _a_run(log)
            assert pair.replica.ask("ROLE")[3] == b"connected"


async def test_a_cluster(authority: Authority, ours: Signed) -> None:
    with Cluster(authority) as cluster:
        async with opened(cluster.url, 1, **files(authority, ours)) as log:
            for number in range(6):
                await _a_run(log, f"run{number}")
        assert all(node.ask("DBSIZE") for node in cluster.primaries())  # each was reached by the address it announces


@pytest.mark.parametrize(
    ("names", "days", "said"),
    [
        (("127.0.0.1",), -1, "its certificate has expired"),
        (("log.example",), 30, "its certificate is for another name than 127.0.0.1"),
    ],
    ids=["expired", "another name"],
)
async def test_a_server_with_a_wrong_certificate_is_not_entered(
    authority: Authority, ours: Signed, names: tuple[str, ...], days: int, said: str
) -> None:
    with Server(authority=authority, signed=authority.sign(*names, days=days)) as server:
        assert await _refusal(server.url, **files(authority, ours)) == f"{server.at}: {said}"


async def test_a_server_of_another_authority_is_not_entered(server: Server, ours: Signed) -> None:
    with Authority() as another:
        assert "signed by nobody whom we trust" in await _refusal(server.url, **files(another, ours))
    assert "signed by nobody whom we trust" in await _refusal(server.url)  # nor by those whom this system trusts


async def test_who_trusts_an_authority_of_its_own_trusts_nobody_else(
    server: Server, authority: Authority, ours: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.file)  # the system's
    server.empty()
    async with opened(f"{server.url}?ssl_certfile={ours.certificate}&ssl_keyfile={ours.key}") as log:
        await _a_run(log)
    with Authority() as another:
        assert "signed by nobody whom we trust" in await _refusal(server.url, **files(another, ours))


async def test_who_has_no_certificate_is_told_that_the_server_wants_one(server: Server, authority: Authority) -> None:
    said = await _refusal(server.url, **files(authority, None))
    assert "a certificate of ours" in said
    assert said.endswith("set HEADRACE_LOG_TLS_CERTIFICATE and HEADRACE_LOG_TLS_KEY")


async def test_whose_certificate_the_server_does_not_trust_is_told_so(server: Server, authority: Authority) -> None:
    with Authority() as another:
        said = await _refusal(server.url, **files(authority, another.sign("transcoder")))
        assert said.endswith(("it does not trust who signed our certificate", _CUT_SHORT))


async def test_whose_certificate_has_expired_is_told_so(server: Server, authority: Authority) -> None:
    expired = authority.sign("transcoder", days=-1)
    said = await _refusal(server.url, **files(authority, expired))
    assert said.endswith(("our certificate has expired", _CUT_SHORT))


async def test_plaintext_to_a_port_of_tls(server: Server) -> None:
    assert "it may want TLS: begin the cell's URL with rediss://" in await _refusal(f"redis://{server.at}")


async def test_tls_to_a_port_of_plaintext(authority: Authority, ours: Signed) -> None:
    with Server() as server:
        said = await _refusal(f"rediss://{server.at}", **files(authority, ours))
        assert "it may not speak TLS on this port: name its TLS port" in said


async def test_files_that_are_not_there_or_not_each_others(server: Server, authority: Authority, ours: Signed) -> None:
    missing = files(authority, ours) | {"log_tls_authority": "/nowhere/ca.pem"}
    assert "/nowhere/ca.pem: No such file" in await _refusal(server.url, **missing)
    mixed = files(authority, ours) | {"log_tls_key": authority.sign("another").key}
    assert "no certificate and key that belong together" in await _refusal(server.url, **mixed)


async def test_new_certificates_are_used_without_a_restart(server: Server, authority: Authority) -> None:
    server.empty()
    expired, fresh = authority.sign("transcoder", days=-1), authority.sign("transcoder")
    async with opened(server.url, **files(authority, expired)) as log:
        with pytest.raises(Unreachable):
            await log.takeover(RunId("run"), claim_of(), 0, open_new=True)
        for old, new in zip(expired, fresh, strict=True):
            shutil.copyfile(new, old)
        await _a_run(log)


async def test_a_port_that_says_nothing_is_given_up() -> None:
    entered: list[asyncio.Event] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = asyncio.Event()
        entered.append(left)
        with suppress(OSError):
            await reader.read()
        writer.close()
        left.set()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with listening, asyncio.timeout(8):
        port = listening.sockets[0].getsockname()[1]
        assert "no answer" in await _refusal(f"rediss://127.0.0.1:{port}")
        for left in entered:
            await left.wait()


async def _a_run(log: LiveLog, run: str = "run") -> None:
    writer = Writer(log, run=RunId(run))
    await writer.open()
    await writer.append(part_at("720p", 0, 0))
    assert len((await everything(log, RunId(run))).entries) == writer.n


async def _refusal(url: str, **settings: Any) -> str:
    async with opened(url, **settings) as log:
        with pytest.raises(Unreachable) as refused:
            await log.takeover(RunId("run"), claim_of(), 0, open_new=True)
    return str(refused.value).partition("no primary: ")[2]
