"""What the environment has to say before a service serves or dials, and how files are followed."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from headrace.runtime.config import BadSetting
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire import metrics, trust
from headrace.wire.channel import listen, make_server, open_channel
from headrace.wire.errors import NoTrust
from headrace.wire.identity import Role
from headrace.wire.trust import LOCAL, PLAINTEXT, Certified, trust_of
from tests.support.identities import Authority, Files, identity

PORT = "control.example:7070"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def pod(tmp_path: Path, authority: Authority) -> Files:
    return Files(tmp_path / "pod").write(authority.sign(identity(Role.EDGE)), authority)


def told(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", value)


@pytest.mark.parametrize("targets", ["", "unix:/run/c", "unix:/run/a, unix:/run/b"])
def test_sockets_need_nothing_and_look_at_nothing(monkeypatch: pytest.MonkeyPatch, targets: str) -> None:
    told(monkeypatch, tls_certificate="/nowhere")
    assert trust_of(Role.EDGE, targets) is LOCAL


@pytest.mark.parametrize("targets", [PORT, f"unix:/run/c,{PORT}", "10.0.0.1:1,10.0.0.2:1"])
def test_a_port_without_certificates_is_refused_in_one_sentence(targets: str) -> None:
    with pytest.raises(
        BadSetting, match=r"^HEADRACE_TLS_CERTIFICATE: missing: \S+ needs certificates, or HEADRACE_PLAINTEXT=true$"
    ):
        trust_of(Role.EDGE, targets)


def test_plaintext_is_had_by_name_and_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    told(monkeypatch, plaintext="true")
    assert trust_of(Role.EDGE, PORT) is PLAINTEXT
    assert "gRPC goes without TLS" in caplog.text


@pytest.mark.parametrize("said", ["false", "0"])
def test_plaintext_that_is_not_asked_for_is_not_had(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    told(monkeypatch, plaintext=said)
    with pytest.raises(BadSetting, match="HEADRACE_TLS_CERTIFICATE: missing"):
        trust_of(Role.EDGE, PORT)


def test_plaintext_and_certificates_together_are_a_mistake(monkeypatch: pytest.MonkeyPatch, pod: Files) -> None:
    told(monkeypatch, plaintext="true", **pod.settings)
    with pytest.raises(BadSetting, match=r"^HEADRACE_PLAINTEXT: "):
        trust_of(Role.EDGE, PORT)


def test_certificates_say_who_we_are(monkeypatch: pytest.MonkeyPatch, pod: Files) -> None:
    told(monkeypatch, **pod.settings)
    assert trust_of(Role.EDGE, PORT).own == identity(Role.EDGE)


async def test_nothing_is_dialled_or_served_in_plaintext_that_was_not_asked_for() -> None:
    with pytest.raises(NoTrust, match="needs certificates"):
        open_channel("10.0.0.1:7071")
    server = make_server()
    with pytest.raises(NoTrust, match="needs certificates"):
        listen(server, "127.0.0.1:0")
    await server.stop(0)


@pytest.mark.parametrize("role", [Role.TRANSCODER, Role.ORIGIN, Role.CONTROL])
def test_a_certificate_of_another_service_is_refused(pod: Files, role: Role) -> None:
    with pytest.raises(BadSetting, match=f"it is that of {identity(Role.EDGE)}, and this is the {role}"):
        Certified(role, pod.files)


@pytest.mark.parametrize(
    "uri", ["https://edge.example", "spiffe://cluster.local/edge", "spiffe://cluster.local/ns/live/sa/edge?x=1"]
)
def test_a_uri_that_is_no_identity_is_shown(pod: Files, authority: Authority, uri: str) -> None:
    pod.write(authority.sign(uri), authority)
    with pytest.raises(BadSetting) as refused:
        Certified(Role.EDGE, pod.files)
    assert f"its URI SAN is {uri}, and spiffe://" in str(refused.value)


@pytest.mark.parametrize("role", [Role.TRANSCODER, Role.CONTROL])
@pytest.mark.parametrize("names", [[], ["*.live.svc.cluster.local"], ["headrace-edge.live.svc.cluster.local"]])
def test_a_server_needs_its_name(pod: Files, authority: Authority, role: Role, names: Sequence[str]) -> None:
    pod.write(authority.sign(identity(role), names=names), authority)
    with pytest.raises(BadSetting, match=f"it has no DNS SAN headrace-{role}.live.svc.cluster.local"):
        Certified(role, pod.files)


@pytest.mark.parametrize("role", [Role.EDGE, Role.ORIGIN])
def test_who_serves_nothing_needs_no_name(pod: Files, authority: Authority, role: Role) -> None:
    pod.write(authority.sign(identity(role), names=[]), authority)
    assert Certified(role, pod.files).own == identity(role)


@pytest.mark.parametrize(
    ("role", "uses", "lacks"),
    [
        (Role.EDGE, [ExtendedKeyUsageOID.SERVER_AUTH], "clients"),
        (Role.CONTROL, [ExtendedKeyUsageOID.CLIENT_AUTH], "servers"),
        (Role.TRANSCODER, [ExtendedKeyUsageOID.CLIENT_AUTH], "servers"),
    ],
)
def test_a_certificate_for_other_uses_is_refused(
    pod: Files, authority: Authority, role: Role, uses: list[object], lacks: str
) -> None:
    pod.write(authority.sign(identity(role), uses=uses), authority)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match=f"extended key usages are without that of {lacks}"):
        Certified(role, pod.files)


def reloads(outcome: str) -> float:
    return float(metrics.RELOADS.labels(outcome)._value.get())


def test_new_files_are_taken_and_their_end_is_shown(pod: Files, authority: Authority) -> None:
    certified, taken = Certified(Role.EDGE, pod.files), reloads("taken")
    certified.look()
    assert (certified.generation, reloads("taken")) == (0, taken)
    pod.write(authority.sign(identity(Role.EDGE)), authority)
    certified.look()
    certified.look()
    assert (certified.generation, reloads("taken")) == (1, taken + 1)


def test_authorities_alone_are_new_files(pod: Files, authority: Authority) -> None:
    certified = Certified(Role.EDGE, pod.files)
    pod.files.authority.write_bytes(authority.pem + Authority("next").pem)
    certified.look()
    assert certified.generation == 1


@pytest.mark.parametrize("bad", ["half", "gone", "key", "another", "empty"])
def test_files_that_cannot_be_used_are_not_taken_until_they_can(
    pod: Files, authority: Authority, bad: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trust, "_unusable", RateLimited(logger("test"), "kept", 3600))
    certified, refused = Certified(Role.EDGE, pod.files), reloads("refused")
    new = authority.sign(identity(Role.EDGE))
    match bad:
        case "half":
            pod.write(new._replace(certificate=new.certificate[:200]), authority)
        case "gone":
            pod.files.certificate.unlink()
        case "key":
            pod.write(new._replace(key=authority.sign(identity(Role.EDGE)).key), authority)
        case "another":
            pod.write(authority.sign(identity(Role.EDGE, namespace="test")), authority)
        case "empty":
            pod.write(new)
    for _ in range(3):
        certified.look()
    assert certified.generation == 0
    assert reloads("refused") == refused + 3
    assert [record.message for record in caplog.records] == ["kept"]
    pod.files.certificate.unlink(missing_ok=True)
    pod.write(new, authority)
    certified.look()
    assert certified.generation == 1


def test_a_certificate_that_has_run_out_is_said(
    pod: Files, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    certified = Certified(Role.EDGE, pod.files)
    monkeypatch.setattr(trust, "_expired", RateLimited(logger("test"), "expired", 3600))
    certified.look()
    assert caplog.records == []
    monkeypatch.setattr(trust, "unix_ms", lambda: 4_000_000_000_000)
    certified.look()
    certified.look()
    assert [record.message for record in caplog.records] == ["expired"]
