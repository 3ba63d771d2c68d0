"""A service is entered by its `service` module alone, and every service has the same front door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import SERVICES, imports, plant, within

SERVICE_NAMES = ("edge", "transcoder", "origin", "control")


def side_doors(services: Path) -> list[str]:
    """Standalone's imports of a service's insides."""
    return [
        f"{importer} imports {imported}"
        for importer, imported in imports(services, "headrace.standalone")
        for service in SERVICE_NAMES
        if within(imported, f"headrace.{service}") and not within(imported, f"headrace.{service}.service")
    ]


def missing_doors(services: Path) -> Iterator[str]:
    """Services without `build(settings, *, log=None)` in service.py."""
    for service in SERVICE_NAMES:
        home = services / "headrace" / service
        root = home / "service.py"
        tree = ast.parse(root.read_text()) if root.exists() else ast.Module([], [])
        arguments = [node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build"]
        if not arguments or [arg.arg for arg in arguments[0].args] != ["settings"]:
            yield f"{service}.service has no build(settings, *, log=None)"


def test_standalone_composes_services_by_their_front_doors() -> None:
    assert side_doors(SERVICES) == []


def test_every_service_has_a_composition_root() -> None:
    assert list(missing_doors(SERVICES)) == []


@pytest.mark.parametrize(
    "statement",
    ["import headrace.edge.session", "from headrace.control import registry", "from ..origin.http import application"],
)
def test_a_planted_side_door_is_found(tmp_path: Path, statement: str) -> None:
    plant(tmp_path, "headrace/standalone/planted.py", statement)
    assert len(side_doors(tmp_path)) == 1


def test_a_service_without_a_front_door_is_found(tmp_path: Path) -> None:
    for service in SERVICE_NAMES:
        plant(tmp_path, f"headrace/{service}/service.py", "def build(settings, *, log=None): ...")
    assert list(missing_doors(tmp_path)) == []
    plant(tmp_path, "headrace/edge/service.py", "class Edge: ...")
    assert list(missing_doors(tmp_path)) == ["edge.service has no build(settings, *, log=None)"]
