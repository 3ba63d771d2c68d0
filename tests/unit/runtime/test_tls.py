"""What must hold of a certificate's files, and the sentence where it does not."""

import base64
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from headrace.runtime import tls
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.config import BadSetting
from headrace.wire.identity import Role
from tests.support.identities import Authority, Files, identity

EDGE = identity(Role.EDGE)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def pod(tmp_path: Path, authority: Authority) -> Files:
    return Files(tmp_path / "edge").write(authority.sign(EDGE), authority)


def checked(files: tls.Files) -> tls.Certificate:
    return tls.check(files, tls.read(files), unix_ms() / 1000)


def why_not(files: tls.Files) -> str:
    with pytest.raises(BadSetting) as refused:
        checked(files)
    return str(refused.value)


def test_a_good_certificate_says_whose_it_is_and_when_it_ends(pod: Files) -> None:
    found = checked(pod.files)
    assert (found.uri, list(found.names)) == (str(EDGE), [EDGE.dns_name])
    assert found.client
    assert found.server
    assert 3500 < found.not_after_s - unix_ms() / 1000 <= 3600


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key", "tls_authority"])
def test_a_file_that_is_missing_is_named_with_its_variable(pod: Files, name: str) -> None:
    path = Path(pod.settings[name])
    path.unlink()
    assert why_not(pod.files) == f"HEADRACE_{name.upper()}: {path}: No such file or directory"


def test_a_file_that_cannot_be_read_is_named(pod: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path) -> bytes:
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)  # root reads whatever there is
    assert why_not(pod.files) == f"HEADRACE_TLS_CERTIFICATE: {pod.files.certificate}: Permission denied"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tls_certificate", "it holds no certificate in PEM"),
        ("tls_key", "it holds no private key in PEM"),
        ("tls_authority", "it holds no certificate in PEM"),
    ],
)
@pytest.mark.parametrize(
    "said", [b"", b"hunter2", b"-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n"]
)
def test_a_file_of_something_else_is_named_and_not_shown(pod: Files, name: str, why: str, said: bytes) -> None:
    path = Path(pod.settings[name])
    path.write_bytes(said)
    sentence = why_not(pod.files)
    assert sentence == f"HEADRACE_{name.upper()}: {path}: {why}"
    assert "hunter2" not in sentence


