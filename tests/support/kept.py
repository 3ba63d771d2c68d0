"""Every key that tests have made, and the search for them in all that our processes say and answer.

Law: a key is told here where it is made; from then on whatever a process of ours prints, shows in `/metrics` or answers
is searched for it, and for whatever has a key's shape, however it came there. Only the one answer that shows a key, and
the lines by which `headrace up` hands its own to a person, may have one. Neighbours: `stack` and `apart` feed it,
`tests/e2e/conftest.py` asks after each test.
"""

import re
from collections.abc import Iterable

import httpx

SHAPE = re.compile(r"sk_[a-z2-7]{32}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}", re.IGNORECASE)
HANDED_OVER = re.compile(r"  (API key: |Console: |Demo: ) ")
SHOWING = re.compile(r"/v1/streams(/[^/]+/key)?")

made: set[str] = set()
leaks: list[str] = []
"""What was found and not yet told to a test."""


class Leak(AssertionError):
    """A key is where none may be."""


def keep(key: str) -> str:
    """`key`, which is searched for from now on."""
    made.add(key)
    return key


def search(where: str, text: str) -> None:
    """Remember the lines of `text` that hold a key."""
    if SHAPE.search(text) or any(key in text for key in made):
        for line in text.splitlines():
            if SHAPE.search(line) or any(key in line for key in made):
                leaks.append(f"{where}: {line[:500]}")


def search_lines(where: str, lines: Iterable[str]) -> None:
    """The same in what a process has printed."""
    search(where, "\n".join(line for line in lines if not HANDED_OVER.match(line)))


def search_answer(answer: httpx.Response) -> None:
    """The same in an answer of ours; one that has just made a key may show that one, and it is kept."""
    answer.read()
    text = answer.text
    if answer.is_success and answer.request.method == "POST" and SHOWING.fullmatch(answer.url.path):
        text = text.replace(keep(answer.json()["stream_key"]), "")
    search(f"{answer.request.method} {answer.url.path}", text)
    search(f"the headers of {answer.url.path}", "\n".join(answer.headers.values()))


def told() -> None:
    """Raise Leak for what was found since the last time."""
    found, leaks[:] = leaks[:], []
    if found:
        raise Leak("keys have been shown:\n" + "\n".join(found))
