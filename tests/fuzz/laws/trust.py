"""What services say of who they are: identities in certificates, lease tokens, and the traces that calls go on with.

Law: who has not the key is refused, whatever the token says, and a refusal's words hold nothing of it; an identity that
is read is written as it was.
"""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from headrace.core.broadcast import LeaseToken, RunId
from headrace.runtime.telemetry import traces
from headrace.wire.identity import parse_identity
from headrace.wire.lease import LeaseRefused, LeaseSigner, LeaseVerifier
from headrace.wire.steps import Open
from tests.fuzz.judge import Shape
from tests.support.broadcasts import PLAN, SOURCE

NOW_MS = 1_000_000
SEED = bytes(range(32))


class Keys:
    """One key, both halves of it."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(SEED)

    def current(self) -> tuple[str, Ed25519PrivateKey]:
        return "k", self._key

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return self._key.public_key() if kid == "k" else None


@cache
def _signed() -> tuple[str, LeaseVerifier]:
    keys = Keys()
    signer = LeaseSigner(keys, lambda: NOW_MS)
    return signer.sign(RunId("r"), 1, "i").token.reveal(), LeaseVerifier(keys, lambda: NOW_MS)


def lease(data: bytes) -> None:
    """A token: believed if it is the signed one, and no other."""
    signed, verifier = _signed()
    text = data.decode("latin-1")
    opened = Open(RunId("r"), 1, "i", 1, 0, PLAN, SOURCE, 1, token=LeaseToken(text))
    try:
        verifier.check(opened)
    except LeaseRefused as refused:
        if len(text) >= 8 and text in str(refused):
            raise AssertionError("the refusal tells the token") from None
        raise
    assert text.split(".")[:2] == signed.split(".")[:2], f"another token is believed: {text}"


def identity(data: bytes) -> None:
    """A certificate's URI, and a call's trace."""
    text = data.decode(errors="replace")
    found = parse_identity(text)
    if found is not None:
        assert str(found) == text, "another identity"
        assert parse_identity(str(found.sibling(found.role))) == found if found.role else True, "another's sibling"
    traces.heard(text)
    traces.heard("")


SHAPES = (
    Shape(b"", b"W1tb", b".e30.AA"),
    Shape(b"eyJhbGciOiJFZERTQSJ9.", b"W1tb", b".AA"),
    Shape(b"", b"."),
    Shape(b"", b"e30."),
)
IDENTITY_SHAPES = (Shape(b"spiffe://a/ns/b/sa/", b"a-"), Shape(b"spiffe://", b"a."), Shape(b"00-", b"0"))
