"""Peers cannot fill the log: what is said goes through `RateLimited`, or stands here with what bounds it.

`RateLimited` is bounded by itself; so is everything below it, since a task's lines are its own. A line that is written
straight to a logger is listed with its bound, and one that is gone leaves the list.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house import SERVICES, plant, sources

LEVELS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log"}
FENCE = "headrace/runtime/telemetry/logs.py"
# Programs of a terminal's user, and the last sentence of a process.
PRINTING = {"headrace/transcoder/worker/measure.py", "headrace/runtime/process.py"}

ONCE = "once in a process's life"
START = "once, at the start"
RUN = "once for each run, which cost its publisher a transaction"
BOUNDED = {
    "headrace/cli/doctor/running.py: a check of the doctor's failed": "once for each check of one command",
    "headrace/control/accounts.py: transcoders are gone": "once in each look at the fleet",
    "headrace/control/db/engines.py: the way to the database is weak": START,
    "headrace/control/db/migrate.py: cannot migrate yet, another try follows": "once for each try of one command",
    "headrace/control/endings.py: run ended": RUN,
    "headrace/control/opening.py: a publisher gives way to another": RUN,
    "headrace/control/service.py: listening for edges and transcoders": START,
    "headrace/edge/service.py: listening for publishers": START,
    "headrace/livelog/redis/log.py: the live log is reached in plaintext: begin its URL with rediss://": START,
    "headrace/livelog/redis/log.py: (sentence)": "once for each server, at the start",
    "headrace/livelog/redis/log.py: the live log's servers cannot be checked": START,
    "headrace/runtime/process.py: serving": START,
    "headrace/runtime/process.py: stopping": ONCE,
    "headrace/runtime/process.py: stopped in the middle, for it took too long": ONCE,
    "headrace/standalone/demo.py: the demo's publish failed": "once for each try, of which there is one in two seconds",
    "headrace/transcoder/capacity.py: capacity cannot be measured": START,
    "headrace/transcoder/capacity.py: capacity measured": START,
    "headrace/transcoder/capacity.py: capacity cannot be kept": START,
    "headrace/transcoder/service.py: listening for edges": START,
    "headrace/wire/trust.py: gRPC goes without TLS, as HEADRACE_PLAINTEXT says": START,
    "headrace/wire/trust.py: the certificate's files have changed": "once in each look at the files",
}


def unlimited(services: Path) -> Iterator[str]:
    """What is said without `RateLimited`, by file and words."""
    for file in sources(services):
        path = str(file.relative_to(services))
        tree = ast.parse(file.read_text())
        loggers = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and _makes_a_logger(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
                on = node.func.value
                if _makes_a_logger(on) or (isinstance(on, ast.Name) and on.id in loggers | {"logging"}):
                    yield f"{path}: {_words(node)}"


def printing(services: Path) -> set[str]:
    """Files that write past the log."""
    return {
        str(file.relative_to(services))
        for file in sources(services)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func) in ("print", "sys.stderr.write", "sys.stdout.write", "os.write"))
    }


def _makes_a_logger(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("logger", "logs.logger", "logging.getLogger")


def _words(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return str(first.value) if isinstance(first, ast.Constant) else f"({ast.unparse(first) if first else ''})"


def test_what_is_said_without_a_limit_has_a_bound() -> None:
    found = [one for one in unlimited(SERVICES) if not one.startswith(FENCE)]
    assert [one for one in found if one not in BOUNDED] == [], "say it through RateLimited, or what bounds it here"
    assert BOUNDED.keys() - set(found) == set()


@pytest.mark.parametrize(
    "source",
    [
        "_log = logger(__name__)\n_log.warning('planted')",
        "_log = logs.logger(__name__)\ndef f(): _log.info('planted', extra={})",
        "import logging\nlogging.getLogger('x').error('planted')",
        "import logging\nlogging.warning('planted')",
        "say = logger(__name__)\ntry: pass\nexcept OSError: say.exception('planted')",
    ],
)
def test_a_line_without_a_limit_is_found(tmp_path: Path, source: str) -> None:
    plant(tmp_path, "headrace/edge/planted.py", source)
    assert list(unlimited(tmp_path)) == ["headrace/edge/planted.py: planted"]


def test_nobody_prints_past_the_log_but_what_speaks_to_a_person(tmp_path: Path) -> None:
    found = {path for path in printing(SERVICES) if not path.startswith("headrace/cli/")}
    assert found - {FENCE} == PRINTING
    plant(tmp_path, "headrace/edge/planted.py", "print('planted')")
    assert printing(tmp_path) == {"headrace/edge/planted.py"}
