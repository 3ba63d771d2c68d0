"""A throw-away PostgreSQL of Debian's, and databases in it that cost a test a twentieth of a second.

Law: nothing outlives the tests: the server dies with the process that started it, and its folder with the server.
It listens on a free port of its host, trusts whoever comes, runs as nobody where the tests are root (it refuses root),
and by default does not wait for the disk. Every commit of a `slow` one takes 2 ms, as on a disk of a cloud. One with an
authority speaks TLS, and asks for a client's certificate where it is told to.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import psycopg

from headrace.runtime.local import is_local
from tests.support.authority import Authority, Signed
from tests.support.hosts import LOOPBACK, Host

FOLDERS = "/usr/lib/postgresql/*/bin"
USER = "headrace"
START_S = 20.0
STOP_S = 10.0

# No promise to the disk: a test's data may die with the machine.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Each group of commits sleeps 2 ms (`commit_delay`, microseconds) before it writes, were it of one. It does so only
# where fsync is on; in memory that costs nothing.
MEMORY = "/dev/shm"
SLOW = {"fsync": "on", "synchronous_commit": "on", "commit_delay": "2000", "commit_siblings": "0"}


class Missing(Exception):
    """The server's programs are not here; the message says what to install."""


class Postgres:
    """A server. `start` it, take a `url` of a database, `stop` it."""

    def __init__(
        self,
        *,
        slow: bool = False,
        host: Host = LOOPBACK,
        authority: Authority | None = None,
        signed: Signed | None = None,
        asks_clients: bool = False,
        **settings: str,
    ) -> None:
        self.port = 0
        self._host = host
        self._authority = authority
        self._signed = signed
        self._asks_clients = asks_clients
        self._parameters = "" if is_local(host.address) else "?sslmode=disable"
        self._settings = {**(SLOW if slow else FAST), "max_connections": "200", **settings}
        self._under = MEMORY if slow else None
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._template = ""

    def start(self) -> None:
        """Make its folder and run it until it answers. Raises Missing, RuntimeError with what it said."""
        self._folder = Path(tempfile.mkdtemp(prefix="headrace-postgres-", dir=self._under))
        if uid := _other_user():
            os.chown(self._folder, uid, -1)
        options = (
            "--auth=trust",
            f"--username={USER}",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--no-instructions",
        )
        made = subprocess.run(
            [*_as_other_user(), program("initdb"), *options, "--pgdata", self._data],
            cwd=self._folder, capture_output=True, text=True, check=False, timeout=START_S * 3,
        )  # fmt: skip
        if made.returncode:
            shutil.rmtree(self._folder)
            raise RuntimeError(f"initdb failed: {made.stderr}")
        if self._authority is not None:
            self._speak_tls(self._authority)
        else:
            with Path(self._data, "pg_hba.conf").open("a") as trusted:
                trusted.write("host all all samenet trust\n")
        self.port = _free_port()
        self.resume()

    def resume(self) -> None:
        """Run it again on its data and its port after `halt`."""
        assert self._folder is not None
        settings = {**self._settings, "port": str(self.port), "listen_addresses": self._host.address}
        settings |= {"unix_socket_directories": "", "timezone": "UTC"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._said.open("ab") as said:
            self._process = self._run(said, [program("postgres"), "-D", self._data, *words])
        until = time.monotonic() + START_S
        while True:
            try:
                with psycopg.connect(self.raw_url("postgres"), connect_timeout=2):
                    return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > until:
                    words_said = self._said.read_text(errors="replace")
                    self.stop()
                    raise RuntimeError(f"PostgreSQL does not answer: {error}\n{words_said}") from None
                time.sleep(0.02)

    def halt(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it and everybody's connections; its data stays. SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_S)
            self._process = None

    def freeze(self) -> None:
        """It answers nobody any more, and closes no connection; `thaw` ends that."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._signal_all(signal.SIGCONT)

    def stop(self) -> None:
        """End it and forget its data."""
        self.halt(signal.SIGQUIT)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def url(self, database: str) -> str:
        """As control takes it."""
        return self.raw_url(database).replace("postgresql:", "postgresql+psycopg:", 1)

    def raw_url(self, database: str) -> str:
        """As psycopg and psql take it."""
        return f"postgresql://{USER}@{self._host.address}:{self.port}/{database}{self._parameters}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """One statement outside any transaction; the rows that it gives."""
        with psycopg.connect(self.raw_url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> str:
        """The name of a new database with nothing in it."""
        return self._make("template0")

    async def migrated(self, migrate: Callable[[str], Awaitable[object]]) -> str:
        """The name of a new database on which `migrate` ran: it runs once, and its work is copied."""
        if not self._template:
            made = self.empty()
            await migrate(self.url(made))
            self._template = made
        return self._make(self._template)

    def drop(self, database: str) -> None:
        """Forget a database, whoever is still connected."""
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    @property
    def _data(self) -> str:
        return f"{self._folder}/data"

    @property
    def _said(self) -> Path:
        return Path(f"{self._folder}/said")

    def _speak_tls(self, authority: Authority) -> None:
        """With files of its own, since it uses no key that others may read."""
        signed = self._signed or authority.sign(self._host.address)
        for name, given in (("server.crt", signed.certificate), ("server.key", signed.key)):
            file = Path(self._data, name)
            shutil.copyfile(given, file)
            file.chmod(0o600)
            if uid := _other_user():
                os.chown(file, uid, -1)
        self._settings |= {"ssl": "on", "ssl_ca_file": authority.file}
        asked = " clientcert=verify-ca" if self._asks_clients else ""
        Path(self._data, "pg_hba.conf").write_text(f"hostssl all all all trust{asked}\n")
        ours = authority.sign(USER)
        self._parameters = f"?sslmode=require&sslcert={ours.certificate}&sslkey={ours.key}"

    def _make(self, template: str) -> str:
        self._made += 1
        name = f"test_{self._made}"
        # Copying files is quicker than writing them into the log page by page, while nothing waits for the disk.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def _run(self, said: IO[bytes], command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._host.command, *_as_other_user(), *command],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )

    def _signal_all(self, what: signal.Signals) -> None:
        assert self._process is not None
        me = self._process.pid
        children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        for pid in (me, *map(int, children)):
            with suppress(ProcessLookupError):  # a connection that has just ended
                os.kill(pid, what)


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs, of the newest version that is here. Raises Missing."""
    found = sorted(Path("/").glob(f"{FOLDERS[1:]}/{name}"), key=lambda path: int(path.parts[-3]))
    if path := str(found[-1]) if found else shutil.which(name):
        return path
    raise Missing(
        f"no {name} in {FOLDERS} or on the path: install PostgreSQL's server (Debian: apt-get install postgresql)"
    )


def _other_user() -> int:
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else 0


def _as_other_user() -> list[str]:
    # A server whose parent is killed would live for ever; SIGQUIT is its quickest end.
    command = ["setpriv", "--pdeathsig", "QUIT"]
    if uid := _other_user():
        command += ["--reuid", str(uid), "--regid", str(pwd.getpwuid(uid).pw_gid), "--clear-groups"]
    return command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
