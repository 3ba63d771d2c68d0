"""What a log is told: the memory log's bound, or the cells of one on servers.

Law: read once, immutable, passed down; an error never shows a password. What a cell's URL says goes before what is said
for all cells.
"""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from headrace.livelog.cell import Access, Address, Cell, TlsFiles
from headrace.livelog.memory import DEFAULT_MAX_BYTES
from headrace.runtime.config import Settings

DEFAULT_PORT = 6379
_CELL = re.compile(r"(?:([a-z0-9]{1,12})=)?((redis|rediss|redis\+cluster|rediss\+cluster)://\S+)")
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class ForAll(NamedTuple):
    """How cells are entered whose URLs do not say."""

    username: str = ""
    password_file: str = ""
    tls: TlsFiles = TlsFiles()


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

    log_user: str = ""
    """The user that cells are entered as whose URLs name none."""

    log_password_file: str = ""
    """A file with the password of cells whose URLs have none; it is read for each connection, so that it may change."""

    log_tls_authority: str = ""
    """A PEM file with those who sign the log's servers' certificates; empty: those whom this system trusts."""

    log_tls_certificate: str = ""
    """A PEM file with our own certificate, where the log's servers ask for one."""

    log_tls_key: str = Field(default="", validate_default=True)
    """A PEM file with its key."""

    @field_validator("log_cells")
    @classmethod
    def _check(cls, value: SecretStr) -> SecretStr:
        parse_cells(value.get_secret_value())
        return value

    @field_validator("log_tls_key")
    @classmethod
    def _check_tls(cls, key: str, info: ValidationInfo) -> str:
        authority, certificate = (str(info.data.get(f"log_tls_{name}", "")) for name in ("authority", "certificate"))
        if bool(certificate) != bool(key):
            raise ValueError("HEADRACE_LOG_TLS_CERTIFICATE and HEADRACE_LOG_TLS_KEY go together")
        given = info.data.get("log_cells", SecretStr("")).get_secret_value()
        if (authority or certificate) and given and not any(cell.access.tls for cell in parse_cells(given)):
            raise ValueError("files for TLS are named, and no cell of HEADRACE_LOG_CELLS begins with rediss://")
        return key

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, parsed."""
        tls = TlsFiles(self.log_tls_authority, self.log_tls_certificate, self.log_tls_key)
        given = ForAll(self.log_user, self.log_password_file, tls)
        return parse_cells(self.log_cells.get_secret_value(), given)


def parse_cells(text: str, given: ForAll = ForAll()) -> tuple[Cell, ...]:  # noqa: B008  # an immutable tuple
    """Cells as `log_cells` lists them. Raises ValueError, which never shows what was given."""
    cells = tuple(_cell(number, word, given) for number, word in enumerate(text.split(), 1))
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise ValueError("of several cells each needs a name of its own")
    return cells


def _cell(number: int, word: str, given: ForAll) -> Cell:
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
    return Cell(name or "", hosts, _access(number, scheme, parts, given), cluster=scheme.endswith("+cluster"))


def _access(number: int, scheme: str, parts: SplitResult, given: ForAll) -> Access:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = scheme.startswith("rediss")
    if options.keys() - set(_TLS_OPTIONS if tls else ()):
        # Which one is not said: it is a password's second half where that has a question mark.
        known = f"with TLS there are {', '.join(_TLS_OPTIONS)}" if tls else "without TLS there are none"
        raise ValueError(f"cell {number} has an option that is not known: {known}; a ? in a password is written %3F")
    if ("ssl_certfile" in options) != ("ssl_keyfile" in options):
        raise ValueError(f"cell {number} has one of ssl_certfile and ssl_keyfile: they go together")
    file = "" if password else given.password_file
    return Access(
        unquote(user) or given.username or None,
        unquote(password) or None,
        file,
        _files(options, given.tls) if tls else None,
    )


def _files(options: dict[str, str], given: TlsFiles) -> TlsFiles:
    authority = options.get("ssl_ca_certs", given.authority)
    if "ssl_certfile" in options:
        return TlsFiles(authority, options["ssl_certfile"], options["ssl_keyfile"])
    return given._replace(authority=authority)


def _host(text: str) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("no host")
    return Address(parts.hostname, parts.port or DEFAULT_PORT)