def test_a_certificate_that_is_half_written_is_refused(pod: Files) -> None:
    whole = pod.files.certificate.read_bytes()
    pod.files.certificate.write_bytes(whole[: len(whole) // 2])
    assert "it holds no certificate in PEM" in why_not(pod.files)


def test_the_key_of_another_certificate_is_refused(pod: Files, authority: Authority) -> None:
    pod.files.key.write_bytes(authority.sign(EDGE).key)
    assert why_not(pod.files) == (
        f"HEADRACE_TLS_KEY: {pod.files.key}: it is not the key of the certificate in {pod.files.certificate}"
    )


def test_a_key_with_a_passphrase_is_refused(pod: Files) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pod.files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    assert "it needs a passphrase" in why_not(pod.files)


def test_a_key_that_grpc_cannot_use_is_refused(pod: Files) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pod.files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "it is neither RSA nor ECDSA" in why_not(pod.files)


@pytest.mark.parametrize(
    ("since", "until", "why"), [(-2 * DAY, -DAY, "it expired at "), (DAY, 2 * DAY, "it is not valid before ")]
)
def test_a_certificate_out_of_its_time_is_refused(
    pod: Files, authority: Authority, since: timedelta, until: timedelta, why: str
) -> None:
    pod.write(authority.sign(EDGE, since=since, until=until), authority)
    assert why_not(pod.files).startswith(f"HEADRACE_TLS_CERTIFICATE: {pod.files.certificate}: {why}")


def test_authorities_that_have_all_expired_are_refused(pod: Files, authority: Authority) -> None:
    in_two_days_s = unix_ms() / 1000 + 48 * 3600
    pod.write(authority.sign(EDGE, until=4 * DAY), authority)
    with pytest.raises(BadSetting, match="every authority in it has expired"):
        tls.check(pod.files, tls.read(pod.files), in_two_days_s)


@pytest.mark.parametrize("names", [[], ["headrace-edge.live.svc.cluster.local"]])
def test_a_certificate_of_nobody_is_refused(pod: Files, authority: Authority, names: list[str]) -> None:
    pod.write(authority.sign(None, names=names), authority)
    assert "it has no URI SANs, and one is wanted: spiffe://" in why_not(pod.files)


def test_whether_our_own_authorities_have_signed_it_is_known(pod: Files, authority: Authority) -> None:
    assert checked(pod.files).ours
    pod.write(authority.sign(EDGE), Authority("other"), authority)
    assert checked(pod.files).ours
    pod.write(authority.sign(EDGE), Authority("other"))
    assert not checked(pod.files).ours
    pod.write(authority.sign(EDGE), Authority())  # of the same name
    assert not checked(pod.files).ours


def test_an_authority_below_ours_counts_where_its_certificate_is_in_the_file(pod: Files, authority: Authority) -> None:
    below = Authority("below", authority)
    pair = below.sign(EDGE)
    pod.write(pair, authority)
    assert not checked(pod.files).ours
    pod.write(pair._replace(certificate=pair.certificate + below.pem), authority)
    assert checked(pod.files).ours


def test_only_all_three_files_are_enough(pod: Files) -> None:
    def told(given: dict[str, Any]) -> tls.TlsSettings:
        return tls.TlsSettings(**given)

    assert tls.files(told(dict(pod.settings))) == pod.files
    assert tls.files(told({})) is None
    for name in pod.settings:
        some = {other: path for other, path in pod.settings.items() if other != name}
        with pytest.raises(BadSetting, match=f"^HEADRACE_{name.upper()}: missing"):
            tls.files(told(some))


GOOD = Authority()
PAIR = GOOD.sign(EDGE)
DER = base64.b64decode(b"".join(PAIR.certificate.splitlines()[1:-1]))
NOWHERE = tls.Files(Path("tls.crt"), Path("tls.key"), Path("ca.crt"))


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(place=st.integers(0, len(DER) - 1), byte=st.integers(0, 255))
def test_a_certificate_with_any_byte_changed_is_refused_in_words_or_is_one(place: int, byte: int) -> None:
    changed = base64.encodebytes(DER[:place] + bytes([byte]) + DER[place + 1 :])
    pem = b"-----BEGIN CERTIFICATE-----\n" + changed + b"-----END CERTIFICATE-----\n"
    for material in (tls.Material(pem, PAIR.key, GOOD.pem), tls.Material(PAIR.certificate, PAIR.key, pem)):
        with suppress(BadSetting):
            tls.check(NOWHERE, material, unix_ms() / 1000)


@given(place=st.integers(0, len(PAIR.key) - 1), byte=st.integers(0, 255))
def test_a_key_with_any_byte_changed_is_refused_in_words_or_is_one(place: int, byte: int) -> None:
    key = PAIR.key[:place] + bytes([byte]) + PAIR.key[place + 1 :]
    with suppress(BadSetting):
        tls.check(NOWHERE, tls.Material(PAIR.certificate, key, GOOD.pem), unix_ms() / 1000)


@pytest.mark.parametrize("version", [0x46, 0x7F])
def test_a_certificate_of_another_version_is_refused(version: int) -> None:
    place = DER.index(b"\xa0\x03\x02\x01\x02") + 4
    changed = base64.encodebytes(DER[:place] + bytes([version]) + DER[place + 1 :])
    pem = b"-----BEGIN CERTIFICATE-----\n" + changed + b"-----END CERTIFICATE-----\n"
    with pytest.raises(BadSetting, match="it holds no certificate in PEM"):
        tls.check(NOWHERE, tls.Material(pem, PAIR.key, GOOD.pem), unix_ms() / 1000)


def test_what_is_secret_has_no_repr(pod: Files) -> None:
    assert "BEGIN" not in repr(tls.read(pod.files))
