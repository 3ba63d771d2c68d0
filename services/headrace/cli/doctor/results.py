"""What a check found: one result for each thing that was looked at.

Law: pure. A check's name is stable, for scripts; its words are not. Nothing that is wrong comes without what to do.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

PASSED_EXIT, FAILED_EXIT, NOT_RUN_EXIT, WARNED_EXIT = 0, 1, 2, 3


class Outcome(StrEnum):
    """From best to worst."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAILURE = "failure"


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Result:
    """`subject` is what was looked at, `seen` what was found; `wrong` and `todo` are '' where nothing is wrong."""

    check: str
    subject: str
    outcome: Outcome
    seen: str
    wrong: str = ""
    todo: str = ""


def ok(check: str, subject: str, seen: str) -> Result:
    """All is well."""
    return Result(check, subject, Outcome.OK, seen)


def skipped(check: str, subject: str, why: str) -> Result:
    """It was not looked at."""
    return Result(check, subject, Outcome.SKIPPED, why)


def warning(check: str, subject: str, seen: str, wrong: str, todo: str) -> Result:
    """It works, and will not always."""
    return Result(check, subject, Outcome.WARNING, seen, wrong, todo)


def failure(check: str, subject: str, seen: str, wrong: str, todo: str) -> Result:
    """It does not work."""
    return Result(check, subject, Outcome.FAILURE, seen, wrong, todo)


def with_words(result: Result, change: Callable[[str], str]) -> Result:
    """The same, with each of its words changed."""
    subject, seen, wrong, todo = map(change, (result.subject, result.seen, result.wrong, result.todo))
    return replace(result, subject=subject, seen=seen, wrong=wrong, todo=todo)


def exit_code(results: Iterable[Result], *, strict: bool) -> int:
    """1 where anything fails, 3 where `strict` and anything is warned of, else 0."""
    outcomes = {result.outcome for result in results}
    if Outcome.FAILURE in outcomes:
        return FAILED_EXIT
    return WARNED_EXIT if strict and Outcome.WARNING in outcomes else PASSED_EXIT


def worst_last(results: Iterable[Result]) -> list[Result]:
    """As people read it: what is wrong stands at the end, next to the prompt."""
    return sorted(results, key=lambda each: _RANK[each.outcome])


def as_json(results: Sequence[Result], version: str, took_s: float, code: int) -> dict[str, object]:
    """One object, whose fields stay."""
    counts = Counter(result.outcome for result in results)
    return {
        "version": version,
        "exit_code": code,
        "took_s": round(took_s, 3),
        "counts": {outcome.value: counts[outcome] for outcome in Outcome},
        "results": [asdict(result) for result in results],
    }
