"""Certificates for servers of tests: an authority of their own, and what it signs, as PEM files.

Law: everything lies in a folder that goes with the authority's `with`; keys are for their owner alone.
"""

import datetime
import tempfile
from pathlib import Path
from typing import NamedTuple

import trustme

DAY = datetime.timedelta(days=1)


class Signed(NamedTuple):
    """Paths of a certificate and its key."""

    certificate: str
    key: str


class Authority:
    """Signs what it is asked to."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="authority-")
        Path(self._folder.name).chmod(0o755)
        self._ca = trustme.CA()
        self.file = self._path("authority.pem")
        self._ca.cert_pem.write_to_path(self.file)
        self._made = 0

    def __enter__(self) -> "Authority":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def sign(self, *names: str, days: float = 30) -> Signed:
        """A certificate for these names and addresses that ends in `days`, which may be negative."""
        now = datetime.datetime.now(datetime.UTC)
        leaf = self._ca.issue_cert(*names, not_before=now - 90 * DAY, not_after=now + days * DAY)
        self._made += 1
        signed = Signed(self._path(f"{self._made}.pem"), self._path(f"{self._made}.key"))
        with open(signed.certificate, "wb") as out:
            out.write(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(signed.key)
        Path(signed.key).chmod(0o600)  # libpq reads no other
        return signed

    def _path(self, name: str) -> str:
        return f"{self._folder.name}/{name}"
