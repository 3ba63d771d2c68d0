"""`docs/reference/errors.md`, made from the table of errors: `make errors-reference` writes it.

Law: what a code means is said once, in `core.error_table`; which metrics count it is read from their declarations, and
which sentences it comes with from the source. Neighbours: `tests/architecture` sees that the file is current.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from headrace.core.broadcast.refusals import Reason
from headrace.core.error_table import SECTIONS, Row
from tests.support.house import REPO, SERVICES, sources
from tests.support.metrics_reference import declared

FILE = REPO / "docs" / "reference" / "errors.md"
LABELS = ("reason", "outcome", "code")
HEAD = """\
# Errors

<!-- Made from services/headrace/core/error_table by `make errors-reference`: do not edit. -->

Every error has a code. The same word is in the logs (`reason`, `code`), in metrics' labels, in `headrace-code` of a
gRPC call's trailing metadata, and in the API's problems, whose `type` is `/errors#<code>`: this page, as each
installation of control shows it itself.

## What encoders show
A refusal is an RTMP status of level `error`: a code, and a sentence for the encoder's user.

- **OBS**, refused before it may send, shows its box “Could not access the specified channel or stream key, …” for every
  code that is used here; the sentence and the code are in its log (Help → Log Files). While it sends it reads nothing:
  it says that it is disconnected, and connects again.
- **FFmpeg** shows `Server error: <sentence>`, of which it keeps 255 bytes, and ends.

Codes that OBS does not know (`NetStream.Publish.Unauthorized`, …) it only logs: none is used. In a sentence, `…` is
what differs from case to case. No sentence holds a stream key.
"""
PLAYERS = """\
## What players and CDNs are told
The origin answers with HTTP's own statuses and a sentence in plain text; there is nothing for a player to do but to ask
again, after `Retry-After` where that is given. `404` may become `200` with the next part; `410` is for good; `503` is
for the operator: see [the live log](#the-live-log).

| status | sentence |
|---|---|
"""


def reference() -> str:
    """The whole file."""
    counted, said = counters(), sentences(SERVICES)
    lines = [HEAD]
    for title, rows in SECTIONS.items():
        lines += [f"## {title}\n", *(line for one in rows for line in _lines(one, counted, said))]
    lines.append(PLAYERS + "\n".join(f"| {status} | {why} |" for status, why in answers(SERVICES)) + "\n")
    return "\n".join(lines)


def counters() -> Mapping[str, Sequence[str]]:
    """By code: the metrics that have it for a label."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for metric in declared():
        for label, values in metric.labels.items():
            for value in values if label in LABELS else ():
                found[value].append(f'{metric.name}{{{label}="{value}"}}')
    return found


def sentences(services: Path) -> Mapping[str, Sequence[str]]:
    """By code of a refusal: what encoders' users are told, where the source says it in so many words."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for call in _calls(services):
        for reason, text in zip(call.args, call.args[1:], strict=False):
            named = isinstance(reason, ast.Attribute) and isinstance(reason.value, ast.Name)
            if named and reason.value.id == "Reason" and (words := _words(text)):  # type: ignore[attr-defined]
                code = Reason[reason.attr].value  # type: ignore[attr-defined]
                if words not in found[code]:
                    found[code].append(words)
    return found


def answers(services: Path) -> Sequence[tuple[int, str]]:
    """Statuses and sentences of the origin's answers."""
    found = set()
    for call in _calls(services / "headrace" / "origin"):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        status = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if name in ("error", "Failure") and isinstance(status, int) and (words := _words(call.args[1])):
            found.add((status, words))
        elif name in ("unavailable", "Unavailable") and call.args and (words := _words(call.args[0])):
            found.add((503, words))
    return sorted(found)


def _calls(services: Path) -> Iterator[ast.Call]:
    for file in sources(services):
        yield from (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(part) or "…" for part in node.values)
    return ""


def _lines(one: Row, counted: Mapping[str, Sequence[str]], said: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield f"### {one.code}\n\n{one.meaning} Caused by {one.cause.value}.\n"
    if one.user:
        yield f"- **What to do**: {one.user}"
    yield f"- **The operator**: {one.do}"
    if one.rtmp:
        texts = sorted(said.get(one.code, ()), key=str.lower)
        yield f"- **The encoder is told** `{one.rtmp}`" + "".join(f"  \n  “{text}”" for text in texts)
    borders = [f"gRPC `{one.grpc}`"] if one.grpc else []
    borders += [f"HTTP {one.http}, type `/errors#{one.code}`"] if one.http else []
    if borders:
        yield f"- **Elsewhere**: {'; '.join(borders)}"
    if one.code in counted:
        yield "- **Counted** by " + ", ".join(f"`{series}`" for series in counted[one.code])
    yield ""


if __name__ == "__main__":
    FILE.write_text(reference())
