"""What the tree looks like from outside: its folders, the length of its files, its make targets, its words."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.house import REPO, SERVICES, plant, sources, tracked

MAX_LINES = 400
MAX_DOCSTRING_LINES = 15
FOLDERS = {"services", "proto", "helm", "tests", "docs", ".ci"}
# In two pieces each, so that this file is not its own finding.
REGISTRIES = [
    ("py", "pi.org"),
    ("python", "hosted.org"),
    ("npm", "js.org"),
    ("crates", ".io"),
    ("proxy.go", "lang.org"),
    ("maven", ".org"),
    ("deb.deb", "ian.org"),
    ("index", "-url http"),
]
REGISTRY_HOSTS = re.compile("|".join(re.escape(left + right) for left, right in REGISTRIES))


def too_long(services: Path) -> list[str]:
    """Files of more than MAX_LINES lines."""
    lengths = {file: len(file.read_text().splitlines()) for file in sources(services)}
    return [f"{file.relative_to(services)}: {lines}" for file, lines in lengths.items() if lines > MAX_LINES]


def wordy(services: Path) -> Iterator[str]:
    """Files whose docstring, the law of the file, is longer than a law should be."""
    for file in sources(services):
        docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
        if len(docstring.splitlines()) > MAX_DOCSTRING_LINES:
            yield str(file.relative_to(services))


def folders(files: Iterable[Path]) -> set[str]:
    """The top-level folders that hold these files."""
    return {file.parts[0] for file in files if len(file.parts) > 1}


def naming_a_registry(root: Path, files: Iterable[Path]) -> Iterator[str]:
    """Files that name a package registry's host: where packages come from is the reader's own setting."""
    for file in files:
        text = (root / file).read_bytes().decode("utf-8", "replace")
        if found := REGISTRY_HOSTS.search(text):
            yield f"{file}: {found.group()}"


def without_help(makefile: str) -> list[str]:
    """Phony targets whose rule has no `## help`."""
    phony = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    helped = re.findall(r"^([a-z0-9-]+):[^\n]*## \S", makefile, re.MULTILINE)
    return [target for line in phony for target in line.split() if target not in helped]


def test_no_file_is_longer_than_400_lines() -> None:
    assert too_long(SERVICES) == []


def test_a_long_file_is_found_unless_it_is_generated(tmp_path: Path) -> None:
    plant(tmp_path, "headrace/edge/planted.py", "pass\n" * (MAX_LINES + 1))
    plant(tmp_path, "headrace/wire/v1/planted_pb2.py", "pass\n" * (MAX_LINES + 1))
    assert too_long(tmp_path) == ["headrace/edge/planted.py: 401"]


def test_no_module_docstring_is_longer_than_15_lines(tmp_path: Path) -> None:
    assert list(wordy(SERVICES)) == []
    plant(tmp_path, "headrace/edge/planted.py", '"""Law.\n' + "\nMore of it.\n" * MAX_DOCSTRING_LINES + '"""\n')
    assert list(wordy(tmp_path)) == ["headrace/edge/planted.py"]


def test_the_top_level_folders_are_exactly_the_houses() -> None:
    assert folders(tracked()) == FOLDERS


def test_a_new_top_level_folder_is_found() -> None:
    assert folders([*tracked(), Path("scripts/planted.py")]) - FOLDERS == {"scripts"}


def test_no_file_names_a_registry_host() -> None:
    assert list(naming_a_registry(REPO, tracked())) == []


@pytest.mark.parametrize(("left", "right"), REGISTRIES)
def test_a_planted_registry_host_is_found(tmp_path: Path, left: str, right: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"# from https://{left}{right}/simple\n")
    assert len(list(naming_a_registry(tmp_path, [Path("requirements.lock")]))) == 1


def test_every_make_target_says_what_it_does() -> None:
    assert without_help((REPO / "Makefile").read_text()) == []


def test_a_target_without_help_is_found() -> None:
    assert without_help(".PHONY: a b\na: ## Does a\n\techo\nb: a\n\techo\n") == ["b"]


@pytest.mark.parametrize("promised", ["install", "run", "test", "test-unit", "lint", "help"])
def test_make_help_lists_what_the_readme_promises(promised: str) -> None:
    listing = subprocess.run(["make", "help"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^  make {promised} +\S", listing, re.MULTILINE)
