"""The source tree as the architecture tests read it: where it is, who imports whom, and copies to plant violations in.

Imports are read from the syntax tree, so a tree can be looked at without being imported, wherever it lies.
"""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parents[2]
SERVICES = REPO / "services"
GENERATED = Path("headrace/wire/v1")


class Import(NamedTuple):
    """One imported name, both ends dotted; `imported` is as deep as the statement writes it."""

    importer: str
    imported: str


def copy_of_services(into: Path) -> Path:
    """A copy of the source root below `into`, for a test to plant in."""
    return shutil.copytree(SERVICES, into / "services", ignore=shutil.ignore_patterns("__pycache__"))


def plant(services: Path, path: str, source: str) -> None:
    """Writes `source` to `path` below the source root; a folder that is new becomes a package."""
    file = services / path
    file.parent.mkdir(parents=True, exist_ok=True)
    (file.parent / "__init__.py").touch()
    file.write_text(source)


def sources(services: Path) -> Iterator[Path]:
    """Every Python file that a person wrote, in a stable order."""
    for file in sorted(services.rglob("*.py")):
        if not file.relative_to(services).is_relative_to(GENERATED):
            yield file


def tracked() -> list[Path]:
    """Every file of the repository, relative to its root: committed, or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listing.split("\0") if name and (REPO / name).is_file()]


def imports(services: Path, package: str) -> Iterator[Import]:
    """Every absolute import below `package`, functions' and TYPE_CHECKING's included.

    `from a import b` counts as `a.b`: whether `b` is a module or a name in one makes no difference to a border.
    """
    for file in sources(services):
        module = ".".join(file.relative_to(services).with_suffix("").parts).removesuffix(".__init__")
        if not within(module, package):
            continue
        for node in ast.walk(ast.parse(file.read_text(), str(file))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(module, alias.name)
            elif isinstance(node, ast.ImportFrom):
                base = _base(node, module, is_package=file.name == "__init__.py")
                for alias in node.names:
                    yield Import(module, f"{base}.{alias.name}")


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or lies below it."""
    return module == package or module.startswith(f"{package}.")


def _base(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    above = module.split(".")
    above = above[: len(above) - node.level + is_package]
    return ".".join([*above, *([node.module] if node.module else [])])
