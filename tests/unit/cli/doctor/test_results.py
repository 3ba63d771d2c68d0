"""Results: their order, their exit codes, and their JSON."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from headrace.cli.doctor.results import (
    Outcome,
    Result,
    as_json,
    exit_code,
    failure,
    ok,
    skipped,
    warning,
    with_words,
    worst_last,
)
from headrace.cli.doctor.running import Check, run_all
from headrace.core.errors import HeadraceError

OK, SKIPPED = ok("a", "1", "fine"), skipped("b", "2", "not set")
WARNING, FAILURE = warning("c", "3", "seen", "wrong", "todo"), failure("d", "4", "seen", "wrong", "todo")


@pytest.mark.parametrize(
    ("results", "strict", "code"),
    [
        ([], False, 0),
        ([OK, SKIPPED], True, 0),
        ([OK, WARNING], False, 0),
        ([OK, WARNING], True, 3),
        ([FAILURE, WARNING], True, 1),
        ([FAILURE], False, 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst(results: Sequence[Result], strict: bool, code: int) -> None:
    assert exit_code(results, strict=strict) == code


def test_people_read_the_worst_last() -> None:
    assert worst_last([FAILURE, WARNING, SKIPPED, OK]) == [OK, SKIPPED, WARNING, FAILURE]


def test_scripts_get_one_object_with_these_fields() -> None:
    told = json.loads(json.dumps(as_json([OK, FAILURE], "1.0", 1.23456, 1)))
    assert told == {
        "version": "1.0",
        "exit_code": 1,
        "took_s": 1.235,
        "counts": {"ok": 1, "skipped": 0, "warning": 0, "failure": 1},
        "results": [
            {"check": "a", "subject": "1", "outcome": "ok", "seen": "fine", "wrong": "", "todo": ""},
            {"check": "d", "subject": "4", "outcome": "failure", "seen": "seen", "wrong": "wrong", "todo": "todo"},
        ],
    }


async def test_checks_run_at_once_and_one_that_hangs_or_breaks_takes_no_other_down() -> None:
    met = asyncio.Barrier(2)

    async def meeting() -> list[Result]:
        await met.wait()
        return [OK]

    async def hanging() -> list[Result]:
        await asyncio.get_running_loop().create_future()
        return []

    async def refusing() -> list[Result]:
        raise HeadraceError("no, said the server")

    async def broken() -> list[Result]:
        raise ZeroDivisionError

    checks: dict[str, Check] = {"one": meeting, "hangs": hanging, "refused": refusing, "bug": broken, "two": meeting}
    found = await run_all(checks, 0.05)
    assert [(each.check, each.outcome) for each in found] == [
        ("a", Outcome.OK),
        ("hangs", Outcome.FAILURE),
        ("refused", Outcome.FAILURE),
        ("bug", Outcome.FAILURE),
        ("a", Outcome.OK),
    ]
    assert "nothing within 0.05 s" in found[1].seen
    assert "no, said the server" in found[2].seen


def test_words_are_changed_and_nothing_else_is() -> None:
    changed = with_words(warning("reach", "a key", "the key", "no key", "drop the key"), lambda text: text.upper())
    assert changed == warning("reach", "A KEY", "THE KEY", "NO KEY", "DROP THE KEY")
