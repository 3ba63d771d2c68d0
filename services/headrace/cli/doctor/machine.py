"""This machine: what is obviously too small for what runs on it.

Law: pure verdicts over two numbers.
"""

from headrace.cli.doctor.results import Result, ok, warning

LEAST_FILES = 4096
LEAST_FREE_BYTES = 1 << 30


def files(limit: int) -> Result:
    """How many files, and so connections, a process that is started as this one may have open."""
    if limit < LEAST_FILES:
        wrong = "a service that is started like this doctor runs out of connections"
        return warning(
            "machine", "open files", f"at most {limit}", wrong, f"raise `ulimit -n` to {LEAST_FILES} or more"
        )
    return ok("machine", "open files", f"at most {limit}")


def disk(folder: str, free_bytes: int) -> Result:
    """How much is free where data is kept."""
    seen = f"{free_bytes / 2**30:.1f} GiB free"
    if free_bytes < LEAST_FREE_BYTES:
        return warning("machine", folder, seen, "the database soon cannot write", "make room")
    return ok("machine", folder, seen)
