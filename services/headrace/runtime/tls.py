"""This process's certificate for other services: where its files are, and what must hold of them.

Law: whatever is wrong with a file is one sentence that names the variable and the file, and shows nothing of what is in
it. Three files that were read one after the other may be of two generations: the key that fits the certificate tells.
Neighbours: `wire.trust` makes gRPC credentials of them and follows their replacement; `wire.identity` reads the URI.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from headrace.runtime.config import PREFIX, BadSetting, Settings

# What the certificate's parts raise where they cannot be made out, each when it is first looked at.
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class TlsSettings(Settings):
    """`HEADRACE_*` variables of TLS between the services."""

    tls_certificate: Path | None = None
    """File with this pod's certificate, PEM, and below it those of intermediate authorities. It is read again as soon
    as it, its key or the authorities change."""

    tls_key: Path | None = None
    """File with the key of that certificate, PEM, without a passphrase."""

    tls_authority: Path | None = None
    """File with the certificates of the authorities that the other services' certificates come from, PEM: several
    while authorities change."""

    plaintext: bool = False
    """`true`: gRPC at `host:port` goes without TLS, and whoever reaches a port may do everything there. Sockets
    (`unix:`) are the only other way without certificates."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the three are."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True)
class Material:
    """What the files hold, as PEM; two with the same bytes are equal."""

    certificate: bytes
    key: bytes
    authority: bytes

    def __repr__(self) -> str:
        return "Material(…)"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says about its pod."""

    uri: str
    """Its only URI SAN."""
    names: Sequence[str]
    """Its DNS SANs."""
    not_after_s: float
    """When it ends, Unix time in seconds."""
    server: bool
    """Whether it may be a server's."""
    client: bool
    """Whether it may be a client's."""
    ours: bool
    """Whether an authority that we believe has signed it, itself or through those below it in the file."""


def files(settings: TlsSettings) -> Files | None:
    """The three files, None where none is named. Raises BadSetting where only some are."""
    given = {name: getattr(settings, name) for name in ("tls_certificate", "tls_key", "tls_authority")}
    if not any(given.values()):
        return None
    for name, path in given.items():
        if path is None:
            raise BadSetting(f"{_variable(name)}: missing: certificate, key and authority are needed together")
    return Files(*given.values())


def read(files: Files) -> Material:
    """What is in the files now. Raises BadSetting."""
    return Material(
        _bytes("tls_certificate", files.certificate),
        _bytes("tls_key", files.key),
        _bytes("tls_authority", files.authority),
    )


def check(files: Files, material: Material, now_s: float) -> Certificate:
    """The certificate, if all of it can be used at `now_s` (Unix time). Raises BadSetting."""
    now = datetime.fromtimestamp(now_s, UTC)
    chain = _certificates("tls_certificate", files.certificate, material.certificate)
    authorities = _certificates("tls_authority", files.authority, material.authority)
    key = _private_key(files.key, material.key)
    try:
        return _checked(files, chain, key, authorities, now)
    except _UNREADABLE as error:
        raise _bad("tls_certificate", files.certificate, f"it cannot be read: {error}") from None


def _checked(
    files: Files,
    chain: Sequence[x509.Certificate],
    key: PrivateKeyTypes,
    authorities: Sequence[x509.Certificate],
    now: datetime,
) -> Certificate:
    leaf = chain[0]
    if now < leaf.not_valid_before_utc:
        raise _bad(
            "tls_certificate", files.certificate, f"it is not valid before {leaf.not_valid_before_utc:%F %T} UTC"
        )
    if now >= leaf.not_valid_after_utc:
        raise _bad("tls_certificate", files.certificate, f"it expired at {leaf.not_valid_after_utc:%F %T} UTC")
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise _bad("tls_key", files.key, "it is neither RSA nor ECDSA, and gRPC knows no others")
    if key.public_key() != leaf.public_key():
        raise _bad("tls_key", files.key, f"it is not the key of the certificate in {files.certificate}")
    if all(now >= one.not_valid_after_utc for one in authorities):
        raise _bad("tls_authority", files.authority, "every authority in it has expired")
    return _said(files.certificate, leaf, _signed(chain, authorities))


def _signed(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]) -> bool:
    for place, one in enumerate(chain):
        if any(_issued(one, authority) for authority in authorities):
            return True
        if place + 1 == len(chain) or not _issued(one, chain[place + 1]):
            return False
    return False


def _issued(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _said(path: Path, leaf: x509.Certificate, ours: bool) -> Certificate:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        dns = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        uris, dns = [], []
    if len(uris) != 1:
        wanted = "spiffe://<trust domain>/ns/<namespace>/sa/<account>"
        raise _bad("tls_certificate", path, f"it has {len(uris) or 'no'} URI SANs, and one is wanted: {wanted}")
    try:
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        uses = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    return Certificate(
        uris[0],
        tuple(dns),
        leaf.not_valid_after_utc.timestamp(),
        ExtendedKeyUsageOID.SERVER_AUTH in uses,
        ExtendedKeyUsageOID.CLIENT_AUTH in uses,
        ours,
    )


def _certificates(name: str, path: Path, pem: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        raise _bad(name, path, "it holds no certificate in PEM") from None


def _private_key(path: Path, pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, None)
    except TypeError:
        raise _bad("tls_key", path, "it needs a passphrase, and there is nobody to ask") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _bad("tls_key", path, "it holds no private key in PEM") from None


def _bytes(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _bad(name, path, error.strerror or "it cannot be read") from None


def _bad(name: str, path: Path, why: str) -> BadSetting:
    return BadSetting(f"{_variable(name)}: {path}: {why}")


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"
