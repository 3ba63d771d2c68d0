"""Results for people: one line each, and below what is wrong what to do.

Law: no words of its own.
"""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from headrace.cli.doctor.results import Outcome, Result, worst_last

_MARKS = {
    Outcome.OK: "[green]ok  [/green]",
    Outcome.SKIPPED: "[dim]skip[/dim]",
    Outcome.WARNING: "[yellow]WARN[/yellow]",
    Outcome.FAILURE: "[bold red]FAIL[/bold red]",
}


def show(results: Sequence[Result], took_s: float) -> None:
    """All of them, the worst last, and their number."""
    console = Console(highlight=False, soft_wrap=True)
    for result in worst_last(results):
        what = f"{result.check} {result.subject}".strip()
        console.print(f"{_MARKS[result.outcome]}  {escape(what)}: {escape(result.seen)}")
        if result.wrong:
            console.print(f"      {escape(result.wrong)}")
            console.print(f"      → {escape(result.todo)}")
    counts = Counter(result.outcome for result in results)
    said = ", ".join(f"{counts[each]} {word}" for each, word in _WORDS.items() if counts[each])
    console.print(f"\n{said} ({took_s:.1f} s)")


_WORDS = {
    Outcome.OK: "ok",
    Outcome.SKIPPED: "skipped",
    Outcome.WARNING: "warnings",
    Outcome.FAILURE: "failures",
}
