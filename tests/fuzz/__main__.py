"""`make fuzz`: every target under atheris for `FUZZ_S` seconds, as many at once as there are cores.

Law: bounded in time and memory; what is found is kept as a file and printed with the one line that shows it again, and
the exit status is 1 then. Names as arguments choose targets; `FUZZ_S` is the time of each. What libFuzzer finds worth
keeping stays in `tests/artifacts/fuzz`, so that the next run begins there; `--keep` adds the least of it that covers as
much to the corpus.
Neighbours: `one` is the process of a target, `replay` measures what it has kept.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.kept import HERE as CORPUS

KEPT = Path("tests/artifacts/fuzz")
FINDS = KEPT / "finds"
DEFAULT_S = 60
TIMEOUT_S = 300  # of one input, by the clock: only what hangs where Python cannot stop it needs as long (`judge`)
RSS_MB = 1024
GRACE_S = 120  # to start and to read the corpus, on a busy machine
LEAST_INPUT, MOST_INPUT = 2, 2048  # bytes of what `--keep` adds
MOST_KEPT = 25  # inputs, the shortest, that it adds at once: each is fed in every `make test`

NO_ATHERIS = """\
make fuzz needs atheris, which exists for Linux on x86-64 with Python below 3.14: use such a machine, or be content with
the short run of `make test`."""


class Outcome(NamedTuple):
    """How a target came through. `found`: what is wrong, "" where nothing is."""

    name: str
    found: str
    runs: int
    per_s: int
    covered: tuple[int, int]
    inputs: int


def main(arguments: list[str]) -> int:
    """Exit status: 0 where nothing was found, 1 where something was, 2 where there is no atheris."""
    try:
        import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: F401
    except ImportError:
        print(NO_ATHERIS, file=sys.stderr)
        return 2
    from tests.fuzz.targets import TARGETS

    keep = "--keep" in arguments
    names = [each for each in arguments if not each.startswith("-")] or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        print(f"There is no target {', '.join(sorted(unknown))}. There are: {', '.join(TARGETS)}.", file=sys.stderr)
        return 2
    fuzz_s = int(os.environ.get("FUZZ_S") or DEFAULT_S)
    FINDS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        outcomes = []
        for outcome in pool.map(lambda name: _fuzz(name, fuzz_s), names):
            before, after = outcome.covered
            print(
                f"{outcome.name:14} {outcome.runs:>9} runs {outcome.per_s:>6}/s   coverage {before} → {after}   "
                f"{outcome.inputs} inputs   {'FOUND' if outcome.found else 'holds'}",
                flush=True,
            )
            outcomes.append(outcome)
    for outcome in outcomes:
        if outcome.found:
            print(f"\n--- {outcome.name}\n{outcome.found}")
    if keep:
        for name in names:
            _keep(name)
    return 1 if any(outcome.found for outcome in outcomes) else 0


def _fuzz(name: str, fuzz_s: int) -> Outcome:
    kept, corpus = KEPT / name, CORPUS / name
    for folder in (kept, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    begun_s = time.time()
    command = [
        sys.executable, "-W", "ignore", "-m", "tests.fuzz.one", name, str(kept), str(corpus),
        f"-max_total_time={fuzz_s}", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={RSS_MB}",
        f"-artifact_prefix={FINDS}/{name}-", "-print_final_stats=1", "-reload=0", f"-report_slow_units={TIMEOUT_S}",
    ]  # fmt: skip
    said, status = _run(command, fuzz_s + GRACE_S)
    covered = [int(each) for each in re.findall(r"cov: (\d+)", said)] or [0]
    runs = int((re.findall(r"number_of_executed_units: (\d+)", said) or re.findall(r"#(\d+)\s", said) or [0])[-1])
    found = "" if status == 0 else _told(name, said, begun_s)
    if not found:
        again = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.replay", name, str(kept), str(corpus)]
        measured, status = _run(again, fuzz_s + GRACE_S)
        found = "" if status == 0 else measured
    spent_s = max(1, round(time.time() - begun_s))
    return Outcome(name, found, runs, runs // spent_s, (covered[0], covered[-1]), len(list(kept.iterdir())))


def _run(command: list[str], within_s: float) -> tuple[str, int]:
    """What a process says, and its exit status; one that does not end is killed."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=within_s, errors="replace", check=False
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return f"{said.decode(errors='replace') if isinstance(said, bytes) else said}\nit did not end", -1
    return done.stdout, done.returncode


def _told(name: str, said: str, begun_s: float) -> str:
    """The end of what was said, and how to see it again."""
    new = [each for each in FINDS.glob(f"{name}-*") if each.stat().st_mtime >= begun_s - 1]
    lines = [line for line in said.splitlines() if not re.match(r"#\d+|INFO: |\s*$|MS: |0x|stat::", line)]
    again = [f"See it again: {sys.executable} -m tests.fuzz.replay {name} {each}" for each in new]
    return "\n".join([*lines[-30:], *again])


def _keep(name: str) -> None:
    """Add to the corpus what covers something that it does not."""
    fresh = KEPT / f"{name}.merged"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for each in (CORPUS / name).iterdir():
        shutil.copy(each, fresh)
    _run([sys.executable, "-W", "ignore", "-m", "tests.fuzz.one", name, "-merge=1", str(fresh), str(KEPT / name)], 600)
    known = {each.read_bytes() for each in (CORPUS / name).iterdir()}
    found = [each for each in fresh.iterdir() if LEAST_INPUT <= each.stat().st_size <= MOST_INPUT]
    new = [each for each in found if each.read_bytes() not in known]
    for each in sorted(new, key=lambda each: (each.stat().st_size, each.name))[:MOST_KEPT]:
        shutil.copy(each, CORPUS / name / each.name[:16])
    shutil.rmtree(fresh)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
