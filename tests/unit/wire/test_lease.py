"""A lease token is good for the session that control signed it for, and for no other: any attempt, by any known key."""

import base64
import hmac
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.broadcast import LeaseFault, LeaseToken, RunId
from headrace.runtime.config import BadSetting
from headrace.wire.lease import LEEWAY_S, LIFE_S, MAX_CHARS, TYPE, LeaseRefused, LeaseSigner, LeaseVerifier
from headrace.wire.lease_keys import LOOK_S, LeaseKey, LeasePublicKeys, Reread, thumbprint
from headrace.wire.media import Open
from tests.support.broadcasts import PLAN, SOURCE

NOW_MS = 1_700_000_000_000
KEY = LeaseKey.made()
OURS = KEY.current()[1]
PUBLIC = OURS.public_key().public_bytes_raw()
SIGNER = LeaseSigner(KEY, lambda: NOW_MS)
VERIFIER = LeaseVerifier(KEY.public, lambda: NOW_MS)
OPEN = Open(RunId("run"), 3, "sid", 1, 0, PLAN, SOURCE, 0)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
numbers = st.integers(1, 2**64 - 1)
sessions = st.tuples(names.map(RunId), numbers, names)
whenever = st.integers(-(10**9), 10**9)


def at(seconds: float) -> LeaseVerifier:
    """One whose clock is ahead of control's."""
    return LeaseVerifier(KEY.public, lambda: NOW_MS + round(seconds * 1000))


def carrying(text: str, **changes: Any) -> Open:
    return replace(OPEN, token=LeaseToken(text), **changes)


def signed(**changes: Any) -> Open:
    """An edge's first dial, with what it was given."""
    lease = SIGNER.sign(OPEN.run, OPEN.session, OPEN.session_id)
    return replace(OPEN, token=lease.token, **changes)


