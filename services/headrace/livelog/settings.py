"""What a log is told: the memory log's bound, or the cells of one on servers.

Law: read once, immutable, passed down; an error never shows a password.
"""

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import Field, SecretStr, field_validator

from headrace.livelog.cell import Access, Address, Cell
from headrace.livelog.memory import DEFAULT_MAX_BYTES
from headrace.runtime.config import Settings

DEFAULT_PORT = 6379
_CELL = re.compile(r"(?:([a-z0-9]{1,12})=)?((redis|rediss|redis\+cluster|rediss\+cluster)://\S+)")
_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


class LogSettings(Settings):
    """`HEADRACE_*` variables of the live log."""

    log_bytes: int = Field(default=DEFAULT_MAX_BYTES, gt=0)
    """What all runs together may hold in this process's memory, bytes; above it their windows shrink."""

    log_cells: SecretStr = SecretStr("")
    """The independent cells of a log on Redis or Valkey, separated by blanks, each `[name=]redis://host:port`.

    `rediss://` for TLS, `user:password@` before the host, `redis+cluster://` or `rediss+cluster://` for a Cluster;
    several hosts, separated by commas: the one that is the primary is used. With TLS `?ssl_ca_certs=`,
    `ssl_certfile=` and `ssl_keyfile=` name files. One cell needs no name; of several each has one.
    """

    log_replicas: int = Field(default=0, ge=0, le=8)
    """How many replicas each primary has. All of them must have an entry before it counts as durable."""

    @field_validator("log_cells")
    @classmethod
    def _check(cls, value: SecretStr) -> SecretStr:
        parse_cells(value.get_secret_value())
        return value

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, parsed."""
        return parse_cells(self.log_cells.get_secret_value())


def parse_cells(text: str) -> tuple[Cell, ...]:
    """Cells as `log_cells` lists them. Raises ValueError, which never shows what was given."""
    cells = tuple(_cell(number, word) for number, word in enumerate(text.split(), 1))
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise ValueError("of several cells each needs a name of its own")
    return cells


def _cell(number: int, word: str) -> Cell:
    matched = _CELL.fullmatch(word)
    if matched is None:
        raise ValueError(f"cell {number} is not [name=]redis://host:port; a name is 1 to 12 of a-z and 0-9")
    name, url, scheme = matched.groups()
    try:
        parts = urlsplit(url)
        hosts = tuple(_host(each) for each in parts.netloc.rpartition("@")[2].split(","))
    except ValueError:
        raise ValueError(f"cell {number} has a host or port that cannot be") from None
    if parts.path.strip("/") or parts.fragment:
        raise ValueError(f"cell {number} has a path: the log uses database 0")
    return Cell(name or "", hosts, _access(number, scheme, parts), cluster=scheme.endswith("+cluster"))


def _access(number: int, scheme: str, parts: SplitResult) -> Access:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    options = tuple(parse_qsl(parts.query))
    tls = scheme.startswith("rediss")
    if unknown := {option for option, _ in options} - (_OPTIONS if tls else frozenset()):
        raise ValueError(f"cell {number} has an option that is not known: {min(unknown)}")
    return Access(unquote(user) or None, unquote(password) or None, tls, options)


def _host(text: str) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("no host")
    return Address(parts.hostname, parts.port or DEFAULT_PORT)
