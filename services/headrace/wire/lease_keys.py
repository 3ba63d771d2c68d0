"""The keys of lease tokens: control's private one, transcoders' public ones, in PEM files that are read again.

Law: a key's id is its thumbprint, so a file needs no names and two keys no agreement. What was read stays in use while
a file is missing or cannot be read: nobody is refused for half-written keys. Source: RFC 8037, appendix A.3.
Neighbours: `lease` signs and checks.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.config import BadSetting
from headrace.runtime.telemetry.logs import RateLimited, logger

LOOK_S = 1.0  # between two looks at the files

_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)

_unread = RateLimited(logger(__name__), "keys of lease tokens cannot be read again, and stay as they were", period_s=60)

T = TypeVar("T")


class Reread(Generic[T]):
    """What `parse` makes of the bytes of the files at `paths`, as they are now, or were at most `LOOK_S` ago."""

    def __init__(
        self,
        paths: Sequence[Path],
        parse: Callable[[Sequence[bytes]], T],
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        """Raises BadSetting or what `parse` raises."""
        self._paths = paths
        self._parse = parse
        self._clock = clock
        self._looked_s = clock()
        self._seen = self._marks()
        self._value = self._read()

    def __call__(self, *, now: bool = False) -> T:
        """The value. `now`: look at the files, however lately they were looked at."""
        if now or self._clock() - self._looked_s >= LOOK_S:
            self._looked_s = self._clock()
            try:
                marks = self._marks()
                if marks != self._seen:
                    self._value = self._read()
                    self._seen = marks
            except BadSetting as error:
                _unread({"why": str(error)})
        return self._value

    def _marks(self) -> list[tuple[int, int, int]]:
        """What changes with the files, also where a link leads elsewhere now."""
        try:
            return [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in map(Path.stat, self._paths)]
        except OSError as error:
            raise BadSetting(f"{error.filename}: {error.strerror}") from None

    def _read(self) -> T:
        try:
            return self._parse([path.read_bytes() for path in self._paths])
        except OSError as error:
            raise BadSetting(f"{error.filename}: {error.strerror}") from None


class LeaseKey:
    """Control's private key."""

    def __init__(self, read: Callable[[], Ed25519PrivateKey]) -> None:
        self._read = read
        self._known: tuple[Ed25519PrivateKey, str] | None = None

    @classmethod
    def in_file(cls, path: Path) -> "LeaseKey":
        """One in PEM, as `openssl genpkey -algorithm ed25519` writes it. Raises BadSetting."""
        return cls(Reread([path], lambda contents: _private(path, contents[0])))

    @classmethod
    def made(cls) -> "LeaseKey":
        """A new one, for as long as this process lives."""
        key = Ed25519PrivateKey.generate()
        return cls(lambda: key)

    def current(self) -> tuple[str, Ed25519PrivateKey]:
        """The key, and its id before it."""
        key = self._read()
        if self._known is None or self._known[0] is not key:
            self._known = key, thumbprint(key.public_key())
        return self._known[1], key

    @property
    def public(self) -> "LeasePublicKeys":
        """What those check with who know this key as it is now."""
        key = self._read().public_key()
        return LeasePublicKeys(lambda *, now: {thumbprint(key): key})


class LeasePublicKeys:
    """Transcoders' public keys, any number of them."""

    def __init__(self, read: Callable[..., Mapping[str, Ed25519PublicKey]]) -> None:
        self._read = read

    @classmethod
    def in_files(cls, paths: Sequence[Path]) -> "LeasePublicKeys":
        """Those in PEM, one after the other or each in a file of its own. Raises BadSetting."""
        return cls(Reread(paths, lambda contents: _publics(paths, contents)))

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key with this id; None: there is none such, even where it was put there a moment ago."""
        return self._read(now=False).get(kid) or self._read(now=True).get(kid)


def thumbprint(key: Ed25519PublicKey) -> str:
    """The key's id: its JWK thumbprint by SHA-256 (RFC 7638)."""
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{_base64url(key.public_bytes_raw())}"}}'
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _private(path: Path, data: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSetting(f"{path}: this is no Ed25519 private key in PEM without a password")
    return key


def _publics(paths: Sequence[Path], contents: Sequence[bytes]) -> dict[str, Ed25519PublicKey]:
    found = {}
    for path, data in zip(paths, contents, strict=True):
        blocks = _PEM.findall(data)
        if not blocks:
            raise BadSetting(f"{path}: there is no public key in PEM")
        for block in blocks:
            try:
                key = load_pem_public_key(block)
            except (ValueError, UnsupportedAlgorithm):
                key = None
            if not isinstance(key, Ed25519PublicKey):
                raise BadSetting(f"{path}: a public key is no Ed25519 key in PEM")
            found[thumbprint(key)] = key
    return found


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
