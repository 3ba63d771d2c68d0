"""`/errors`: the table of errors for people, each code at an anchor of its own, which problems name as their `type`.

Law: made of `core.error_table` at the start; no script, no data of anybody's.
"""

import re
from html import escape

from headrace.core.error_table import SECTIONS, Row

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="dark light">
  <title>Headrace errors</title>
  <link rel="icon" href="/console/logo.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/console/style.css">
</head>
<body>
  <header class="top">
    <a class="brand" href="/"><img src="/console/logo.svg" alt="" width="28" height="28">Headrace</a>
    <nav><a href="/">Console</a><a href="/docs">API</a></nav>
  </header>
  <main class="docs">
<h1>Errors</h1>
"""
_FOOT = "  </main>\n</body>\n</html>\n"


def errors_page() -> str:
    """The page."""
    parts = [_HEAD]
    for title, rows in SECTIONS.items():
        parts += [f"<h2>{_words(title)}</h2>\n", *(_section(one) for one in rows)]
    return "".join([*parts, _FOOT])


def _section(one: Row) -> str:
    facts = {
        "Caused by": one.cause.value,
        "What to do": one.user,
        "The operator": one.do,
        "The encoder is told": f"`{one.rtmp}`" if one.rtmp else "",
        "gRPC status": f"`{one.grpc}`" if one.grpc else "",
        "HTTP status": str(one.http) if one.http else "",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{_words(fact)}</dd>" for name, fact in facts.items() if fact)
    head = f"<h3><code>{one.code}</code></h3><p>{_words(one.meaning)}</p>"
    return f'<section id="{one.code}">{head}<dl>{listed}</dl></section>\n'


def _words(text: str) -> str:
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))
