"""Certificates of services, right and wrong: an authority, what it signs, and the files that a pod has.

Law: whatever is said of a certificate here is what is in it, so that tests can ask for wrong ones. Neighbours:
`authority` has those of Redis and PostgreSQL, whose clients look at hosts.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from headrace.runtime import tls
from headrace.wire.identity import Identity, Role, parse_identity

TRUST_DOMAIN, NAMESPACE = "cluster.local", "live"
HOUR = timedelta(hours=1)
BOTH_USES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


class Pair(NamedTuple):
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


def identity(role: Role, namespace: str = NAMESPACE, trust_domain: str = TRUST_DOMAIN) -> Identity:
    """Whose pods tests have."""
    return Identity(trust_domain, namespace, f"headrace-{role}")


class Authority:
    """Signs what it is asked to. `pem` is its own certificate, which one `above` has signed, or it itself."""

    def __init__(self, name: str = "tests", above: "Authority | None" = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        above = above or self
        made = above._builder(self._name, self._key.public_key(), now - HOUR, now + 24 * HOUR)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = made.sign(above._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def sign(
        self,
        who: Identity | str | None,
        *,
        names: Sequence[str] | None = None,
        since: timedelta = -HOUR,
        until: timedelta = HOUR,
        uses: Sequence[x509.ObjectIdentifier] = BOTH_USES,
    ) -> Pair:
        """A certificate of `who` (None: of nobody), valid from now + `since` to now + `until`.

        `names` are its DNS SANs, by default those that the identity has.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        subject = x509.Name([])
        own = parse_identity(str(who))
        dns = names if names is not None else [own.dns_name] if own else []
        sans: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
        if who is not None:
            sans.append(x509.UniformResourceIdentifier(str(who)))
        made = self._builder(subject, key.public_key(), now + since, now + until)
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if sans:
            made = made.add_extension(x509.SubjectAlternativeName(sans), critical=True)
        return Pair(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM), key_pem(key))

    @classmethod
    def self_signed(cls, who: Identity) -> Pair:
        """A certificate of `who` that nobody vouches for but itself."""
        alone = cls(str(who))
        pair = alone.sign(who)
        return pair._replace(certificate=pair.certificate + alone.pem)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, since: datetime, until: datetime
    ) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().issuer_name(self._name).subject_name(subject).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(since).not_valid_after(until)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as its file has it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Files:
    """One pod's files in `folder`, as a Kubernetes volume has them: links through a folder that is swapped whole."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._written = 0
        self.files = tls.Files(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")

    def write(self, pair: Pair, *authorities: Authority) -> "Files":
        """Replace all three at once."""
        self._written += 1
        now = self.folder / f"..{self._written}"
        now.mkdir()
        (now / "tls.crt").write_bytes(pair.certificate)
        (now / "tls.key").write_bytes(pair.key)
        (now / "ca.crt").write_bytes(b"".join(authority.pem for authority in authorities))
        link = self.folder / "..data_tmp"
        link.symlink_to(now.name)
        os.replace(link, self.folder / "..data")
        for path in self.settings.values():
            if not Path(path).is_symlink():
                Path(path).symlink_to(Path("..data") / Path(path).name)
        return self

    @property
    def settings(self) -> dict[str, str]:
        """What the service is told, by the settings' names."""
        certificate, key, authority = map(str, (self.files.certificate, self.files.key, self.files.authority))
        return {"tls_certificate": certificate, "tls_key": key, "tls_authority": authority}
