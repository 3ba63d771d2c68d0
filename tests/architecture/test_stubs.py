"""The committed gRPC stubs are those of proto/: `make proto-check` goes red when they drift."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.house import GENERATED, REPO, SERVICES


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with nothing but what the stubs are made of."""
    shutil.copytree(REPO / "proto", tmp_path / "proto")
    shutil.copytree(SERVICES / GENERATED, tmp_path / "services" / GENERATED)
    shutil.copy(REPO / "Makefile", tmp_path)
    return tmp_path


def proto_check(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs the target with this interpreter's tools, without installing anything."""
    command = ["make", "proto-check", "--old-file=install-dev", f"BIN={Path(sys.executable).parent}"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_the_stubs_are_those_of_proto(copy: Path) -> None:
    done = proto_check(copy)
    assert done.returncode == 0, done.stderr


def test_a_changed_proto_is_found(copy: Path) -> None:
    with (copy / "proto/headrace/wire/v1/types.proto").open("a") as proto:
        proto.write("\nmessage Planted {\n  int64 pts = 1;\n}\n")
    done = proto_check(copy)
    assert done.returncode != 0
    assert "make proto" in done.stderr


def test_a_stub_edited_by_hand_is_found(copy: Path) -> None:
    with (copy / "services" / GENERATED / "types_pb2.pyi").open("a") as stub:
        stub.write("planted: int\n")
    assert proto_check(copy).returncode != 0


def test_a_stub_whose_proto_is_gone_is_found(copy: Path) -> None:
    (copy / "services" / GENERATED / "planted_pb2.py").touch()
    assert proto_check(copy).returncode != 0
