"""A pair of keys for lease tokens, in the files that control and transcoders read."""

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


class KeyFiles(NamedTuple):
    """Where they are."""

    private: Path
    public: Path

    @property
    def settings(self) -> dict[str, Path]:
        """What each service is told of them, where it is one that wants to know."""
        return {"lease_key": self.private, "lease_public_keys": self.public}


def write_keys(folder: Path) -> KeyFiles:
    """A new pair, in files that `openssl` could have written."""
    key = Ed25519PrivateKey.generate()
    files = KeyFiles(folder / "lease.key", folder / "lease.pub")
    files.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return files
