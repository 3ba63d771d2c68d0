"""Every unit test of control that uses a database, on PostgreSQL: the same functions, found in the same modules.

A new test there is collected here by itself, if it takes `place`, `parts` or `signing`.
"""

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.house import REPO

UNIT = REPO / "tests/unit/control"
DATABASE = {"place", "parts", "signing"}


def on_a_database(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The module's own tests that take a database."""
    for name, test in vars(module).items():
        own = name.startswith("test_") and inspect.isfunction(test) and test.__module__ == module.__name__
        if own and DATABASE & inspect.signature(test).parameters.keys():
            yield name, test


def adopt(folder: Path) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Those of every module in `folder`, under names that say where they are from."""
    for file in sorted(folder.glob("test_*.py")):
        for name, test in on_a_database(import_module(f"tests.unit.control.{file.stem}")):
            yield f"{name}__of_{file.stem.removeprefix('test_')}", test


globals().update(adopt(UNIT))


def test_the_stories_of_publishers_are_among_them() -> None:
    modules = {name.partition("__of_")[2] for name in globals() if "__of_" in name}
    assert modules >= {"api", "console", "endings", "schema", "sessions"}
