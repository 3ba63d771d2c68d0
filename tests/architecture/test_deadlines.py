"""No call between services without a deadline: each method has one that a test holds, and no other way leads to one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.wire import control, media
from tests.integration.wire.test_deadlines import CALLS, methods
from tests.support.house import SERVICES, plant, sources

KINDS = {"unary_unary", "unary_stream", "stream_unary", "stream_stream"}
LONGEST_S = 30  # for an answer; a call may last, its steps may not

# Where channels are asked for a method's calls. Each of them is met with silence in tests/integration/wire.
CALLERS = {"wire/calls.py: unary_call", "wire/control.py: report", "wire/media.py: __init__"}


def callers(services: Path) -> Iterator[str]:
    """Functions that ask a channel for a method's calls."""
    for file in sources(services):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Attribute) and node.attr in KINDS:
                        yield f"{file.relative_to(services / 'headrace')}: {function.name}"


def test_every_method_of_every_service_has_a_deadline() -> None:
    assert CALLS.keys() == methods(), "name the new method and its deadline in tests/integration/wire/test_deadlines.py"
    for name, _ in CALLS.values():
        deadline_s = getattr(control, name, None) or getattr(media, name)
        assert 0 < deadline_s <= LONGEST_S


def test_calls_are_made_where_their_deadlines_are() -> None:
    assert set(callers(SERVICES)) == CALLERS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_planted_call_is_found(tmp_path: Path, kind: str) -> None:
    plant(tmp_path, "headrace/edge/planted.py", f"def f(channel):\n    return channel.{kind}('/a/b')()\n")
    assert list(callers(tmp_path)) == ["edge/planted.py: f"]
