"""One independent log cell as settings name it: the servers by which it is found, and how they are entered.

Law: a password never shows itself. Neighbours: `settings` reads these, `redis` connects to them.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class TlsFiles(NamedTuple):
    """Paths of PEM files: who signs servers ('': whom this system trusts), and our own certificate and its key."""

    authority: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """How its servers are entered; the same for all of a cell. `tls` is None for plaintext.

    A password that is kept in a file is read for each connection, so that it may change.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: str = ""
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. Several hosts of one that is no Cluster: the one that is the primary is used."""

    name: str
    hosts: tuple[Address, ...]
    access: Access = field(default_factory=Access)
    cluster: bool = False
