"""Core's law: bytes in, typed events out; no I/O, no clock, no randomness, no tasks, no logging.

Import-linter can forbid a module by name; only an allow-list keeps out the one nobody thought of.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import SERVICES, copy_of_services, imports, plant, sources, within

CORE = "headrace.core"
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


def strangers(services: Path) -> list[str]:
    """Core's imports that are not on the allow-list."""
    return [
        f"{importer} imports {imported}"
        for importer, imported in imports(services, CORE)
        if not any(within(imported, allowed) for allowed in ALLOWED)
    ]


def effects(services: Path) -> Iterator[str]:
    """Core's calls of built-in functions that reach outside, and its coroutines."""
    for file in sources(services / "headrace/core"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.AsyncFunctionDef):
                yield f"{file.name}: async def {node.name}"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                yield f"{file.name}: {node.func.id}()"


def test_core_imports_only_itself_and_pure_stdlib_modules() -> None:
    assert strangers(SERVICES) == []


def test_core_has_no_coroutines_and_calls_nothing_that_reaches_outside() -> None:
    assert list(effects(SERVICES)) == []


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
    services = copy_of_services(tmp_path)
    plant(services, "headrace/core/media/planted.py", statement)
    assert len(strangers(services)) == 1


@pytest.mark.parametrize("source", ["text = open('/etc/passwd').read()", "async def wait() -> None: ...", "print(1)"])
def test_a_planted_effect_is_found(tmp_path: Path, source: str) -> None:
    services = copy_of_services(tmp_path)
    plant(services, "headrace/core/planted.py", source)
    assert len(list(effects(services))) == 1
