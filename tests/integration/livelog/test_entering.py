"""How servers are entered: passwords, TLS, several cells; and what is said of servers that are set up wrongly."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.base import NoRun, Unreachable
from headrace.livelog.cell import Access, Address
from headrace.livelog.redis.checks import complaints
from headrace.livelog.redis.connection import Link
from tests.support.log_contract import START, Writer, claim_of, everything, next_of, part_at, told
from tests.support.redis import Pair, Server
from tests.support.redis_logs import opened

PASSWORD = "s3cret:of/the@log"
QUOTED = "s3cret%3Aof%2Fthe%40log"


@pytest.fixture
def guarded() -> Iterator[Server]:
    with Server() as server:
        server.ask("ACL", "SETUSER", "writer", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        server.ask("ACL", "SETUSER", "default", "resetpass", "nopass", "-@all", "+ping", "+acl")
        yield server


async def test_a_user_and_a_password_are_taken_from_the_url(guarded: Server) -> None:
    async with opened(f"redis://writer:{QUOTED}@127.0.0.1:{guarded.port}") as log:
        writer = Writer(log)
        await writer.open()
        await writer.append(part_at("720p", 0, 0))
        assert await log.get(RunId("run"), "720p", 0, 0, "e1") is not None
        assert len((await everything(log)).entries) == writer.n


@pytest.mark.parametrize("user", [f"writer:{PASSWORD[:6]}%3Awrong@", ""])
async def test_who_may_not_enter_is_told_so_without_the_password(guarded: Server, user: str) -> None:
    async with opened(f"redis://{user}127.0.0.1:{guarded.port}") as log:
        with pytest.raises(Unreachable) as refused:
            await log.takeover(RunId("run"), claim_of(), 0, open_new=True)
        assert "password" in str(refused.value) or "permission" in str(refused.value).lower()
        assert "s3cret" not in str(refused.value)


async def test_an_entry_is_not_staged_where_its_bytes_were_refused(guarded: Server) -> None:
    async with opened(f"redis://writer:{QUOTED}@127.0.0.1:{guarded.port}") as log:
        writer = Writer(log)
        await writer.open()
        guarded.ask("ACL", "SETUSER", "writer", "-set")
        with pytest.raises(Unreachable):
            await writer.stage(part_at("720p", 0, 0))
        taken = await log.takeover(writer.run, claim_of(take=2), 0)
        assert (taken.n, taken.rungs) == (writer.n, {})


async def test_an_origins_user_reads_and_can_do_nothing_else(guarded: Server) -> None:
    may = ["+fcall_ro", "+get", "+hmget", "+xrange", "+hgetall", "+role", "+ssubscribe", "+sunsubscribe", "+ping"]
    guarded.ask("ACL", "SETUSER", "reader", "on", ">pass", "~*", "&*", "-@all", *may)
    async with (
        opened(f"redis://writer:{QUOTED}@127.0.0.1:{guarded.port}") as log,
        opened(f"redis://reader:pass@127.0.0.1:{guarded.port}") as origins,
    ):
        writer = Writer(log)
        await writer.open()
        await log.set_current(StreamId("stream"), writer.run)
        following = origins.follow(writer.run, START)
        await next_of(following)
        await writer.append(part_at("720p", 0, 0))
        assert await told(following, 1) == [part_at("720p", 0, 0)]
        assert await origins.current(StreamId("stream")) == writer.run
        assert await origins.get(writer.run, "720p", 0, 0, "e1") is not None
        with pytest.raises(Unreachable):
            await origins.takeover(writer.run, claim_of(9), 0)
        with pytest.raises(Unreachable):
            await origins.set_current(StreamId("stream"), RunId("another"))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with a key and a certificate for 127.0.0.1 that signs itself."""
    made = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-days", "2", "-subj", "/CN=log", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *made, *names], check=True, capture_output=True)
    return tmp_path


async def test_a_log_over_tls(certificate: Path) -> None:
    signed, key = str(certificate / "cert.pem"), str(certificate / "key.pem")
    with Server(tls_auth_clients="no", tls_ca_cert_file=signed, tls_cert_file=signed, tls_key_file=key) as server:
        server.ask("CONFIG", "SET", "tls-port", str(server.port + 1 if server.port < 65_000 else server.port - 1))
        tls_port = int(server.ask("CONFIG", "GET", "tls-port")[b"tls-port"])
        url = f"rediss://127.0.0.1:{tls_port}"
        async with opened(f"{url}?ssl_ca_certs={certificate / 'cert.pem'}") as log:
            writer = Writer(log)
            await writer.open()
            await writer.append(part_at("720p", 0, 0))
            assert len((await everything(log)).entries) == writer.n
        async with opened(url) as log:  # signed by nobody that this system trusts
            with pytest.raises(Unreachable, match=r"(?i)certificate"):
                await log.takeover(RunId("run"), claim_of(), 0, open_new=True)


async def test_a_run_lives_in_the_cell_that_its_id_names(server: Server, pair: Pair) -> None:
    server.empty()
    pair.primary.empty()
    async with opened(f"a={server.url} b={pair.url}") as log:
        assert log.cells == ("a", "b")
        assert not log.in_process
        for run in ("a-run", "b-run"):
            await Writer(log, run=RunId(run)).open()
        assert len((await everything(log, RunId("a-run"))).entries) == 4
        for each, key in ((server, b"{a-run}:h"), (pair.primary, b"{b-run}:h")):
            assert each.ask("KEYS", "*:h") == [key]
        for unknown in ("c-run", "run"):
            with pytest.raises(NoRun):
                await log.read(RunId(unknown), (await everything(log, RunId("a-run"))).cursor)


async def test_of_several_cells_the_newest_run_of_a_stream_wins_and_a_dead_cell_is_left_out(pair: Pair) -> None:
    pair.primary.empty()
    stream, unknown = StreamId("stream"), StreamId("another")
    with Server() as server:
        async with opened(f"a={server.url} b={pair.url}") as log:
            await log.set_current(stream, RunId("a-run"))
            assert await log.current(stream) == "a-run"
            await log.set_current(stream, RunId("b-run"))
            pair.primary.ask("SET", "current:stream", f"{10**14} b-run")
            assert await log.current(stream) == "b-run"
            assert await log.current(unknown) is None
            server.kill()
            assert await log.current(stream) == "b-run"
            with pytest.raises(Unreachable):
                await log.current(unknown)  # perhaps the one that is away knows it
            await Writer(log, run=RunId("b-run")).open()


async def test_a_log_says_in_words_how_its_servers_are_set_up_wrongly(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    link = await Link.open(Address("127.0.0.1", server.port), Access(), 2)
    assert await complaints(link, 0) == []
    said = await complaints(link, 1)
    assert [sentence.split()[0] for sentence in said] == [
        "it",
        "repl-backlog-size",
        "client-output-buffer-limit",
        "nothing",
    ]
    link.close()
