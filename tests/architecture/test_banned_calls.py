"""Tasks, clocks and the environment have one module of runtime each; ruff's banned-api rule keeps the others out.

Ruff knows functions by their import; what an event loop offers as methods is looked for here.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import REPO, SERVICES, plant, sources

BANNED = [
    "import asyncio\nasyncio.create_task(f())",
    "from asyncio import create_task",
    "import asyncio\nasyncio.ensure_future(f())",
    "import asyncio\nasyncio.gather(f(), g())",
    "import time\ntime.time()",
    "import time\ntime.time_ns()",
    "from time import monotonic",
    "import time as t\nt.monotonic_ns()",
    "import time\ntime.perf_counter()",
    "import time\ntime.perf_counter_ns()",
    "import time\ntime.clock_gettime(1)",
    "import time\ntime.clock_gettime_ns(1)",
    "import datetime\ndatetime.datetime.now()",
    "from datetime import datetime\ndatetime.now()",
    "import datetime\ndatetime.datetime.utcnow()",
    "import datetime\ndatetime.datetime.today()",
    "import datetime\ndatetime.date.today()",
    "import os\nos.environ['HOME']",
    "import os\nos.environb[b'HOME']",
    "from os import getenv",
]
EXEMPT = {
    "services/headrace/runtime/aio/tasks.py",
    "services/headrace/runtime/aio/clock.py",
    "services/headrace/runtime/config.py",
}


def ruff(source: str, filename: str) -> str:
    """What ruff says, by the project's configuration, of `source` if it lay at `filename`."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "--select=TID251"]
    command += [f"--stdin-filename={filename}", "-"]
    return subprocess.run(command, cwd=REPO, input=source, capture_output=True, text=True, check=False).stdout


def through_the_loop(services: Path) -> Iterator[str]:
    """Tasks without an owner, and clocks, that an event loop hands out: `loop.create_task()`, `loop.time()`."""
    for file in sources(services):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"create_task", "time"}
                and ast.unparse(node.func.value).removesuffix("()").endswith("loop")
            ):
                yield f"{file.name}: {ast.unparse(node.func)}"


def silenced(services: Path) -> list[str]:
    """Files in which a comment switches the rule off."""
    return [str(file.relative_to(services)) for file in sources(services) if "noqa: TID251" in file.read_text()]


@pytest.mark.parametrize("source", BANNED)
def test_a_planted_call_is_found(source: str) -> None:
    assert "TID251" in ruff(source, "services/headrace/edge/planted.py")


def test_a_task_that_has_an_owner_is_welcome() -> None:
    source = (
        "import asyncio\nasync def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(f())\n"
    )
    assert "TID251" not in ruff(source, "services/headrace/edge/planted.py")


def test_no_task_and_no_time_comes_from_an_event_loop() -> None:
    assert list(through_the_loop(SERVICES)) == []


@pytest.mark.parametrize("call", ["loop.create_task", "self._loop.time", "asyncio.get_running_loop().create_task"])
def test_a_planted_call_through_the_loop_is_found(tmp_path: Path, call: str) -> None:
    plant(tmp_path, "headrace/edge/planted.py", f"def f(self, loop):\n    {call}()\n    group.create_task(f())\n")
    assert list(through_the_loop(tmp_path)) == [f"planted.py: {call}"]


def test_exactly_one_module_of_runtime_is_exempt_for_each() -> None:
    ignores = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]
    exempt = {path for path, rules in ignores.items() if "TID251" in rules and path.startswith("services/")}
    assert exempt == EXEMPT


def test_no_comment_switches_the_rule_off(tmp_path: Path) -> None:
    assert silenced(SERVICES) == []
    plant(tmp_path, "headrace/edge/planted.py", "import time\ntime.time()  # noqa: TID251")
    assert silenced(tmp_path) == ["headrace/edge/planted.py"]
