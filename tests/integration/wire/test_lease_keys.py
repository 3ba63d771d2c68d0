"""The keys that the documents tell how to make are keys, and the settings that name them lead to them."""

import re
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from headrace.control.service import build as build_control
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import RunId
from headrace.livelog.memory import MemoryLog
from headrace.runtime.config import BadSetting
from headrace.transcoder.service import build as build_transcoder
from headrace.transcoder.settings import TranscoderSettings
from headrace.wire.identity import Role
from headrace.wire.lease import LeaseSigner, LeaseVerifier
from headrace.wire.lease_keys import LeaseKey, LeasePublicKeys
from headrace.wire.media import Open
from tests.support.broadcasts import PLAN, SOURCE
from tests.support.house import REPO
from tests.support.identities import Authority, Files, identity
from tests.support.lease_keys import KeyFiles, write_keys

PAGES = [("lease-tokens.md", KeyFiles(Path("lease.key"), Path("lease.pub")))]
PAGES += [("services-apart.md", KeyFiles(Path("key.pem"), Path("public.pem")))]


def lines_of(page: str) -> str:
    """The shell's lines that make keys."""
    (block,) = re.findall(r"```sh\n(openssl genpkey.*?)```", (REPO / "docs" / "how-to" / page).read_text(), re.DOTALL)
    return str(block)


@pytest.mark.parametrize(("page", "files"), PAGES)
def test_the_documents_make_keys_that_control_and_transcoders_can_use(
    tmp_path: Path, page: str, files: KeyFiles
) -> None:
    subprocess.run(["bash", "-euc", lines_of(page)], cwd=tmp_path, check=True, capture_output=True, timeout=30)
    lease = LeaseSigner(LeaseKey.in_file(tmp_path / files.private)).sign(RunId("r"), 1, "s")
    verifier = LeaseVerifier(LeasePublicKeys.in_files([tmp_path / files.public]))
    verifier.check(Open(RunId("r"), 1, "s", 1, 0, PLAN, SOURCE, 0, token=lease.token))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Ports and an authority, and no pod's certificate yet."""
    monkeypatch.setenv("HEADRACE_API_KEY", "an-api-key-of-enough-bits")
    monkeypatch.setenv("HEADRACE_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/c.sqlite3")
    for name in ("CONTROL_TARGET", "TRANSCODER_TARGET"):
        monkeypatch.setenv(f"HEADRACE_{name}", "127.0.0.1:7070")
    return Authority()


def build(role: Role) -> None:
    """As the service's own process does it."""
    if role is Role.CONTROL:
        build_control(ControlSettings(api_key=SecretStr("an-api-key-of-enough-bits")), log=MemoryLog())
    else:
        build_transcoder(TranscoderSettings(), log=MemoryLog())


@pytest.mark.parametrize(("role", "setting"), [(Role.CONTROL, "LEASE_KEY"), (Role.TRANSCODER, "LEASE_PUBLIC_KEYS")])
def test_behind_certificates_a_service_does_not_start_without_keys_and_in_plaintext_it_does(
    tmp_path: Path, environment: Authority, monkeypatch: pytest.MonkeyPatch, role: Role, setting: str
) -> None:
    files = Files(tmp_path / "pod").write(environment.sign(identity(role)), environment)
    for name, value in files.settings.items():
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", str(value))
    with pytest.raises(BadSetting, match=f"^HEADRACE_{setting}: missing: "):
        build(role)
    monkeypatch.setenv(f"HEADRACE_{setting}", str(tmp_path / "nowhere"))
    with pytest.raises(BadSetting, match="nowhere: No such file"):
        build(role)
    monkeypatch.setenv(f"HEADRACE_{setting}", str(write_keys(tmp_path).settings[setting.lower()]))
    build(role)
    for name in (*files.settings, setting):
        monkeypatch.delenv(f"HEADRACE_{name.upper()}")
    monkeypatch.setenv("HEADRACE_PLAINTEXT", "true")
    build(role)