def assembled(header: dict[str, object], claims: dict[str, object], sign: Callable[[bytes], bytes]) -> str:
    """A token of any kind, whatever a library would say of it."""
    parts = [json.dumps({k: v for k, v in part.items() if v is not None}).encode() for part in (header, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return (text + b"." + base64.urlsafe_b64encode(sign(text)).rstrip(b"=")).decode()


def forged(sign: Callable[[bytes], bytes] = OURS.sign, **changes: Any) -> str:
    """What a token could be that control's signer never makes."""
    header: dict[str, object] = {"alg": "EdDSA", "kid": KEY.current()[0], "typ": TYPE}
    claims: dict[str, object] = {
        "run": OPEN.run,
        "session": OPEN.session,
        "sid": OPEN.session_id,
        "exp": NOW_MS // 1000 + 60,
    }
    of_header = {name: changes.pop(name) for name in list(changes) if name in ("alg", "kid", "typ", "crit")}
    return assembled({**header, **of_header}, {**claims, **changes}, sign)


def fault(verifier: LeaseVerifier, opened: Open) -> LeaseFault | None:
    """What is wrong with it; None: nothing. Its words tell nothing of the token."""
    try:
        verifier.check(opened)
    except LeaseRefused as error:
        refused = error
    else:
        return None
    if opened.token is not None:
        assert not [part for part in opened.token.reveal().split(".") if len(part) > 10 and part in str(refused)]
    assert refused.__cause__ is None
    return LeaseFault(refused.code)


@settings(max_examples=30)
@given(sessions, numbers)
def test_what_control_signed_is_good_for_every_attempt(session: tuple[RunId, int, str], attempt: int) -> None:
    run, number, session_id = session
    token = SIGNER.sign(run, number, session_id).token
    opened = replace(OPEN, run=run, session=number, session_id=session_id, attempt=attempt, token=token)
    assert fault(VERIFIER, opened) is None


@settings(max_examples=50)
@given(sessions, sessions, numbers, whenever)
def test_it_is_good_for_no_other_session_at_any_time(
    mine: tuple[RunId, int, str], other: tuple[RunId, int, str], attempt: int, late_s: int
) -> None:
    token = SIGNER.sign(*mine).token
    run, number, session_id = other
    opened = replace(OPEN, run=run, session=number, session_id=session_id, attempt=attempt, token=token)
    expected = {None, LeaseFault.EXPIRED} if mine == other else {LeaseFault.FOREIGN}
    assert fault(at(late_s), opened) in expected


@pytest.mark.parametrize("changes", [{"run": RunId("other")}, {"session": 4}, {"session": 2}, {"session_id": "other"}])
def test_another_run_session_or_session_id_is_a_foreign_edge(changes: dict[str, Any]) -> None:
    assert fault(VERIFIER, signed(**changes)) is LeaseFault.FOREIGN


@settings(max_examples=50)
@given(numbers, whenever)
def test_age_counts_for_a_sessions_first_dial_alone(attempt: int, late_s: int) -> None:
    too_late = attempt == 1 and late_s > LIFE_S + LEEWAY_S
    assert fault(at(late_s), signed(attempt=attempt)) is (LeaseFault.EXPIRED if too_late else None)


def test_a_first_dial_is_in_time_up_to_its_end_and_what_clocks_may_differ() -> None:
    assert fault(at(LIFE_S + LEEWAY_S), signed()) is None
    assert fault(at(LIFE_S + LEEWAY_S + 1), signed()) is LeaseFault.EXPIRED
    assert fault(at(LIFE_S + LEEWAY_S + 1), signed(attempt=2)) is None
    assert fault(at(10**8), signed(attempt=2)) is None, "control was away for three years"


def test_a_number_below_the_first_attempt_is_no_way_around_its_age() -> None:
    assert fault(at(10**6), signed(attempt=0)) is LeaseFault.EXPIRED


def test_no_token_is_a_foreign_edge() -> None:
    assert fault(VERIFIER, OPEN) is LeaseFault.MISSING


def test_a_key_that_is_not_known_is_named_as_that_and_its_signature_not_looked_at() -> None:
    stranger = LeaseKey.made()
    token = LeaseSigner(stranger, lambda: NOW_MS).sign(OPEN.run, OPEN.session, OPEN.session_id).token
    assert fault(VERIFIER, replace(OPEN, token=token)) is LeaseFault.UNKNOWN_KEY


def test_a_strangers_signature_under_a_known_keys_id_is_invalid() -> None:
    assert fault(VERIFIER, carrying(forged(Ed25519PrivateKey.generate().sign))) is LeaseFault.INVALID


# By name, since their texts are others in each process.
UNSIGNED = {
    "nothing": "",
    "one dot": ".",
    "two dots": "..",
    "letters": "a.b.c",
    "other letters": "é.é.é",
    "the most characters": "x" * MAX_CHARS,
    "too many characters": "x" * (MAX_CHARS + 1),
    "another type": forged(typ="JWT"),
    "no type": forged(typ=None),
    "no key": forged(kid=None),
    "a key that is a number": forged(kid=5),
    "what must be understood": forged(crit=["exp"]),
    **{f"no {claim}": forged(OURS.sign, **{claim: None}) for claim in ("run", "session", "sid", "exp")},
    "an end that is no time": forged(exp="soon"),
    "no algorithm, signed": forged(alg="none"),
    "no algorithm": forged(lambda _: b"", alg="none"),
    "another algorithm": forged(alg="ES256"),
    "our public key as a shared secret": forged(lambda text: hmac.digest(PUBLIC, text, "sha256"), alg="HS256"),
    "zeros for a signature": forged(lambda _: b"0" * 64),
    "no signature": forged(lambda _: b""),
}


@pytest.mark.parametrize("what", UNSIGNED)
def test_what_control_does_not_sign_is_invalid(what: str) -> None:
    assert fault(VERIFIER, carrying(UNSIGNED[what])) in (LeaseFault.INVALID, LeaseFault.UNKNOWN_KEY)


def test_a_token_that_is_put_together_by_hand_can_be_good() -> None:
    assert fault(VERIFIER, carrying(forged())) is None, "or those above were invalid for another reason"


@settings(max_examples=200)
@given(st.data())
def test_no_changed_token_is_good(data: st.DataObject) -> None:
    token = SIGNER.sign(OPEN.run, OPEN.session, OPEN.session_id).token.reveal()
    place = data.draw(st.integers(0, len(token) - 1))
    changed = token[:place] + data.draw(st.characters(codec="utf-8")) + token[place + 1 :]
    if _means(changed) != _means(token):
        assert fault(VERIFIER, carrying(changed)) in (LeaseFault.INVALID, LeaseFault.UNKNOWN_KEY)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_refused_in_order(text: str) -> None:
    assert fault(VERIFIER, carrying(text)) in (LeaseFault.INVALID, LeaseFault.UNKNOWN_KEY)


def _means(token: str) -> object:
    """The bytes of its parts: a base64 text's last character has bits that mean nothing."""
    try:
        return [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("left_s", "renewed"), [(LIFE_S, False), (LIFE_S / 2, False), (LIFE_S / 2 - 1, True), (0, True), (-99, True)]
)
def test_a_token_is_renewed_once_half_of_its_life_is_over(left_s: float, renewed: bool) -> None:
    lease = SIGNER.renew(OPEN.run, OPEN.session, OPEN.session_id, round(NOW_MS + left_s * 1000))
    assert (lease is not None) is renewed
    if lease is not None:
        assert lease.expires_ms == NOW_MS + LIFE_S * 1000
        assert fault(VERIFIER, replace(OPEN, token=lease.token)) is None


def test_an_edge_that_has_no_token_is_given_one() -> None:
    assert SIGNER.renew(OPEN.run, OPEN.session, OPEN.session_id, 0) is not None


# Keys in files


class Clock:
    """Monotonic seconds, by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def private_pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def public_pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def put(path: Path, data: bytes, _counter: list[int] = [NOW_MS]) -> None:  # noqa: B006 - it counts
    """As an editor or a mounted secret does it, with another time on it whatever the file system's grain is."""
    _counter[0] += 1
    new = path.with_suffix(".new")
    new.write_bytes(data)
    os.utime(new, ns=(_counter[0] * 10**6,) * 2)
    new.replace(path)


def test_keys_rotate_while_both_sides_run(tmp_path: Path) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    put(tmp_path / "key", private_pem(old))
    put(tmp_path / "public", public_pem(old))
    clock = Clock()
    key = LeaseKey(Reread([tmp_path / "key"], lambda data: _load_private(data[0]), clock))
    signer = LeaseSigner(key, lambda: NOW_MS)
    verifier = LeaseVerifier(LeasePublicKeys.in_files([tmp_path / "public"]), lambda: NOW_MS)
    before = signer.sign(OPEN.run, OPEN.session, OPEN.session_id).token

    put(tmp_path / "public", public_pem(old) + public_pem(new))
    put(tmp_path / "key", private_pem(new))
    assert signer.sign(OPEN.run, OPEN.session, OPEN.session_id).token == before, "nobody looks so soon"
    clock.now_s += LOOK_S
    after = signer.sign(OPEN.run, OPEN.session, OPEN.session_id).token
    assert after != before
    for token in (before, after):
        assert fault(verifier, replace(OPEN, token=token)) is None, "both are known, the new one at once"

    put(tmp_path / "public", public_pem(new))
    other = LeaseVerifier(LeasePublicKeys.in_files([tmp_path / "public"]), lambda: NOW_MS)
    assert fault(other, replace(OPEN, token=before)) is LeaseFault.UNKNOWN_KEY
    assert fault(other, replace(OPEN, token=after)) is None


def _load_private(data: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(data, None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def test_several_files_of_several_keys_are_one_set(tmp_path: Path) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    put(tmp_path / "a", b"two of them:\n" + public_pem(keys[0]) + b"\n# and\n" + public_pem(keys[1]))
    put(tmp_path / "b", public_pem(keys[2]))
    found = LeasePublicKeys.in_files([tmp_path / "a", tmp_path / "b"])
    for key in keys:
        known = found.find(thumbprint(key.public_key()))
        assert known is not None
        assert known.public_bytes_raw() == key.public_key().public_bytes_raw()
    assert found.find("") is None


@pytest.mark.parametrize("how", ["gone", "empty", "half"])
def test_keys_that_cannot_be_read_again_stay_and_are_read_when_they_can_be(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    path = tmp_path / "public"
    put(path, public_pem(old))
    keys = LeasePublicKeys.in_files([path])
    if how == "gone":
        path.unlink()
    else:
        put(path, b"" if how == "empty" else public_pem(new)[:60])
    assert keys.find(thumbprint(new.public_key())) is None
    assert keys.find(thumbprint(old.public_key())) is not None
    put(path, public_pem(new))
    assert keys.find(thumbprint(new.public_key())) is not None
    assert keys.find(thumbprint(old.public_key())) is None


def test_a_file_that_could_not_be_read_is_tried_again_though_it_looks_the_same(tmp_path: Path) -> None:
    path, clock, trouble = tmp_path / "keys", Clock(), [False]

    def parse(contents: Sequence[bytes]) -> bytes:
        if trouble[0]:
            raise BadSetting("not now")
        return contents[0]

    put(path, b"old")
    read = Reread([path], parse, clock)
    put(path, b"new")
    trouble[0] = True
    assert read(now=True) == b"old"
    trouble[0] = False
    assert read() == b"old"
    clock.now_s += LOOK_S
    assert read() == b"new"


PRIVATE, PUBLICS = LeaseKey.in_file, lambda path: LeasePublicKeys.in_files([path])
NO_KEYS: dict[str, tuple[Callable[[Path], object], bytes | None]] = {
    "nothing for a private key": (PRIVATE, b"nothing"),
    "a public one for a private one": (PRIVATE, public_pem(Ed25519PrivateKey.generate())),
    "a private one on another curve": (PRIVATE, private_pem(ec.generate_private_key(ec.SECP256R1()))),
    "a private one with a password": (
        PRIVATE,
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
        ),
    ),
    "nothing for public keys": (PUBLICS, b"nothing"),
    "a private one for public ones": (PUBLICS, private_pem(Ed25519PrivateKey.generate())),
    "a public one on another curve": (PUBLICS, public_pem(ec.generate_private_key(ec.SECP256R1()))),
    "a public one that is none": (PUBLICS, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    "no file for a private key": (PRIVATE, None),
    "no file for public keys": (PUBLICS, None),
}


@pytest.mark.parametrize("what", NO_KEYS)
def test_what_is_no_key_is_said_at_the_start_by_its_file_and_without_what_is_in_it(tmp_path: Path, what: str) -> None:
    read, data = NO_KEYS[what]
    path = tmp_path / "key.pem"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BadSetting, match=r"key\.pem") as bad:
        read(path)
    if data is not None:
        assert data.split(b"\n")[min(1, data.count(b"\n"))].decode() not in str(bad.value)


def test_a_keys_id_is_the_thumbprint_that_everybody_makes_of_it() -> None:
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"  # RFC 8037, appendix A.3
    key = jwt.PyJWK(json.loads(f'{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}')).key
    assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
