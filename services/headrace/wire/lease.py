"""Lease tokens: JSON Web Tokens in which control signs (run, session number, session_id) for any attempt.

Law: a transcoder believes no edge without one. A token says whose a session is, not whether it is still the newest:
that is decided by the log's fence. It grows too old for a session's first attempt alone, so that an edge finds standbys
while control is away. No error's words hold a token, or any of it. docs/adr/0022 has the rules.
Sources: RFC 7519 (JWT), RFC 8037 (EdDSA), RFC 8725 (what to check). Neighbours: `lease_keys` has the keys.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.types import Options

from headrace.core.broadcast import LeaseFault, LeaseToken, RunId, SignedLease
from headrace.core.errors import HeadraceError
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.steps import Open

ALGORITHM = "EdDSA"
TYPE = "headrace-lease+jwt"
LIFE_S = 300  # control counts a session as failed that has not described its source in a minute
LEEWAY_S = 30  # by which the clocks of control and transcoder may differ
FIRST_ATTEMPT = 1
MAX_CHARS = 4096  # some three hundred are needed

# What is claimed is compared here, and by this process's one clock.
_SIGNATURE_ALONE: Options = {
    "require": ["run", "session", "sid", "exp"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
}


class LeaseRefused(HeadraceError):
    """The caller is a foreign edge. `code` is a LeaseFault."""

    def __init__(self, fault: LeaseFault, why: str) -> None:
        super().__init__(why, code=fault.value)


class PrivateKey(Protocol):
    """What control signs with."""

    def current(self) -> tuple[str, Ed25519PrivateKey]:
        """The key, and its id before it."""


class PublicKeys(Protocol):
    """What a transcoder checks with."""

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key with this id; None: there is none such."""


class LeaseSigner:
    """Signs with `key`; `clock_ms` gives Unix milliseconds."""

    def __init__(self, key: PrivateKey, clock_ms: Callable[[], int] = unix_ms) -> None:
        self._key = key
        self._clock_ms = clock_ms

    def sign(self, run: RunId, session: int, session_id: str) -> SignedLease:
        """A token that is good for the session's first dial for `LIFE_S`, and for every later one."""
        kid, key = self._key.current()
        expires_s = self._clock_ms() // 1000 + LIFE_S
        claims = {"run": run, "session": session, "sid": session_id, "exp": expires_s}
        token = jwt.encode(claims, key, ALGORITHM, headers={"kid": kid, "typ": TYPE})
        return SignedLease(LeaseToken(token), expires_s * 1000)

    def renew(self, run: RunId, session: int, session_id: str, expires_ms: int) -> SignedLease | None:
        """A new one in place of one that ends at `expires_ms`; None where that has half of its life left, or more."""
        if expires_ms - self._clock_ms() >= LIFE_S * 1000 // 2:
            return None
        return self.sign(run, session, session_id)


class LeaseVerifier:
    """Checks by `keys`; `clock_ms` gives Unix milliseconds."""

    def __init__(self, keys: PublicKeys, clock_ms: Callable[[], int] = unix_ms) -> None:
        self._keys = keys
        self._clock_ms = clock_ms

    def check(self, opened: Open) -> None:
        """Raises LeaseRefused, unless control has signed what `opened` says of itself."""
        if opened.token is None:
            raise LeaseRefused(LeaseFault.MISSING, "the edge has no lease token")
        claims = self._claims(opened.token.reveal())
        if [claims["run"], claims["session"], claims["sid"]] != [opened.run, opened.session, opened.session_id]:
            raise LeaseRefused(LeaseFault.FOREIGN, "the edge's lease token is of another session")
        if opened.attempt <= FIRST_ATTEMPT:
            late_s = self._clock_ms() // 1000 - claims["exp"]
            if late_s > LEEWAY_S:
                words = f"the lease token has expired {late_s} s ago by this transcoder's clock"
                raise LeaseRefused(LeaseFault.EXPIRED, words)

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_CHARS:
            raise LeaseRefused(LeaseFault.INVALID, "the lease token is too long")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.find(header.get("kid", ""))
            if key is None:
                raise LeaseRefused(
                    LeaseFault.UNKNOWN_KEY, "the lease token is signed with a key that is not known here"
                )
            if header.get("typ") != TYPE:
                raise LeaseRefused(LeaseFault.INVALID, "the token is no lease token")
            claims = jwt.decode(token, key, [ALGORITHM], _SIGNATURE_ALONE)
            if not isinstance(claims["exp"], int):
                raise jwt.InvalidTokenError
            return claims
        except jwt.InvalidTokenError:
            # Its own words may hold some of the token.
            raise LeaseRefused(LeaseFault.INVALID, "the lease token is not what control has signed") from None
