"""Core's law: bytes in, typed events out; no I/O, no clock, no randomness, no tasks, no logging.

Import-linter can forbid a module by name; only an allow-list keeps out the one nobody thought of.
"""

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import SERVICES, imports, plant, sources, within

CORE = "headrace.core"
# Control's decisions are pure too: they know core, and no row, request or pod.
PURE = (CORE, "headrace.control.decisions")
ALLOWED = {
    "__future__",
    "abc",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "dataclasses",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "itertools",
    "math",
    "operator",
    "re",
    "statistics",
    "string",
    "struct",
    "types",
    "typing",
    "urllib.parse",
    CORE,
}
IMPURE_CALLS = {"open", "print", "input", "breakpoint", "eval", "exec", "compile", "__import__"}


def strangers(services: Path, package: str) -> list[str]:
    """A pure package's imports that are neither its own nor on the allow-list."""
    return [
        f"{importer} imports {imported}"
        for importer, imported in imports(services, package)
        if not any(within(imported, allowed) for allowed in (*ALLOWED, package))
    ]


def effects(services: Path, package: str) -> Iterator[str]:
    """A pure package's calls of built-in functions that reach outside, and its coroutines."""
    for file in sources(services / package.replace(".", "/")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.AsyncFunctionDef):
                yield f"{file.name}: async def {node.name}"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                yield f"{file.name}: {node.func.id}()"


def homeless_errors(services: Path) -> Iterator[str]:
    """Core's exceptions that stand directly on a built-in one instead of on the bases in `core.errors`."""
    bases = services / "headrace/core/errors.py"
    for file in sources(services / "headrace/core"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and file != bases:
                for base in node.bases:
                    known = getattr(builtins, base.id, None) if isinstance(base, ast.Name) else None
                    if isinstance(known, type) and issubclass(known, BaseException):
                        yield f"{file.name}: {node.name} is a {known.__name__}"


@pytest.mark.parametrize("package", PURE)
def test_a_pure_package_imports_only_itself_core_and_pure_stdlib_modules(package: str) -> None:
    assert strangers(SERVICES, package) == []


@pytest.mark.parametrize("package", PURE)
def test_a_pure_package_has_no_coroutines_and_calls_nothing_that_reaches_outside(package: str) -> None:
    assert list(effects(SERVICES, package)) == []


def test_every_error_of_core_stands_on_the_bases_of_core() -> None:
    assert list(homeless_errors(SERVICES)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import random",
        "from datetime import datetime",
        "import subprocess",
        "import asyncio.events",
        "import time",
        "import os.path",
        "import logging",
        "import secrets",
        "import urllib.request",
        "from urllib import request",
        "import importlib",
        "import pydantic",
        "import headrace.runtime.aio",
        "from ...runtime import aio",
        "def later():\n    import socket",
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, statement: str) -> None:
    plant(tmp_path, "headrace/core/media/planted.py", statement)
    assert len(strangers(tmp_path, CORE)) == 1


@pytest.mark.parametrize(
    "statement", ["import random", "import headrace.control.db", "from ..registry import Registry"]
)
def test_an_import_planted_in_the_decisions_is_found(tmp_path: Path, statement: str) -> None:
    plant(tmp_path, "headrace/control/decisions/planted.py", statement)
    assert len(strangers(tmp_path, "headrace.control.decisions")) == 1


@pytest.mark.parametrize("source", ["text = open('/etc/passwd').read()", "async def wait() -> None: ...", "print(1)"])
def test_a_planted_effect_is_found(tmp_path: Path, source: str) -> None:
    plant(tmp_path, "headrace/core/planted.py", source)
    assert len(list(effects(tmp_path, CORE))) == 1


def test_a_planted_error_without_a_base_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "headrace/core/flv/planted.py", "class PlantedError(ValueError): ...")
    assert list(homeless_errors(tmp_path)) == ["planted.py: PlantedError is a ValueError"]
